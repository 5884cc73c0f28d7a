"""Check Markdown without running it: `check_docs.py FILE_OR_FOLDER ...`.

Links to files and headings lead somewhere, and every code block names its language
(what it names decides how tests/docs runs it).
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

FENCE = re.compile(r"^ *```(?P<info>.*)$")
HEADING = re.compile(r"^#{1,6} +(?P<title>.+?) *$")
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
OUTSIDE = re.compile(r"[a-z]+:")  # https:, mailto: are not looked up: no network here


def faults(path: Path) -> Iterator[str]:
    """Yield a sentence for each link that leads nowhere and each unnamed block."""
    for number, line, info in _lines(path):
        if info == "":
            yield f"{path}:{number}: the code block names no language"
        if info is not None:
            continue
        for match in LINK.finditer(re.sub(r"`[^`]*`", "", line)):
            target = match["target"]
            if not OUTSIDE.match(target) and not _exists(path, target):
                yield f"{path}:{number}: {target} leads nowhere"


def _lines(path: Path) -> Iterator[tuple[int, str, str | None]]:
    """Yield number, line, and for an opening fence or code the block's language."""
    language: str | None = None
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        fence = FENCE.match(line)
        if fence and language is None:
            language = fence["info"].strip()
            yield number, line, language
            language = language or "unnamed"
        elif fence:
            language = None
        else:
            yield number, line, language


def _exists(source: Path, target: str) -> bool:
    name, _, anchor = target.partition("#")
    path = source.parent / name if name else source
    if not path.exists():
        return False
    return not anchor or path.suffix != ".md" or anchor in _anchors(path)


def _anchors(path: Path) -> set[str]:
    """Name every heading the way Git forges do."""
    titles = (
        HEADING.match(line) for _, line, language in _lines(path) if language is None
    )
    return {
        re.sub(r"[^\w\- ]", "", title["title"].lower()).replace(" ", "-")
        for title in titles
        if title
    }


def main(places: list[str]) -> int:
    """Print what is wrong; the exit code is 1 if anything is."""
    roots = [Path(place) for place in places]
    paths = sorted(
        path
        for root in roots
        for path in (root.rglob("*.md") if root.is_dir() else [root])
    )
    found = [sentence for path in paths for sentence in faults(path)]
    print(*found, f"documents: {len(paths)} files, {len(found)} faults", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
