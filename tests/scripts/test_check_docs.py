from pathlib import Path

import pytest

from scripts.check_docs import faults, main


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "other.md").write_text("# The other page\n")
    return tmp_path / "page.md"


@pytest.mark.parametrize(
    "text",
    [
        "[other](other.md)",
        "[other](other.md#the-other-page)",
        "[outside](https://example.com/nowhere)",
        "# A title, with `code`\n[above](#a-title-with-code)",
        "`[code](nowhere.md)`",
        "```python\n[code](nowhere.md)\n```",
    ],
)
def test_a_sound_document_has_no_faults(page: Path, text: str) -> None:
    page.write_text(text)
    assert list(faults(page)) == []


@pytest.mark.parametrize(
    "text",
    [
        "[gone](gone.md)",
        "[gone](other.md#gone)",
        "[gone](#gone)",
        "# Title\n```python\n# gone\n```\n[gone](#gone)",
    ],
)
def test_a_link_that_leads_nowhere_is_named(page: Path, text: str) -> None:
    page.write_text(text)
    (sentence,) = faults(page)
    assert "leads nowhere" in sentence


def test_a_block_without_a_language_is_named_with_its_line(page: Path) -> None:
    page.write_text("text\n```\ncode\n```\n")
    assert list(faults(page)) == [f"{page}:2: the code block names no language"]


def test_the_exit_code_says_whether_anything_is_wrong(page: Path) -> None:
    page.write_text("[gone](gone.md)")
    assert main([str(page.parent)]) == 1
    page.write_text("[other](other.md)")
    assert main([str(page.parent)]) == 0
