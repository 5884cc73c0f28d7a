"""The documents quote the benchmarks' kept results and nothing else."""

from pathlib import Path

import pytest

from load_tests.table import PLACE, results, table, written

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["README.md", "docs/overhead.md"])
def test_the_table_of_results_is_that_of_the_results(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")

    assert PLACE.search(text)
    assert text == written(text, table(results()))
