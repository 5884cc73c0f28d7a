"""The documents quote the benchmarks' kept results and nothing else."""

from pathlib import Path

import pytest

from load_tests.rows import GROUPS
from load_tests.table import PLACE, results, written

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["README.md", "docs/overhead.md"])
def test_figures_are_those_of_the_results(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")

    assert PLACE.search(text)
    assert text == written(text, results())


def test_the_page_on_overhead_shows_every_group() -> None:
    text = (ROOT / "docs/overhead.md").read_text("utf-8")

    assert [at[2] for at in PLACE.finditer(text)] == list(GROUPS)


def test_the_table_of_the_readme_stays_short() -> None:
    assert sum(row.short for group in GROUPS.values() for row in group) <= 10


def test_a_line_takes_its_figures_by_name() -> None:
    text = "<!-- {tail.p99_us:.1f} -->?<!-- end -->"

    found = written(text, {"tail": {"p99_us": 2.04}})

    assert found == "<!-- {tail.p99_us:.1f} -->2.0<!-- end -->"
