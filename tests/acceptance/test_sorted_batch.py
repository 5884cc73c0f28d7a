"""A file scored at once is one block, in whatever order its rows are."""

from __future__ import annotations

import numpy as np
import pytest

from tests.acceptance.world import Columns, Trace, blocks_of, build, judge_of, serve

FEATURES = 9


def served(rows_a_block: int) -> Trace:
    """Serve a file sorted by one feature, which others follow."""
    rng = np.random.default_rng([125])
    reference, file = (columns(rng, 10_000) for _ in range(2))
    order = np.argsort(np.asarray(file["f0"]))
    live = {name: np.asarray(values)[order] for name, values in file.items()}
    baseline = build(reference)
    return serve(judge_of(baseline), blocks_of(baseline, live, rows_a_block))


def columns(rng: np.random.Generator, rows: int) -> Columns:
    age = rng.normal(size=rows)
    return {
        f"f{k}": 0.7 * age + 0.7 * rng.normal(size=rows) if k else age
        for k in range(FEATURES)
    }


def test_a_sorted_file_as_one_block_is_quiet() -> None:
    assert served(10_000).alarms == []


@pytest.mark.parametrize("rows", [100, 500])
def test_a_sorted_file_cut_into_blocks_would_alarm(rows: int) -> None:
    assert served(rows).alarms != []
