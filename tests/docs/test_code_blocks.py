"""Runs the code in the documents, so that none of it goes stale.

Blocks named `python` are executed and blocks named `pycon` are doctested, in order and
in one namespace for each file. A block that cannot run says why: ```python no-run=why.
Blocks in other languages are text.
"""

import doctest
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"^```(?P<language>python|pycon)(?P<options>[^\n]*)\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
DOCUMENTS = [
    path
    for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    if BLOCK.search(path.read_text("utf-8"))
]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    language: str
    code: str
    line: int


def blocks_of(text: str) -> list[Block]:
    return [
        Block(match["language"], match["code"], text.count("\n", 0, match.start()) + 1)
        for match in BLOCK.finditer(text)
        if "no-run=" not in match["options"]
    ]


def run(text: str, name: str) -> None:
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(text):
        if block.language == "python":
            # Blank lines first, so that a traceback shows the document's line.
            code = compile("\n" * block.line + block.code, name, "exec")
            exec(code, namespace)  # noqa: S102 - our own documents
        else:
            examples = doctest.DocTestParser().get_examples(block.code)
            test = doctest.DocTest(
                examples, {}, name, name, block.line, docstring=block.code
            )
            test.globs = namespace
            report: list[str] = []
            runner = doctest.DocTestRunner(optionflags=FLAGS)
            runner.run(test, out=report.append, clear_globs=False)
            assert not runner.failures, "".join(report)


@pytest.mark.parametrize(
    "path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_code_block_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(path.read_text("utf-8"), str(path))


def test_a_wrong_output_in_a_document_is_found() -> None:
    with pytest.raises(AssertionError, match="Expected:"):
        run("```pycon\n>>> 1 + 1\n3\n```\n", "wrong.md")


def test_a_failing_block_is_found() -> None:
    with pytest.raises(ZeroDivisionError):
        run("```python\n1 / 0\n```\n", "wrong.md")


def test_later_blocks_see_the_names_of_earlier_ones() -> None:
    run("```python\nx = 2\n```\ntext\n```pycon\n>>> x\n2\n```\n", "two.md")


def test_a_block_that_says_why_it_cannot_run_is_left_out() -> None:
    assert blocks_of("```python no-run=needs a cluster\n1 / 0\n```\n") == []


def test_other_languages_are_text() -> None:
    assert blocks_of("```console\n$ rm -rf\n```\n") == []
