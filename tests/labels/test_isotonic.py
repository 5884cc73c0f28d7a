import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from servewatch.labels.calibrated import calibrate, centres
from servewatch.labels.isotonic import pool
from servewatch.sketch.truth import Truth, TruthCells
from tests.labels.scored import cells_by_hand

BINS = st.lists(
    st.tuples(st.floats(-10, 10), st.floats(0.01, 1000)), min_size=1, max_size=60
)
TABLES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=40
).filter(lambda table: any(map(any, table)))


@given(bins=BINS)
def test_pooled_values_are_those_of_scikit_learn(
    bins: list[tuple[float, float]],
) -> None:
    values, weights = np.array(bins).T

    found = pool(values, weights)

    model = IsotonicRegression()
    golden = model.fit_transform(np.arange(values.size), values, sample_weight=weights)
    assert found.values == pytest.approx(golden, abs=1e-9)


@given(bins=BINS)
def test_a_block_has_one_value_and_the_weight_of_its_bins(
    bins: list[tuple[float, float]],
) -> None:
    values, weights = np.array(bins).T

    found = pool(values, weights)

    assert np.array_equal(np.diff(found.values) > 0, np.diff(found.block) > 0)
    assert found.weights == pytest.approx(np.bincount(found.block, weights))


def test_a_bin_without_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="leave empty ones out"):
        pool(np.array([0.0, 1.0]), np.array([1.0, 0.0]))


@given(table=TABLES)
def test_calibrated_probabilities_are_those_of_scikit_learn_in_empty_bins_too(
    table: list[tuple[int, int]],
) -> None:
    rows = [list(each) for each in table]
    cells, reference, _ = cells_by_hand(rows)

    found = calibrate(cells, reference).probability[0, :, 1]

    middle = centres(cells.truth.score_edges)
    scores = np.repeat(middle, 2)
    labels = np.tile([0, 1], middle.size)
    model = IsotonicRegression(out_of_bounds="clip")
    model.fit(scores, labels, sample_weight=np.ravel(rows))
    assert found == pytest.approx(model.predict(middle), abs=1e-6)


def test_the_variance_is_that_of_all_labels_of_a_block() -> None:
    cells, reference, _ = cells_by_hand([[10, 30], [30, 10], [0, 0], [0, 20]])

    found = calibrate(cells, reference)

    # The first two bins fall, and are one block of 40 hits in 80; 20 hits in 20 count
    # as 20.5 in 21. An empty bin belongs to the block below it.
    pooled, sure = 0.25 / 80, 20.5 / 21 * 0.5 / 21 / 20
    assert found.variance[0] == pytest.approx([pooled, pooled, pooled, sure])
    assert found.block[0].tolist() == [0, 0, 0, 1]


def test_columns_of_scores_are_calibrated_each_for_itself() -> None:
    truth = Truth(
        task="classification",
        target="y",
        classes=("a", "b", "c"),
        scores=("a", "b", "c"),
        score_edges=(0.5,),
    )
    cells = TruthCells(truth)
    counts = np.zeros(cells.size, np.int64)
    for place, hits in enumerate((2, 4, 6)):
        cells.of(f"score:{place}", counts)[:] = [[9, 1], [10 - hits, hits]]

    found = calibrate(cells, counts).probability[..., 1]

    assert found == pytest.approx(np.array([[0.1, 0.2], [0.1, 0.4], [0.1, 0.6]]))


def test_a_column_without_labels_cannot_be_calibrated() -> None:
    cells, reference, _ = cells_by_hand([[0, 0], [0, 0]])

    with pytest.raises(ValueError, match="nothing to learn"):
        calibrate(cells, reference)
