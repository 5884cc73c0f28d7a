import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import distance

from servewatch.labels.group_rates import Counted
from servewatch.labels.selection import Selection, median_delay, selection
from servewatch.sketch.truth import DELAYS, Truth, TruthCells
from tests.labels.grouped import (
    Rows,
    classes_truth,
    counted,
    errors_truth,
    nothing,
    unequal,
)

SCORED = classes_truth(scores=("s",))
Marks = NDArray[np.bool_]


def scored(rows: int, seed: int) -> Rows:
    drawn = unequal(rows, seed)
    rng = np.random.default_rng(seed)
    return replace(drawn, score=rng.beta(1 + drawn.label, 2 - drawn.label))


def regressed(rows: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    label = rng.normal(0, 1, rows)
    group = rng.integers(0, 3, rows).astype(np.uint8)
    return Rows(group, label + rng.normal(size=rows), label)


def found_of(truth: Truth, counts: Counted) -> Selection:
    return selection(TruthCells(truth), *counts)


def drawn(rows: int, share: float, seed: int) -> Marks:
    return np.random.default_rng(1000 + seed).random(rows) < share


def test_coverage_is_labelled_over_served() -> None:
    labelled = drawn(800, 0.25, 1)

    found = found_of(SCORED, counted(SCORED, scored(800, 1), labelled=labelled))

    assert (found.labelled, found.served) == (labelled.sum(), 800)
    assert found.coverage == labelled.mean()


def test_distances_are_those_of_labelled_and_served_shares() -> None:
    rows, labelled = scored(800, 2), drawn(800, 0.3, 2)

    found = found_of(SCORED, counted(SCORED, rows, labelled=labelled)).distances

    assert rows.score is not None
    score = np.searchsorted(SCORED.score_edges, rows.score)
    for name, values in (
        ("prediction", rows.prediction),
        ("segment city", rows.group),
        ("score s", score),
    ):
        everything, known = (
            np.bincount(chosen, minlength=4) / chosen.size
            for chosen in (values.astype(np.int64), values[labelled].astype(np.int64))
        )
        assert found[name]["js"].value == pytest.approx(
            distance.jensenshannon(everything, known, 2), abs=1e-6
        )
        assert set(found[name]) == {"js", "psi"}


def test_labels_of_some_predictions_only_are_told() -> None:
    rows = scored(4000, 3)
    labelled = drawn(4000, 0.1, 3) | (rows.prediction == 1)

    found = found_of(SCORED, counted(SCORED, rows, labelled=labelled))

    assert found.differs[0] == "prediction"
    assert found.distances["prediction"]["js"].debiased > 0.1


def test_labels_of_some_groups_only_are_told() -> None:
    rows = regressed(4000, 4)
    labelled = drawn(4000, 0.1, 4) | (rows.group == 2)
    truth = errors_truth()

    found = found_of(truth, counted(truth, rows, labelled=labelled))

    assert found.differs == ("segment city",)


def test_labels_of_high_predictions_only_are_told_of_a_regression() -> None:
    rows = regressed(4000, 5)
    labelled = drawn(4000, 0.1, 5) | (rows.prediction > 1)
    truth = errors_truth()

    found = found_of(truth, counted(truth, rows, labelled=labelled))

    assert found.differs == ("prediction",)


@pytest.mark.parametrize("truth", [SCORED, errors_truth()], ids=["classes", "numbers"])
def test_labels_that_come_at_random_differ_no_more_often_than_noise(
    truth: Truth,
) -> None:
    runs, differing, comparisons = 150, 0, 0
    for seed in range(runs):
        rows = scored(600, seed) if truth is SCORED else regressed(600, seed)
        found = found_of(truth, counted(truth, rows, labelled=drawn(600, 0.2, seed)))
        differing += len(found.differs)
        comparisons += len(found.distances)

    # noise is the 99 % quantile; 0.03 is 4 standard errors above its 1 %
    assert differing / comparisons <= 0.03


def test_without_labels_nothing_is_compared() -> None:
    counts = counted(SCORED, scored(100, 6), labelled=np.zeros(100, np.bool_))

    found = found_of(SCORED, counts)

    assert (found.labelled, found.coverage) == (0, 0.0)
    assert found.median_delay_seconds is None
    assert (found.distances, found.differs) == ({}, ())


@pytest.mark.parametrize("truth", [SCORED, errors_truth()], ids=["classes", "numbers"])
def test_without_rows_coverage_is_not_known(truth: Truth) -> None:
    found = found_of(truth, nothing(truth))

    assert found.coverage is None
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["served"] == 0


def test_the_median_delay_is_that_of_labels_within_its_bucket() -> None:
    rng = np.random.default_rng(7)
    rows, delays = scored(5000, 7), rng.uniform(0, 6000.0, 5000)

    found = found_of(SCORED, counted(SCORED, rows, delays=delays))

    # evenly spread in its bucket, 32 minutes to an hour, as is assumed
    assert found.median_delay_seconds == pytest.approx(np.median(delays), rel=0.03)


@pytest.mark.parametrize(
    ("cells", "seconds"),
    [
        ({0: 3}, 30.0),
        ({0: 1, 1: 1}, 60.0),
        ({2: 1, 3: 3}, 240.0 + 240.0 / 3),
        ({len(DELAYS): 5}, DELAYS[-1]),
        ({0: 4, len(DELAYS): 1}, 60.0 * 2.5 / 4),
    ],
)
def test_medians_of_worked_examples(cells: dict[int, int], seconds: float) -> None:
    counts = np.zeros(len(DELAYS) + 1, np.int64)
    for place, rows in cells.items():
        counts[place] = rows

    assert median_delay(counts) == pytest.approx(seconds)
