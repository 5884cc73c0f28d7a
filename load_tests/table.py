"""Write the benchmarks' kept results into the documents that quote them.

    python load_tests/table.py docs/overhead.md README.md

A group's table goes between `<!-- table: GROUP -->` and `<!-- end -->`, all groups'
short lines where GROUP is `short`, and a single figure between `<!-- {NAME.FIGURE:.1f}
-->` and `<!-- end -->`. A test holds the documents to the results.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PLACE = re.compile(r"(<!-- table: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
FIGURE = re.compile(r"(<!-- \{(\w+)\.(\w+):([^}]*)\} -->)[^<]*(<!-- end -->)")

if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))

from load_tests.row import Row  # noqa: E402 - this may be run by its path
from load_tests.rows import GROUPS  # noqa: E402

Results = Mapping[str, Mapping[str, float]]


def results() -> Results:
    """Give every benchmark's figures by name."""
    kept = [json.loads(path.read_text("utf-8")) for path in RESULTS.glob("*.json")]
    return {each["benchmark"]: each["figures"] for each in kept}


def table(name: str, found: Results) -> str:
    """Give one group's table, or the short one; a line for each that was measured."""
    if name == "short":
        rows = [row for group in GROUPS.values() for row in group if row.short]
        head: tuple[str, ...] = ("What", "Cost", "Control in the same run")
        return _lines(
            head, (_cells(row, found)[:3] for row in rows if _kept(row, found))
        )
    head = ("What", "Cost", "Control in the same run", "Target")
    return _lines(
        head, (_cells(row, found) for row in GROUPS[name] if _kept(row, found))
    )


def written(text: str, found: Results) -> str:
    """Give *text* with every table and figure in its place.

    >>> written("<!-- {tail.p99:.1f} --> ? µs<!-- end -->", {"tail": {"p99": 2.04}})
    '<!-- {tail.p99:.1f} -->2.0<!-- end -->'
    """
    text = PLACE.sub(lambda at: at[1] + table(at[2], found) + at[3], text)
    return FIGURE.sub(
        lambda at: f"{at[1]}{format(found[at[2]][at[3]], at[4])}{at[5]}", text
    )


def _kept(row: Row, found: Results) -> bool:
    return row.benchmark in found


def _cells(row: Row, found: Results) -> tuple[str, ...]:
    figures = found[row.benchmark]
    return (
        row.what.format(**figures),
        row.cost.format(**figures),
        row.control.format(**figures),
        row.target,
    )


def _lines(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main(paths: list[str]) -> None:
    """Write the tables into the documents at *paths*, or print them."""
    found = results()
    if not paths:
        for name in (*GROUPS, "short"):
            print(f"{name}\n\n{table(name, found)}")
    for path in map(Path, paths):
        path.write_text(written(path.read_text("utf-8"), found), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
