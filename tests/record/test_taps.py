"""What the drain counts of rows seen between the steps of a pipeline."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from servewatch.baseline import Baseline
from servewatch.capture.by_hand import record_by_hand
from servewatch.capture.tap import tap
from servewatch.record.drain import Drain
from servewatch.record.recorder import Recorder
from servewatch.record.snapshot import snapshot_features
from servewatch.record.tap_folding import GROUPS
from servewatch.record.totals import OTHER
from servewatch.sketch.bins import cell
from servewatch.sketch.fold import Folder
from servewatch.sketch.stages import STAGES
from tests.record.seen import Seen, drained

NAMES = ["a", "b", "c"]
RNG = np.random.default_rng(21)
ROWS: NDArray[np.float64] = RNG.normal(size=(600, 3))


@cache
def known() -> Baseline:
    wide = RNG.normal(size=(600, 80))
    mixed = {"kind": RNG.choice(["u", "v"], 600), "size": ROWS[:, 0]}
    taps = {
        "named": pd.DataFrame(ROWS, columns=NAMES),
        "numbered": ROWS,
        "one": ROWS[:, 0],
        "wide": wide,
        "mixed": mixed,
    }
    return Baseline.build(dict(zip(NAMES, ROWS.T, strict=True)), taps=taps)


@cache
def grains() -> dict[str, float]:
    """What the numbers of each column of a tap are rounded to, by tap/column."""
    names = [column.name for column in known().content.columns if column.role == "tap"]
    found = [grain for each in known().content.taps for grain in each.grains]
    return {n.removeprefix("tap:"): g for n, g in zip(names, found, strict=True)}


def seen(*given: tuple[str, Any], **options: Any) -> Seen:
    """What a drain makes of values seen at taps, before any of them is known."""
    recorder = Recorder(**options)
    for name, value in given:
        tap(recorder, name, value)
    return drained(recorder, known().layout)


def counts(found: Seen, name: str) -> list[int]:
    """The ordinary bins of a column of a tap."""
    return found.ordinary(f"tap:{name}")


def binned(name: str, values: Any) -> list[int]:
    """The same by hand."""
    bins = known().profiles[f"tap:{name}"].bins
    edges = np.array(getattr(bins, "edges", ()))
    grain = grains()[name]
    values = np.round(np.array(values) / grain) * grain
    places = np.searchsorted(edges, values, side="left")
    return np.bincount(places, minlength=edges.size + 1).tolist()  # type: ignore[no-any-return]


FORMS: list[Any] = [
    ROWS,
    ROWS.astype(object),
    ROWS.tolist(),
    pd.DataFrame(ROWS, columns=NAMES),
    pd.DataFrame(ROWS, columns=NAMES)[["c", "a", "b"]],
    pd.DataFrame(ROWS),
    pl.DataFrame(ROWS, schema=NAMES),
    dict(zip(NAMES, ROWS.T, strict=True)),
    [dict(zip(NAMES, row, strict=True)) for row in ROWS.tolist()],
    sparse.csr_matrix(ROWS),
    sparse.csc_array(ROWS),
    sparse.coo_matrix(ROWS),
]


@pytest.mark.parametrize("value", FORMS)
@pytest.mark.parametrize("rows", [1, 5, 600])
def test_rows_of_any_form_are_counted_alike(value: Any, rows: int) -> None:
    if isinstance(value, sparse.coo_matrix):
        part: Any = sparse.coo_matrix(ROWS[:rows])
    elif isinstance(value, dict):
        part = {name: column[:rows] for name, column in value.items()}
    else:
        part = value[:rows]

    found = seen(("named", part))

    assert not found.totals.internal_errors
    assert not found.totals.taps_refused
    for place, name in enumerate(NAMES):
        assert counts(found, f"named/{name}") == binned(
            f"named/{name}", ROWS[:rows, place]
        )


@pytest.mark.parametrize("value", FORMS)
def test_where_the_baseline_has_no_names_columns_go_by_place(value: Any) -> None:
    if isinstance(value, pd.DataFrame) and list(value.columns) == ["c", "a", "b"]:
        value = value[NAMES]

    found = seen(("numbered", value))

    assert counts(found, "numbered/1") == binned("numbered/1", ROWS[:, 1])


def test_moments_are_those_of_the_rows() -> None:
    found = seen(("named", ROWS[:100]), ("named", ROWS[100:]))

    place = [c.name for c in found.layout.schema.columns].index("tap:named/b")
    number, mean, squares, low, high = found.window.moments[place]
    assert number == 600
    assert mean == pytest.approx(ROWS[:, 1].mean())
    assert squares / number == pytest.approx(ROWS[:, 1].var())
    assert (low, high) == pytest.approx((ROWS[:, 1].min(), ROWS[:, 1].max()))


def test_a_row_at_a_tap_is_no_scored_row_and_no_feature_is_absent() -> None:
    found = seen(("named", ROWS))

    assert found.window.rows == 0
    assert found.totals.accounting()["received"] == 0
    assert found.cells("a") == [0] * len(found.cells("a"))
    assert found.window.counts[found.layout.service("duplicates")].sum() == 0
    assert found.window.reservoir.keys.size == 0


def test_a_scored_row_says_nothing_of_taps() -> None:
    recorder = Recorder()
    record_by_hand(recorder, ROWS)

    found = drained(recorder, known().layout)

    assert found.window.rows == 600
    assert found.classes("a") == 600
    assert found.window.reservoir.codes.shape[1] == 3
    for column in found.layout.schema.columns:
        if column.role == "tap":
            assert sum(found.cells(column.name)) == 0


def test_rows_and_taps_together_are_counted_as_apart() -> None:
    recorder = Recorder()
    record_by_hand(recorder, ROWS)
    tap(recorder, "named", ROWS)
    tap(recorder, "one", ROWS[:, 0])

    both = drained(recorder, known().layout)

    assert both.classes("tap:named/a") == both.classes("tap:one/0") == 600
    assert both.ordinary("a") == both.ordinary("tap:named/a")


def test_a_column_named_like_one_of_a_tap_is_unknown_among_features() -> None:
    recorder = Recorder()
    record_by_hand(recorder, {"a": 1.0, "b": 1.0, "c": 1.0, "tap:named/a": 1.0})

    found = drained(recorder, known().layout)

    assert dict(found.window.unknown) == {"tap:named/a": 1}
    assert found.classes("tap:named/a") == 0


def test_a_named_column_that_is_not_there_is_absent() -> None:
    found = seen(("named", pd.DataFrame(ROWS[:, :2], columns=["a", "other"])))

    assert found.cell("tap:named/b", "absent") == 600
    assert found.cell("tap:named/b", "missing") == 600
    assert found.cell("tap:named/a", "absent") == 0
    assert not found.window.unknown


@pytest.mark.parametrize(
    "value", [ROWS[:, :2], sparse.csr_matrix(ROWS[:, :2]), ROWS[:, :2].tolist()]
)
def test_another_width_without_names_is_refused(value: Any) -> None:
    found = seen(("named", value))

    assert found.totals.taps_refused == {"shape": 600}
    assert found.classes("tap:named/a") == 0


@pytest.mark.parametrize("value", [np.zeros((5, 2, 2)), object()])
def test_what_is_no_table_is_refused(value: Any) -> None:
    refused = seen(("named", value)).totals.taps_refused

    assert list(refused) == ["unsupported"]


def test_a_flat_sequence_is_a_column_or_a_row() -> None:
    found = seen(("one", ROWS[:7, 0]), ("one", [1.0, 2.0]), ("named", [0.1, 0.2, 0.3]))

    assert found.classes("tap:one/0") == 9
    assert found.classes("tap:named/a") == 1
    assert counts(found, "named/c") == binned("named/c", [0.3])


def test_of_a_wide_tap_the_columns_watched_are_counted() -> None:
    (watched,) = (each for each in known().content.taps if each.name == "wide")
    rows = RNG.normal(size=(50, 80))
    places = list(watched.places)

    for value in (rows, sparse.csr_matrix(rows), rows.tolist(), pd.DataFrame(rows)):
        found = seen(("wide", value))
        for place in (places[0], places[-1]):
            name = f"wide/{place}"
            assert counts(found, name) == binned(name, rows[:, place])


def test_categories_and_wrong_types_are_told_apart() -> None:
    rows = [["u", 1.0], ["v", "1"], ["w", None], [None, np.inf]]

    found = seen(("mixed", rows))

    assert found.ordinary("tap:mixed/kind") == [1, 1]
    assert found.cell("tap:mixed/kind", "unseen") == 1
    assert found.cell("tap:mixed/kind", "missing") == 1
    assert found.cell("tap:mixed/size", "type_error") == 1
    assert found.cell("tap:mixed/size", "nonfinite") == 1


def test_taps_that_the_baseline_does_not_know_are_counted_by_few_names() -> None:
    recorder = Recorder()
    for number in range(STAGES + 5):
        tap(recorder, f"t{number}", ROWS)

    totals = drained(recorder, known().layout).totals

    assert len(totals.unknown_taps) == STAGES + 1
    assert totals.unknown_taps[OTHER] == 5 * 600


def test_more_than_fits_is_dropped_and_counted() -> None:
    many = [("named", ROWS[k : k + 1]) for k in range(100)]

    by_rows = seen(*many, buffer_rows=10)
    by_bytes = seen(*many, buffer_bytes=20_000)

    assert by_rows.totals.taps_dropped == 90
    assert by_rows.classes("tap:named/a") == 10
    assert by_bytes.totals.taps_dropped == 100 - by_bytes.classes("tap:named/a")
    assert 10 < by_bytes.classes("tap:named/a") < 20


def test_a_full_buffer_calls_for_the_drain_once_until_it_comes() -> None:
    told: list[int] = []
    recorder = Recorder(buffer_rows=5, on_full=lambda: told.append(1))
    for _ in range(50):
        tap(recorder, "named", ROWS[:1])

    assert len(told) == 1

    drained(recorder, known().layout)
    for _ in range(50):
        tap(recorder, "named", ROWS[:1])
    assert len(told) == 2


def test_a_fork_starts_without_the_rows_of_its_parent() -> None:
    recorder = Recorder()
    tap(recorder, "named", ROWS)
    recorder.after_fork()

    assert recorder.tap_rows.take() == []


def test_kinds_without_end_are_folded_together() -> None:
    many = [
        ("named", {"a": 0.5, "b": 0.5, "c": 0.5, f"extra{k}": 1.0})
        for k in range(3 * GROUPS)
    ]

    found = seen(*many)

    assert found.classes("tap:named/a") == 3 * GROUPS


def test_one_that_cannot_be_counted_harms_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fold = Folder.fold_matrix

    def failing(self: Any, window: Any, matrix: Any, *rest: Any) -> None:
        if (matrix == 77.0).any():
            raise RuntimeError("cannot")
        fold(self, window, matrix, *rest)

    monkeypatch.setattr(Folder, "fold_matrix", failing)
    bad = np.full((1, 3), 77.0)
    found = seen(("named", ROWS[:2]), ("named", bad), ("named", ROWS[2:4]))

    assert found.classes("tap:named/a") == 4
    assert found.totals.taps_refused == {"internal": 1}
    assert found.totals.internal_errors == {"taps": 1}


def test_a_drain_tells_which_taps_are_known() -> None:
    recorder = Recorder()
    Drain(recorder, known().layout, rng=np.random.default_rng(1))

    taps = frozenset({"named", "numbered", "one", "wide", "mixed"})
    assert recorder.tap_rows.known == taps


def test_windows_with_taps_add_up() -> None:
    one, other = seen(("named", ROWS[:200])), seen(("named", ROWS[200:]))

    merged = one.window.merge(other.window)

    whole = seen(("named", ROWS))
    assert (merged.counts == whole.window.counts).all()


def test_the_rows_of_training_are_counted_as_the_baseline_counts_them() -> None:
    frame = pd.DataFrame(
        {"price": RNG.normal(9, 2, 900), "shop": RNG.choice(list("uvw"), 900)}
    )
    encode = ColumnTransformer(
        [("n", StandardScaler(), ["price"]), ("s", OneHotEncoder(), ["shop"])],
        sparse_threshold=1.0,
    )
    pipe = Pipeline([("encode", encode), ("model", LogisticRegression())])
    pipe.fit(frame, frame.price > 9)
    baseline = Baseline.build(frame, pipeline=pipe)
    recorder = Recorder()

    for start in range(0, 900, 90):
        tap(recorder, "encode", encode.transform(frame[start : start + 90]))
    found = drained(recorder, baseline.layout)

    for column in baseline.content.columns:
        if column.role == "tap":
            assert found.cells(column.name)[: cell(column.bins, "absent")] == list(
                column.counts[: cell(column.bins, "absent")]
            )


def test_what_waits_is_what_was_appended() -> None:
    recorder = Recorder()
    snapshot = snapshot_features(ROWS, 8192)
    recorder.tap_rows.append(("named", snapshot))

    assert recorder.tap_rows.take() == [("named", snapshot)]
