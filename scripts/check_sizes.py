"""Hold modules and functions to their ceilings: `check_sizes.py FOLDER ...`.

A module past its ceiling holds a second idea; a function past its own hides a name.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

MODULE_LINES = 300
FUNCTION_LINES = 60


def oversized(path: Path) -> Iterator[str]:
    """Yield a sentence for the module at *path* and each function that is too long."""
    text = path.read_text(encoding="utf-8")
    lines = len(text.splitlines())
    if lines > MODULE_LINES:
        yield (
            f"{path}: {lines} lines, at most {MODULE_LINES}: look for the second idea"
        )
    for node in ast.walk(ast.parse(text, str(path))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES:
            yield (
                f"{path}:{node.lineno}: {node.name} has {length} lines,"
                f" at most {FUNCTION_LINES}: name its parts"
            )


def main(folders: list[str]) -> int:
    """Print what is too long; the exit code is 1 if anything is."""
    paths = sorted(path for folder in folders for path in Path(folder).rglob("*.py"))
    if not paths:
        print(f"no Python file in {folders}", file=sys.stderr)
        return 2
    found = [sentence for path in paths for sentence in oversized(path)]
    print(*found, f"sizes: {len(paths)} files, {len(found)} too long", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
