import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from servewatch.judge.confidence import mean_interval, unseen_variance
from servewatch.labels.interval import Metric
from servewatch.labels.regression import regression
from servewatch.sketch.scoring import Scoring
from servewatch.sketch.truth import REGRESSION_SUMS, Truth, TruthCells

Floats = NDArray[np.float64]
EXACT = 1e-12
EDGES: dict[str, tuple[float, ...]] = dict.fromkeys(
    ("relative", "residual", "absolute", "predicted"), (1.0,)
)
CENTER, SCALE, CLIP = 120.0, 40.0, 30.0


def summed(
    labels: Floats, predicted: Floats, *, center: float = CENTER, clip: float = CLIP
) -> tuple[TruthCells, Floats]:
    scoring = Scoring(
        Truth(
            task="regression",
            target="y",
            prediction="p",
            edges=EDGES,
            center=center,
            scale=SCALE,
            clip=clip,
        )
    )
    records = scoring.records({"p": predicted}, {}, predicted.size)
    assert records is not None
    _, sums = scoring.labelled(records, labels, np.zeros(labels.size))
    return scoring.cells, sums


def measured(labels: Floats, predicted: Floats) -> dict[str, Metric]:
    return regression(*summed(labels, predicted))


def drawn(rows: int = 5000, middle: float = 120.0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(1)
    labels = middle + 40 * rng.normal(size=rows)
    return labels, labels + 10 * rng.normal(size=rows) + 2


def test_every_metric_is_scikit_learns() -> None:
    labels, predicted = drawn()

    found = measured(labels, predicted)

    expected = {
        "mae": metrics.mean_absolute_error(labels, predicted),
        "rmse": metrics.root_mean_squared_error(labels, predicted),
        "r2": metrics.r2_score(labels, predicted),
        "mape": metrics.mean_absolute_percentage_error(labels, predicted),
    }
    for alpha in (0.1, 0.5, 0.9):
        expected[f"pinball_{alpha}"] = metrics.mean_pinball_loss(
            labels, predicted, alpha=alpha
        )
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, rel=EXACT), name
    assert found.keys() == expected.keys() | {"wape", "bias"}


def test_a_percentage_of_all_is_of_the_sum_of_labels() -> None:
    labels, predicted = drawn()

    value = measured(labels, predicted)["wape"].value

    expected = np.abs(labels - predicted).sum() / np.abs(labels).sum()
    assert value == pytest.approx(expected, rel=EXACT)


def test_a_model_that_says_too_much_has_a_bias_above_zero() -> None:
    labels = np.array([100.0, 200.0])

    assert measured(labels, labels + 5)["bias"].value == pytest.approx(5.0)


def test_a_percentage_leaves_out_labels_of_zero() -> None:
    found = measured(np.array([0.0, 100.0, -50.0]), np.array([5.0, 110.0, -45.0]))

    assert found["mape"].value == pytest.approx(0.1)
    assert found["mape"].rows == 2


def test_labels_that_are_all_zero_have_no_percentages() -> None:
    found = measured(np.zeros(3), np.ones(3))

    assert not found.keys() & {"mape", "wape", "r2"}


def test_labels_that_are_all_equal_have_no_r2() -> None:
    assert "r2" not in measured(np.full(7, 1e6 / 3), np.arange(7.0))


def test_no_rows_have_no_metric() -> None:
    assert measured(np.empty(0), np.empty(0)) == {}


def test_the_interval_of_the_mean_absolute_error_is_that_of_a_mean() -> None:
    labels, predicted = drawn()
    error = np.abs(labels - predicted)

    found = measured(labels, predicted)["mae"]

    variance = error.var() + unseen_variance(CLIP, error.size)
    low, high = mean_interval(error.mean(), variance, error.size)
    assert found.low == pytest.approx(float(low), rel=1e-9)
    assert found.high == pytest.approx(float(high), rel=1e-9)


def test_the_interval_of_rmse_is_the_root_of_that_of_its_square() -> None:
    labels, predicted = drawn()
    square = (labels - predicted) ** 2

    found = measured(labels, predicted)["rmse"]

    variance = square.var() + unseen_variance(CLIP**2, square.size)
    low, _ = mean_interval(square.mean(), variance, square.size)
    assert found.low == pytest.approx(float(np.sqrt(low)), rel=1e-9)


@pytest.mark.parametrize("name", ["r2", "wape", "bias", "rmse"])
def test_an_interval_is_as_wide_as_the_metric_varies_from_sample_to_sample(
    name: str,
) -> None:
    rng = np.random.default_rng(2)
    labels = rng.normal(120, 40, (2000, 400))
    # Errors grow away from the middle, so that both parts of a ratio move together.
    predicted = labels + rng.normal(size=labels.shape) * np.abs(labels - 110) / 3
    found = [
        regression(*summed(label, told, clip=1e-9))[name]
        for label, told in zip(labels, predicted, strict=True)
    ]

    spread = np.std([each.value for each in found])

    _, unit = mean_interval(0.0, 400.0, 400)
    widths = [
        each.high - each.low
        for each in found
        if each.high is not None and each.low is not None
    ]
    assert np.median(widths) / 2 == pytest.approx(spread * unit, rel=0.1)


@given(
    rows=st.lists(
        st.tuples(
            st.floats(-1e300, 1e300) | st.sampled_from([0.0, 5e-324, 1e-200]),
            st.floats(-1e300, 1e300) | st.sampled_from([0.0, 5e-324, 1e-200]),
        ),
        max_size=20,
    ),
    times=st.sampled_from([1, 1000]),
)
def test_whatever_the_numbers_nothing_raises_and_nothing_is_nan(
    rows: list[tuple[float, float]], times: int
) -> None:
    pairs = np.array(rows).reshape(-1, 2)
    cells, sums = summed(pairs[:, 0], pairs[:, 1])

    for each in regression(cells, sums * times).values():
        assert np.isfinite(each.value)
        if each.low is not None and each.high is not None:
            assert each.low <= each.value <= each.high


@pytest.mark.parametrize("middle", [1e3, 1e5])
def test_labels_far_from_zero_cost_no_digits_once_standardised(middle: float) -> None:
    labels, predicted = drawn(middle=middle)

    found = regression(*summed(labels, predicted, center=middle))

    expected = metrics.r2_score(labels, predicted)
    assert found["r2"].value == pytest.approx(expected, rel=1e-11)


def test_labels_that_moved_a_thousand_scales_keep_six_digits() -> None:
    labels, predicted = drawn(middle=120.0 + 1000 * SCALE)

    found = measured(labels, predicted)["r2"]

    centred = measured(labels - 1000 * SCALE, predicted - 1000 * SCALE)["r2"]
    assert found.value == pytest.approx(centred.value, rel=1e-8)
    assert found.low == pytest.approx(centred.low, rel=1e-5)


def test_ten_million_rows_are_the_sums_of_their_blocks() -> None:
    labels, predicted = drawn()
    cells, sums = summed(labels, predicted)
    whole = np.zeros_like(sums)
    for _ in range(2000):
        whole += sums

    few, many = regression(cells, sums), regression(cells, whole)

    assert many["mae"].rows == 10_000_000
    for name, each in few.items():
        assert many[name].value == pytest.approx(each.value, rel=1e-11)


def test_the_sums_are_those_that_the_truth_names() -> None:
    cells, sums = summed(np.array([160.0]), np.array([80.0]))

    told = dict(zip(REGRESSION_SUMS, cells.sum_of("error", sums), strict=True))
    assert told["over"] == 2.0
    assert told["y"] == 1.0
    assert told["size"] == 4.0
