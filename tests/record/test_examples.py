"""Which requests are kept as examples, and which of them a question finds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from time import thread_time
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy import sparse

from servewatch.record.drain import Drain
from servewatch.record.examples import (
    DRAIN_ROWS,
    DRAIN_SECONDS,
    KEPT_ROWS,
    LOOKED_AT,
    OWED_DRAINS,
    Example,
    Examples,
)
from servewatch.record.lane import Lanes
from servewatch.record.observation import NANO, Call, Exchange
from servewatch.record.recorder import Recorder
from servewatch.record.snapshot import snapshot_features, snapshot_prediction
from servewatch.record.totals import Totals
from servewatch.schema import Column, Schema
from servewatch.sketch.bins import EdgeBins, LevelBins, cell, width
from servewatch.sketch.layout import NO_COLUMNS, Layout
from servewatch.sketch.taps import Tap
from servewatch.sketch.window import Window
from tests.record.seen import COLORS, EDGES, LAYOUT, NUMBERS

TRACE = "0af7651916cd43dd8448eb211c80319c"
SCORED = Layout(
    Schema((Column("a", "numeric"), Column("score", "numeric", "prediction"))),
    (EDGES, EDGES),
)


class Kept:
    """Examples under a clock that the test moves."""

    def __init__(self, layout: Layout, shares: NDArray[np.float64] | None = None):
        self.lanes, self.totals, self.now = Lanes(), Totals(), 100.0
        self.layout = layout
        self.examples = Examples(
            layout,
            self.lanes,
            self.totals,
            rng=np.random.default_rng(7),
            shares=shares,
            clock=lambda: self.now,
        )

    def lane(
        self, name: str, features: Sequence[float], *, seconds: float = 0.1
    ) -> Exchange:
        """One row of numbers, as the request path leaves it."""
        raw = np.array(features)
        lane = self.lanes.open("predict", raw.dtype, raw.nbytes, np.dtype(float), 1)
        assert lane is not None
        row = (lane.number, raw.tobytes(), 0.5, 1000)
        return served(name, seconds=seconds)._replace(row=row)

    def called(self, name: str, features: Any, prediction: Any = None) -> Exchange:
        """Any other call."""
        kept = snapshot_features(features, 8192)
        answer = None
        if prediction is not None:
            answer = snapshot_prediction(prediction, kept, 8192)
        return served(name)._replace(
            calls=[Call(kept, answer, "predict", 0.01, id=name)]
        )

    def drain(self, *exchanges: Exchange) -> None:
        self.now += 1.0
        self.examples._owed = 0.0  # these drains cost more than a second's share
        self.examples.note(exchanges)
        assert not self.totals.internal_errors

    def ids(self, column: str, *names: str | int, since: float | None = None) -> Any:
        """The examples of cells, ordinary ones by number, others by name."""
        place = self.layout.schema.columns.index(self.layout.schema.by_name[column])
        bins = self.layout.bins[place]
        mask = np.zeros(width(bins), dtype=bool)
        for name in names:
            mask[name if isinstance(name, int) else cell(bins, name)] = True
        return [each.id for each in self.examples.from_cells(column, mask, since)]


def served(name: str, *, seconds: float = 0.1) -> Exchange:
    took = round(seconds * NANO)
    raw = name.encode()
    return Exchange("/p", "POST", 200, took, 0, "ok", name=raw, trace=TRACE)


def test_the_slowest_request_is_found_with_its_trace() -> None:
    kept = Kept(NO_COLUMNS)

    kept.drain(served("a", seconds=0.2), served("b", seconds=0.9), served("c"))
    kept.drain(served("d", seconds=0.3))

    assert kept.examples.slowest(None) == Example("b", TRACE, 101.0, 0.9)
    assert kept.examples.slowest(102.0) == Example("d", TRACE, 102.0, 0.3)
    assert kept.examples.slowest(102.5) is None


def test_without_a_baseline_there_is_nothing_but_the_slowest() -> None:
    kept = Kept(NO_COLUMNS)

    kept.drain(kept.lane("a", [1.0, 2.0]))

    assert kept.examples.extreme(None) is None
    assert kept.examples.from_cells("a", np.ones(9, bool), None) == []
    assert kept.examples.slowest(None) is not None


def test_requests_of_cells_come_newest_first_and_at_most_three() -> None:
    kept = Kept(NUMBERS)
    for number in range(5):
        kept.drain(
            kept.lane(f"low{number}", [-0.5, 1.5]), kept.lane(f"high{number}", [5, 5])
        )

    assert kept.ids("a", 0) == ["low4", "low3", "low2"]
    assert kept.ids("a", 3, since=105.0) == ["high4"]
    assert kept.ids("b", 1) == []


def test_a_value_out_of_range_is_in_its_cell_and_beside_it() -> None:
    kept = Kept(NUMBERS)
    kept.drain(kept.lane("in", [5.0, 0.0]), kept.lane("out", [500.0, 0.0]))

    assert kept.ids("a", "out_of_range") == ["out"]
    assert sorted(kept.ids("a", 3)) == ["in", "out"]


def test_odd_values_are_found_by_their_special_cells() -> None:
    kept = Kept(LAYOUT)
    good = {"a": 0.5, "b": 0.5, "color": "red"}
    kept.drain(
        kept.called("good", good),
        kept.called("none", {**good, "a": None}),
        kept.called("text", {**good, "a": "7"}),
        kept.called("infinite", {**good, "a": np.inf}),
        kept.called("blue", {**good, "color": "blue"}),
    )
    kept.drain(kept.called("lacking", {"b": 0.5, "color": "green"}))

    assert kept.ids("a", "missing") == ["lacking", "none"]
    assert kept.ids("a", "absent") == ["lacking"]
    assert kept.ids("a", "type_error") == ["text"]
    assert kept.ids("a", "nonfinite") == ["infinite"]
    assert kept.ids("color", "unseen") == ["blue"]
    assert kept.ids("color", 1) == ["lacking"]


def test_a_prediction_that_was_not_made_is_in_no_cell() -> None:
    kept = Kept(SCORED)
    kept.drain(kept.called("both", [[0.5]], [1.5]), kept.called("features", [[0.5]]))

    assert sorted(kept.ids("a", 1)) == ["both", "features"]
    assert kept.ids("score", *range(width(EDGES))) == ["both"]


@pytest.mark.parametrize(
    "make",
    [
        np.asarray,
        list,
        lambda rows: [dict(zip("ab", row, strict=True)) for row in rows],
        lambda rows: [{"b": y, "a": x} if y else {"a": x} for x, y in rows],
        lambda rows: {"a": [x for x, _ in rows], "b": [y for _, y in rows]},
        lambda rows: pd.DataFrame(rows, columns=["a", "b"]),
        lambda rows: pl.DataFrame(rows, schema=["a", "b"], orient="row"),
        lambda rows: pa.table({"a": [x for x, _ in rows], "b": [y for _, y in rows]}),
        lambda rows: sparse.csr_array(np.array(rows)),
    ],
    ids=[
        "array",
        "rows",
        "dicts",
        "odd",
        "columns",
        "pandas",
        "polars",
        "arrow",
        "sparse",
    ],
)
@pytest.mark.parametrize("rows", [1, 400])
def test_one_row_of_a_batch_of_any_form_is_kept(make: Any, rows: int) -> None:
    kept = Kept(NUMBERS)

    kept.drain(kept.called("batch", make([(0.5, 1.5)] * rows)))

    assert kept.examples._noted == 1
    assert kept.ids("a", 1) == ["batch"]
    assert kept.ids("b", 2) == ["batch"]


def test_the_row_of_a_batch_is_drawn() -> None:
    kept = Kept(NUMBERS)
    batch = np.repeat([[-0.5, 0.0], [1.5, 0.0]], 50, axis=0)

    for number in range(20):
        kept.drain(kept.called(str(number), batch))

    low = sum(kept.examples._codes[:20, 0] == 0)
    assert 3 <= low <= 17  # 99.9 % of binomial(20, 1/2)


def test_codes_are_those_that_the_window_counts() -> None:
    rng = np.random.default_rng(3)
    bins = (EDGES, LevelBins((0.0, 1.0, 2.0)))
    layout = Layout(Schema((Column("a", "numeric"), Column("n", "numeric"))), bins)
    rows = np.column_stack([rng.normal(scale=8, size=60), rng.integers(0, 4, 60)])
    rows[::7, 0], rows[::11, 1] = np.nan, np.inf
    kept = Kept(layout)
    exchanges = [kept.lane(str(k), row.tolist()) for k, row in enumerate(rows)]
    recorder = Recorder()
    recorder.lanes = kept.lanes
    for exchange in exchanges:
        recorder.record_exchange(tuple(exchange))
    drain, window = Drain(recorder, layout, rng=rng), Window.empty(layout, 0.0, 10.0)
    drain.examples = kept.examples

    drain.into(window)

    for column in ("a", "n"):
        found = np.zeros(
            width(bins[layout.schema.columns.index(layout.schema.by_name[column])])
        )
        place = ["a", "n"].index(column)
        codes, beside = (
            kept.examples._codes[:60, place],
            kept.examples._beside[:60, place],
        )
        found += np.bincount(codes, minlength=found.size)
        found[cell(bins[place], "out_of_range")] = np.count_nonzero(beside)
        assert found.tolist() == window.counts[layout.spans[column]].tolist()


def test_the_least_likely_row_is_the_most_extreme() -> None:
    # cells: (.., 0], (0, 1], (1, 2], (2, ..), four specials, out of range, absent
    usual = [0.1, 0.6, 0.25, 0.05, 0.0, 0.0, 0.0, 0.0, 0.001, 0.0]
    kept = Kept(NUMBERS, np.array(usual * 2))
    kept.drain(
        kept.lane("usual", [0.5, 0.5]),
        kept.lane("one tail", [3.0, 0.5]),  # -ln 0.05 - ln 0.6 = 3.51
        kept.lane("both low", [-1.0, -1.0]),  # -2 ln 0.1 = 4.61
    )
    assert kept.examples.extreme(None) == Example("both low", TRACE, 101.0, 0.1)

    kept.drain(kept.lane("out of range", [300.0, 0.5]))  # -ln 0.001 - ln 0.6 = 7.42

    found = kept.examples.extreme(None)
    assert found is not None
    assert found.id == "out of range"
    assert kept.examples.extreme(103.0) is None


def test_shares_of_another_layout_are_refused() -> None:
    with pytest.raises(ValueError, match="expected the shares of 20 cells, found 3"):
        Kept(NUMBERS, np.ones(3))


def test_a_mask_of_too_many_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' has 10 cells, found 11"):
        Kept(NUMBERS).examples.from_cells("a", np.ones(11, bool), None)


def test_of_a_busy_drain_some_are_drawn_uniformly_and_the_slowest_stays() -> None:
    kept = Kept(NUMBERS)
    exchanges = [kept.lane(str(k), [0.5, 0.5]) for k in range(1000)]
    slowest = kept.lane("slowest", [0.5, 0.5], seconds=9.0)
    drawn: list[int] = []
    for _ in range(40):
        kept.drain(*exchanges, slowest)
        names = [
            each.id for each in kept.examples._ring if each and each.at == kept.now
        ]
        assert len(names) == len(set(names)) == DRAIN_ROWS + 1
        assert "slowest" in names
        drawn += [int(name) for name in names if name and name != "slowest"]

    counts, _ = np.histogram(drawn, bins=10, range=(0, 1000))
    expected = len(drawn) / 10
    # chi-squared with 9 degrees of freedom: 99.9 % lie below 27.9
    assert ((counts - expected) ** 2 / expected).sum() < 27.9


def test_memory_is_bounded_whatever_comes() -> None:
    kept = Kept(NUMBERS)
    exchanges = [kept.lane(str(k), [0.5, 0.5]) for k in range(3 * LOOKED_AT)]
    for _ in range(30):
        kept.drain(*exchanges)

    assert len(kept.examples._ring) == len(kept.examples._codes) == KEPT_ROWS
    assert kept.examples._noted == 30 * (DRAIN_ROWS + 1)


def test_rows_that_do_not_fit_are_passed_over() -> None:
    kept = Kept(NUMBERS)

    kept.drain(
        kept.lane("wide", [1.0, 2.0, 3.0]),
        kept.called("none", np.empty((0, 2))),
        kept.called("odd", object()),
        kept.called("fits", [[0.5, 0.5]]),
    )

    assert [each.id for each in kept.examples._ring if each] == ["fits"]


def test_a_row_that_cannot_be_read_costs_no_other() -> None:
    kept = Kept(NUMBERS)
    broken = served("broken")._replace(row=(99, b"", 0.5, 1))

    kept.examples.note([broken, kept.called("fits", [[0.5, 0.5]])])

    assert kept.totals.internal_errors["examples"] == 1
    assert kept.ids("a", 1) == ["fits"]


def test_an_id_of_the_callers_own_is_told() -> None:
    kept = Kept(NUMBERS)
    exchange = kept.called("order-7", [[0.5, 0.5]])._replace(name=b"request")

    kept.drain(exchange)

    assert kept.ids("a", 1) == ["order-7"]


def test_what_taps_see_is_no_part_of_a_row() -> None:
    columns = (*NUMBERS.schema.columns, Column("tap:scaled/a", "numeric", "tap"))
    usual = [0.1, 0.6, 0.25, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    layout = Layout(Schema(columns), (EDGES,) * 3, taps=(Tap("scaled", 2, (0,)),))
    kept = Kept(layout, np.array(usual * 2))

    kept.drain(kept.lane("a", [0.5, 0.5]), kept.lane("b", [0.5, 9.0]))

    assert kept.ids("b", 3) == ["b"]
    assert kept.ids("tap:scaled/a", *range(width(EDGES))) == []
    extreme = kept.examples.extreme(None)
    assert extreme is not None
    assert extreme.id == "b"


def test_predictions_alone_are_kept_where_the_baseline_has_no_feature() -> None:
    layout = Layout(Schema((Column("score", "numeric", "prediction"),)), (EDGES,))
    kept = Kept(layout)

    kept.drain(kept.called("a", "some prompt", 1.5), kept.lane("b", [7.0, 7.0, 7.0]))

    assert kept.ids("score", 2) == ["a"]
    assert kept.ids("score", 1) == ["b"]


def test_a_drain_takes_no_more_than_its_time_on_average() -> None:
    columns = [Column(f"x{k}", "numeric") for k in range(20)]
    columns += [Column(f"c{k}", "categorical") for k in range(20)]
    bins = (EdgeBins((0.0, 1.0), -9, 9),) * 20 + (COLORS,) * 20
    kept = Kept(Layout(Schema(tuple(columns)), bins))
    row: dict[str, Any] = {f"x{k}": 0.5 for k in range(20)}
    row |= {f"c{k}": "red" for k in range(20)}
    exchanges = [kept.called(str(k), row) for k in range(5000)]
    drains = 300
    kept.examples.note(exchanges)  # imports, and is not counted

    began = thread_time()
    for _ in range(drains):
        kept.examples.note(exchanges)
    spent = thread_time() - began

    assert kept.examples._noted > 2 * DRAIN_ROWS  # some drains did keep rows
    assert len(kept.examples._slowest) == drains + 1  # and all their slowest request
    # What is owed is paid off before more is spent: one drain's rows may be over.
    assert spent <= (drains + OWED_DRAINS) * DRAIN_SECONDS


def test_a_child_starts_without_the_examples_of_its_parent() -> None:
    kept = Kept(NUMBERS)
    kept.drain(kept.lane("a", [0.5, 0.5]))

    child = os.fork()
    if not child:
        is_empty = kept.examples.slowest(None) is None and not kept.ids("a", 1)
        os._exit(0 if is_empty else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert kept.ids("a", 1) == ["a"]
