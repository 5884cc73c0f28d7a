"""What the evidence must not depend on, and what it must grow with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from servewatch.config import Config
from servewatch.judge.evidence import Evidence
from servewatch.judge.panel import DRIFT, Panel
from tests.acceptance.world import Columns, blocks_of, build, judge_of, serve
from tests.judge.made import levels, value_stream

Floats = NDArray[np.float64]
ROWS = 1000


def trace(reference: Columns, live: Columns, name: str) -> Floats:
    baseline = build(reference)
    found = serve(judge_of(baseline), blocks_of(baseline, live)).of(name)
    return np.concatenate([found.warning_logs, found.drift_logs])


@pytest.mark.parametrize("change", [np.exp, np.cbrt, lambda x: 32 + 1.8 * x])
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), shift=st.floats(0, 1))
def test_a_monotone_transform_of_a_feature_changes_nothing(
    change: Callable[[Floats], Floats], seed: int, shift: float
) -> None:
    rng = np.random.default_rng(seed)
    # On a grid of thousandths, so that no two values meet in the transform.
    reference = np.round(rng.normal(size=ROWS), 3)
    live = np.round(rng.normal(shift, size=ROWS), 3)

    plain = trace({"x": reference}, {"x": live}, "x")
    changed = trace({"x": change(reference)}, {"x": change(live)}, "x")

    np.testing.assert_array_equal(plain, changed)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(list("abcde")))
def test_renaming_categories_changes_nothing(seed: int, order: list[str]) -> None:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(5), 2)
    renamed = dict(zip("abcde", order, strict=True))
    reference, live = (rng.choice(list("abcde"), p=p, size=ROWS) for p in shares)
    if set(reference) != set("abcde"):
        return  # an unseen letter would have no name to swap with

    plain = trace({"x": reference}, {"x": live}, "x")
    changed = trace(
        {"x": np.array([renamed[v] for v in reference])},
        {"x": np.array([renamed[v] for v in live])},
        "x",
    )

    np.testing.assert_allclose(plain, changed, rtol=0, atol=1e-9)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), workers=st.integers(2, 5))
def test_workers_whose_counts_are_merged_first_see_what_one_would(
    seed: int, workers: int
) -> None:
    rng = np.random.default_rng(seed)
    baseline = build({"x": rng.normal(size=ROWS)})
    live = rng.normal(0.3, size=100)
    whole = next(iter(blocks_of(baseline, {"x": live})))
    parts = [
        next(iter(blocks_of(baseline, {"x": part})))
        for part in np.array_split(rng.permutation(live), workers)
    ]

    merged = np.sum([part.counts for part in parts], axis=0)

    np.testing.assert_array_equal(merged, whole.counts)


def last_evidence(blocks: list[list[int]], cap_nats: float = 2.0) -> Floats:
    """Give R of the upward set {b >= 1} of two bins after *blocks*."""
    panel = Panel([value_stream([600, 400], bins=levels(2))], 2, Config(), 1)
    evidence = Evidence(panel, DRIFT, patience=1e3, cap_nats=cap_nats)
    for number, cells in enumerate(blocks):
        hits, rows = panel.count(np.array(cells))
        evidence.update(hits, rows, np.ones(1), at=0.0, block=number)
    return np.asarray(evidence.ratios[1])


BLOCKS = st.lists(st.integers(0, 50), min_size=1, max_size=20)


@given(hits=BLOCKS, place=st.integers(0, 19), more=st.integers(1, 50))
def test_evidence_grows_with_the_rows_in_its_set(
    hits: list[int], place: int, more: int
) -> None:
    increased = list(hits)
    place %= len(hits)
    increased[place] = min(50, increased[place] + more)

    low, high = (
        last_evidence([[50 - s, s] for s in part], cap_nats=100.0)
        for part in (hits, increased)
    )

    assert (high >= low * (1 - 1e-12)).all()


@given(hits=BLOCKS)
def test_capped_evidence_never_exceeds_the_uncapped(hits: list[int]) -> None:
    blocks = [[50 - s, s] for s in hits]

    capped, free = last_evidence(blocks, 0.0), last_evidence(blocks, 200.0)

    assert (capped <= free).all()


def test_the_order_of_columns_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, ROWS))
    live = {"a": rng.normal(0.3, size=ROWS), "b": rng.normal(size=ROWS)}

    one = trace({"a": a, "b": b}, live, "a")
    other = trace({"b": b, "a": a}, live, "a")

    np.testing.assert_array_equal(one, other)
