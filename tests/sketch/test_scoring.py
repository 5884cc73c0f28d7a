from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from servewatch.sketch.bins import OTHER
from servewatch.sketch.encode import Coded
from servewatch.sketch.scoring import Scoring
from servewatch.sketch.truth import (
    DELAYS,
    OUTCOMES,
    REGRESSION_SUMS,
    SCORE_SUMS,
    SegmentColumn,
    Truth,
)
from tests.sketch.test_truth import CLASSES, NUMBERS

BINARY = Truth(
    task="classification",
    target="y",
    prediction="said",
    classes=("0", "1"),
    scores=("p",),
    score_edges=(0.2, 0.4, 0.6, 0.8),
    calibration_edges=(0.5,),
    segments=(SegmentColumn("city", ("X", "Y")),),
)
NO_DELAY = np.zeros


def some(rows: int = 500, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.random(rows)
    return {
        "p": p,
        "said": (p > 0.5).astype(int),
        "y": (rng.random(rows) < p).astype(int),
        "city": rng.integers(0, 4, rows).astype(np.uint8),
    }


def counted(
    truth: Truth, rows: Mapping[str, Any], phase: float = 0.5
) -> tuple[Scoring, NDArray[np.int64], NDArray[np.float64]]:
    scoring = Scoring(truth)
    records = scoring.records(rows, {"city": rows["city"]}, len(rows["y"]))
    assert records is not None
    labels = scoring.values(rows["y"])
    return scoring, *scoring.labelled(
        records, labels, NO_DELAY(len(records)), phase=phase
    )


def test_the_confusion_is_that_of_scikit_learn() -> None:
    rows = some()

    scoring, counts, _ = counted(BINARY, rows)

    expected = metrics.confusion_matrix(rows["y"], rows["said"])
    assert scoring.cells.of("confusion", counts)[:2, :2].tolist() == expected.tolist()
    assert counts[scoring.cells.cells["confusion"]].sum() == len(rows["y"])


def test_what_scores_said_is_summed_as_scikit_learn_does() -> None:
    rows = some()

    scoring, _, sums = counted(BINARY, rows)

    found = dict(zip(SCORE_SUMS, scoring.cells.sum_of("score", sums), strict=True))
    rows_scored = len(rows["y"])
    assert found["rows"] == rows_scored
    assert found["log_loss"] / rows_scored == pytest.approx(
        metrics.log_loss(rows["y"], rows["p"]), rel=1e-12
    )
    assert found["brier"] / rows_scored == pytest.approx(
        metrics.brier_score_loss(rows["y"], rows["p"]), rel=1e-12
    )


def test_scores_fall_into_bins_by_what_was_true_and_what_was_said() -> None:
    rows = some()

    scoring, counts, sums = counted(BINARY, rows)
    records = scoring.records(rows, {"city": rows["city"]}, 500)
    assert records is not None
    served = scoring.served(records)

    bins = np.searchsorted([0.2, 0.4, 0.6, 0.8], rows["p"])
    by_truth = np.stack(
        [np.bincount(bins[rows["y"] == k], minlength=5) for k in (0, 1)], axis=1
    )
    by_said = np.stack(
        [np.bincount(bins[rows["said"] == k], minlength=5) for k in (0, 1)], axis=1
    )
    assert scoring.cells.of("score:0", counts).tolist() == by_truth.tolist()
    assert scoring.cells.of("served_score:0", served).tolist() == by_said.tolist()
    high = rows["p"] > 0.5
    assert scoring.cells.sum_of("calibration", sums).tolist() == pytest.approx(
        [rows["p"][~high].sum(), rows["p"][high].sum()]
    )


def test_groups_are_told_apart_and_other_values_are_one_more() -> None:
    rows = some()

    scoring, counts, _ = counted(BINARY, rows)

    table = scoring.cells.of("group:city", counts)
    for group in range(3):
        mine = rows["city"] == group if group < 2 else rows["city"] >= 2
        y, said = rows["y"][mine], rows["said"][mine]
        expected = [
            np.sum((said == 1) & (y == 1)),
            np.sum((said == 1) & (y == 0)),
            np.sum((said == 0) & (y == 1)),
            np.sum((said == 0) & (y == 0)),
        ]
        assert table[group, 1].tolist() == expected, (group, OUTCOMES, OTHER)
        assert table[group, 0].tolist() == expected[::-1]


@pytest.mark.parametrize(
    "said",
    [
        [1, 0, 1],
        ["1", "0", "1"],
        [1.0, 0.0, 1.0],
        [True, False, True],
        np.array([1, 0, 1], dtype=np.uint8),
        Coded(np.array([1, 0, 1]), ["0", "1"]),
    ],
    ids=["int", "text", "float", "bool", "array", "coded"],
)
def test_a_class_is_the_same_however_it_is_written(said: object) -> None:
    scoring = Scoring(BINARY)

    records = scoring.records({"said": said, "p": [0.9, 0.1, 0.9]}, {}, 3)  # type: ignore[dict-item]

    assert records is not None
    assert records["class"].tolist() == [1, 0, 1]


def test_what_is_no_class_is_one_never_seen() -> None:
    scoring = Scoring(BINARY)

    records = scoring.records({"said": [7, None, "x"], "p": [0.5] * 3}, {}, 3)

    assert records is not None
    assert records["class"].tolist() == [2, 2, 2]
    assert scoring.codes(["1", "nothing", "true"]).tolist() == [1, 2, 1]


def test_without_a_column_of_classes_the_likeliest_counts() -> None:
    scores_alone = Scoring(CLASSES)
    records = scores_alone.records(
        {"pa": [0.1, 0.6, np.nan], "pb": [0.7, 0.3, 0.5], "pc": [0.2, 0.1, 0.5]}, {}, 3
    )
    one_score = Scoring(BINARY).records({"p": [0.5, 0.49, np.nan]}, {}, 3)

    assert records is not None
    assert one_score is not None
    assert records["class"].tolist() == [1, 0, 3]
    assert one_score["class"].tolist() == [1, 0, 2]
    assert Scoring(BINARY).records({}, {}, 3) is None


def test_a_score_that_is_no_probability_is_left_out_of_what_scores_say() -> None:
    rows = some(4)
    rows["p"] = np.array([0.5, 1.5, -0.1, np.inf])

    scoring, counts, sums = counted(BINARY, rows)

    assert scoring.cells.sum_of("score", sums)[0] == 1
    assert counts[scoring.cells.cells["score:0"]].sum() == 1
    assert counts[scoring.cells.cells["confusion"]].sum() == 4


def test_classes_of_several_scores_equal_scikit_learns_loss() -> None:
    rng = np.random.default_rng(2)
    table = rng.dirichlet([1, 1, 1], 300)
    labels = rng.integers(0, 3, 300)
    rows: dict[str, Any] = {
        name: table[:, k] for k, name in enumerate(("pa", "pb", "pc"))
    }
    rows |= {"y": np.array(["a", "b", "c"])[labels], "city": np.zeros(300, np.uint8)}

    scoring, counts, sums = counted(CLASSES, rows)

    found = dict(zip(SCORE_SUMS, scoring.cells.sum_of("score", sums), strict=True))
    assert found["log_loss"] / 300 == pytest.approx(metrics.log_loss(labels, table))
    assert found["brier"] / 300 == pytest.approx(
        ((table - np.eye(3)[labels]) ** 2).sum(axis=1).mean()
    )
    assert counts[scoring.cells.cells["calibration"]].sum() == 300


def test_errors_of_numbers_are_summed() -> None:
    rng = np.random.default_rng(3)
    y, value = rng.normal(50, 10, 400), rng.normal(50, 9, 400)
    truth = Truth(
        task="regression",
        target="y",
        prediction="p",
        edges=NUMBERS.edges,
        clip=20.0,
        center=50.0,
        scale=10.0,
    )
    rows = {"p": value, "y": y, "city": np.zeros(400, np.uint8)}

    scoring, counts, sums = counted(truth, rows)

    found = dict(zip(REGRESSION_SUMS, scoring.cells.sum_of("error", sums), strict=True))
    error = (y - value) / 10
    assert found["rows"] == 400
    assert found["over"] - found["under"] == pytest.approx(error.sum())
    assert found["over2"] + found["under2"] == pytest.approx((error**2).sum())
    assert found["error4"] == pytest.approx((error**4).sum())
    assert found["y2"] == pytest.approx((((y - 50) / 10) ** 2).sum())
    assert found["error_size"] == pytest.approx((abs(error) * abs(y) / 10).sum())
    assert found["ratio"] == pytest.approx((abs(y - value) / abs(y)).sum())
    loss = np.minimum(abs(y - value), 20) / 20
    assert found["loss2"] == pytest.approx((loss**2).sum())
    assert scoring.cells.of("clipped", counts)[1] == np.floor(loss.sum() + 0.5)
    assert counts[scoring.cells.cells["residual"]].sum() == 400


def test_numbers_that_are_none_are_left_out_and_extremes_stay_finite() -> None:
    rows = {
        "p": np.array([1.0, np.nan, 1e308, -1e308, 0.0]),
        "y": np.array([2.0, 1.0, -1e308, np.inf, 0.0]),
        "city": np.zeros(5, np.uint8),
    }

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scoring, counts, sums = counted(NUMBERS, rows)

    assert np.isfinite(sums).all()
    assert scoring.cells.sum_of("error", sums)[0] == 3
    assert counts[scoring.cells.cells["delay"]].sum() == 5


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_parts_add_up_to_the_whole(cut: int, seed: int) -> None:
    rows = some(31, seed)

    scoring, counts, sums = counted(BINARY, rows)
    parts = [
        counted(BINARY, {name: values[part] for name, values in rows.items()})
        for part in (slice(None, cut), slice(cut, None))
    ]

    together = parts[0][1] + parts[1][1]
    gap = scoring.cells.cells["calibration_gap"]  # drawn anew
    together[gap] = counts[gap]
    assert together.tolist() == counts.tolist()
    assert (parts[0][2] + parts[1][2]).tolist() == pytest.approx(sums.tolist())


def test_a_bounded_loss_counts_as_whole_rows_without_bias() -> None:
    rows = {
        "p": np.array([0.0, 0.0, 0.0]),
        "y": np.array([0.7, 0.5, 0.2]),
        "city": np.array([0, 0, 1], np.uint8),
    }
    truth = Truth(
        task="regression",
        target="y",
        prediction="p",
        edges=NUMBERS.edges,
        clip=1.0,
        segments=NUMBERS.segments,
    )
    phases = (np.arange(1000) + 0.5) / 1000

    found = [counted(truth, rows, float(phase)) for phase in phases]

    hits = [scoring.cells.of("clipped", counts)[1] for scoring, counts, _ in found]
    groups = [
        scoring.cells.of("group:city", counts)[:, 1].tolist()
        for scoring, counts, _ in found
    ]
    assert set(hits) == {1, 2}
    assert np.mean(hits) == pytest.approx(1.4)
    assert np.mean(groups, axis=0).tolist() == pytest.approx([1.2, 0.2, 0.0])


@pytest.mark.parametrize("moved", [0.0, 0.1, -0.1])
def test_labels_are_as_often_below_a_draw_as_above_it_where_scores_are_right(
    moved: float,
) -> None:
    rng = np.random.default_rng(9)
    p = rng.choice([0.2, 0.6, 0.8], 20_000)
    y = (rng.random(20_000) < p + moved).astype(int)
    rows = {"p": p, "said": (p > 0.5).astype(int), "y": y, "city": y.astype(np.uint8)}

    scoring, counts, _ = counted(BINARY, rows, phase=0.25)

    (below, above), (surer, _) = scoring.cells.of("calibration_gap", counts).tolist()
    share = below / (below + above)
    expected = {0.0: (0.49, 0.51), 0.1: (0.3, 0.4), -0.1: (0.6, 0.7)}[moved]
    assert expected[0] < share < expected[1]
    assert surer >= 0


def test_delays_fall_into_their_buckets() -> None:
    scoring = Scoring(BINARY)
    records = scoring.records({"said": [1, 1, 1], "p": [0.5] * 3}, {}, 3)
    assert records is not None

    counts, _ = scoring.labelled(
        records, scoring.codes(["1"] * 3), np.array([0.0, 86400.0, 1e9])
    )

    expected = np.zeros(len(DELAYS) + 1, dtype=int)
    expected[[0, DELAYS.index(86400.0), -1]] = 1
    assert scoring.cells.of("delay", counts).tolist() == expected.tolist()


def test_losses_are_shares() -> None:
    classes, numbers = Scoring(BINARY), Scoring(NUMBERS)
    said = classes.records({"said": [1, 0], "p": [0.5] * 2}, {}, 2)
    value = numbers.records({"p": [1.0, 1.0, 1.0]}, {}, 3)
    assert said is not None
    assert value is not None

    wrong = classes.losses(said, classes.codes(["1", "1"]))
    error = numbers.losses(value, numbers.codes(["2.0", "9.0", "nan"]))

    assert wrong.tolist() == [0.0, 1.0]
    assert error.tolist() == [0.5, 1.0]
