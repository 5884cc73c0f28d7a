from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.preprocessing import OneHotEncoder

from servewatch.baseline import loss_model
from servewatch.baseline.loss_model import fit
from servewatch.labels.estimate_loss import FLAT, estimate_loss, expected
from servewatch.sketch.loss import LossModel
from tests.acceptance.sizes import sizes

Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]
Ints = NDArray[np.int64]
BINS = 20
WIDTHS = [BINS + 4] * 4  # three features and the prediction, and cells of odd values


class World:
    """Rows of three features, a prediction that knows their mean, and its errors.

    Errors grow with the first feature's size and are larger where the second is
    positive; *spread* says how.
    """

    def __init__(self, seed: int, spread: str) -> None:
        self._rng = np.random.default_rng(seed)
        self._spread = spread
        self._edges: list[Floats] = []

    def rows(self, count: int, shift: float = 0.0) -> tuple[Codes, Floats]:
        """Draw codes and losses; the first call sets the edges of the bins."""
        X = self._rng.normal(size=(count, 3)) + np.array([shift, shift / 2, 0])
        table = np.column_stack([X, 2 * X[:, 0] + X[:, 1] - X[:, 2] ** 2])
        if not self._edges:
            shares = np.arange(1, BINS) / BINS
            self._edges = [np.quantile(each, shares) for each in table.T]
        deviation = {
            "grows": 0.3 + np.abs(X[:, 0]) + 0.5 * (X[:, 1] > 0),
            "equal": np.ones(count),
            "together": 0.5 + 2.0 * (X[:, 0] * X[:, 1] > 0),
        }[self._spread]
        pairs = zip(self._edges, table.T, strict=True)
        codes = np.column_stack([np.searchsorted(e, each) for e, each in pairs])
        return codes.astype(np.uint8), np.abs(deviation * self._rng.normal(size=count))


def counts_of(codes: Codes, widths: list[int] = WIDTHS) -> list[Ints]:
    pairs = zip(codes.T, widths, strict=True)
    return [np.bincount(each, minlength=width) for each, width in pairs]


def fitted(codes: Codes, loss: Floats, widths: list[int] = WIDTHS) -> LossModel:
    model = fit(codes, widths, loss)
    assert model is not None
    return model


def one_hot(codes: Codes) -> Any:
    return OneHotEncoder(sparse_output=False).fit_transform(codes)


def test_expected_losses_are_those_of_scikit_learn() -> None:
    codes, loss = World(0, "grows").rows(3000)

    model = fitted(codes, loss)

    X = one_hot(codes)
    golden = Ridge(alpha=model.ridge).fit(X, loss).predict(X)
    starts = np.array([span.start for span in model.columns])
    weights = np.array(model.weights)[codes + starts]
    assert model.intercept + weights.sum(axis=1) == pytest.approx(golden, abs=1e-4)


def test_what_is_left_out_is_measured_as_scikit_learn_would() -> None:
    codes, loss = World(1, "grows").rows(3000)

    model = fitted(codes, loss)

    folds = PredefinedSplit(np.arange(loss.size) % 10)
    X = one_hot(codes)
    golden = cross_val_predict(Ridge(alpha=model.ridge), X, loss, cv=folds)
    assert model.r2 == pytest.approx(r2_score(loss, golden), abs=1e-3)
    assert model.bias == pytest.approx((golden - loss).mean(), abs=1e-4)
    slope = np.polyfit(golden, loss, 1)[0]
    assert model.slope == pytest.approx(slope, abs=1e-3)


def test_the_ridge_is_the_one_that_errs_least_on_rows_left_out() -> None:
    codes, loss = World(2, "grows").rows(1000)

    model = fitted(codes, loss)

    folds = PredefinedSplit(np.arange(loss.size) % 10)
    X = one_hot(codes)
    errors = {
        ridge: float(
            (
                (cross_val_predict(Ridge(alpha=ridge), X, loss, cv=folds) - loss) ** 2
            ).sum()
        )
        for ridge in loss_model.RIDGES
    }
    assert model.ridge == min(errors, key=errors.__getitem__)


def test_on_the_evaluation_itself_the_mean_loss_is_expected() -> None:
    codes, loss = World(3, "grows").rows(2000)

    model = fitted(codes, loss)

    value, low, high = expected(model, counts_of(codes))
    assert value == pytest.approx(loss.mean(), abs=1e-4)
    assert low < value < high
    assert model.counts == tuple(np.concatenate(counts_of(codes)).tolist())


def test_the_mean_over_rows_is_the_mean_over_cells() -> None:
    world = World(4, "grows")
    model = fitted(*world.rows(2000))
    codes, _ = world.rows(500, 0.7)

    starts = np.array([span.start for span in model.columns])
    by_row = model.intercept + np.array(model.weights)[codes + starts].sum(axis=1)

    value, _, _ = expected(model, counts_of(codes))
    assert value == pytest.approx(by_row.mean())


@pytest.mark.parametrize("seed", range(3))
def test_the_estimate_follows_errors_that_grow_under_a_shift(seed: int) -> None:
    world = World(seed, "grows")
    codes, loss = world.rows(10_000)
    model = fitted(codes, loss)
    live, realised = world.rows(10_000, 1.0)

    found = estimate_loss(model, counts_of(live), 2.0)

    mae = 2.0 * realised.mean()
    assert 2.0 * loss.mean() < 0.78 * mae  # what is said without an estimate
    assert found.metrics["mae"] == pytest.approx(mae, rel=0.08)


@pytest.mark.parametrize("paths", sizes(12, 300))
def test_the_interval_holds_nine_times_in_ten_under_a_small_shift(paths: int) -> None:
    held = []
    for seed in range(paths):
        world = World(100 + seed, "grows")
        model = fitted(*world.rows(2000))
        live, realised = world.rows(4000, 0.3)
        found = estimate_loss(model, counts_of(live), 1.0)
        held.append(found.low["mae"] <= realised.mean() <= found.high["mae"])

    assert np.mean(held) >= 0.88 - 2 * np.sqrt(0.88 * 0.12 / paths)


def test_the_interval_grows_where_evaluation_rows_are_few() -> None:
    few, many = World(5, "grows"), World(5, "grows")
    small, large = fitted(*few.rows(500)), fitted(*many.rows(20_000))
    live = counts_of(many.rows(20_000, 0.5)[0])

    _, low, high = expected(small, live)
    _, closer_low, closer_high = expected(large, live)

    assert high - low > 2 * (closer_high - closer_low)


@pytest.mark.parametrize("paths", sizes(12, 400))
def test_a_loss_that_no_input_explains_is_withheld(paths: int) -> None:
    # The bound is one-sided at 95 %.
    withheld = 0
    for seed in range(paths):
        world = World(200 + seed, "equal")
        model = fitted(*world.rows(1000))
        found = estimate_loss(model, counts_of(world.rows(1000, 1.0)[0]), 1.0)
        withheld += found.withheld == FLAT

    assert withheld >= 0.9 * paths - 1


def test_what_two_columns_do_only_together_is_not_seen_and_withheld() -> None:
    # Without the prediction, whose size tells where both features have one sign.
    world, widths = World(6, "together"), WIDTHS[:3]
    codes, loss = world.rows(3000)

    model = fitted(codes[:, :3], loss, widths)

    live = counts_of(world.rows(1000)[0][:, :3], widths)
    assert estimate_loss(model, live, 1.0).withheld == FLAT


def test_few_rows_or_equal_losses_teach_nothing() -> None:
    codes, loss = World(7, "grows").rows(400)

    assert fit(codes, WIDTHS, loss) is not None
    assert fit(codes[1:], WIDTHS, loss[1:]) is None
    assert fit(codes, WIDTHS, np.ones(400)) is None


def test_shapes_that_do_not_fit_are_refused() -> None:
    codes, loss = World(8, "grows").rows(500)
    model = fitted(codes, loss)

    with pytest.raises(ValueError, match="codes are"):
        fit(codes, WIDTHS[1:], loss)
    with pytest.raises(ValueError, match="wide by column"):
        expected(model, counts_of(codes)[1:])
    with pytest.raises(ValueError, match="no rows"):
        expected(model, [np.zeros(width, np.int64) for width in WIDTHS])


def test_of_too_many_cells_the_columns_that_explain_most_are_fitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loss_model, "MOST_CELLS", 50)
    codes, loss = World(9, "grows").rows(3000)

    model = fitted(codes[:, :3], loss, WIDTHS[:3])

    weights = [np.array(model.weights)[span] for span in model.columns]
    assert [bool(each.any()) for each in weights] == [True, True, False]


def test_of_many_rows_an_even_part_is_taken() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, (50_001, 1)).astype(np.uint8)
    loss = np.where(np.arange(50_001) % 2 == 0, 1.0 + codes[:, 0], 1000.0)

    model = fitted(codes, loss, [3])

    assert model.rows == 25_001
    assert model.intercept == pytest.approx(2.0, abs=0.02)


def test_rows_where_the_evaluation_had_none_withhold_the_estimate() -> None:
    world = World(10, "grows")
    model = fitted(*world.rows(1000))
    counts = counts_of(world.rows(1000)[0])
    counts[2] = counts[2] * 4
    counts[2][BINS] = 1000  # missing, which no row of the evaluation was

    found = estimate_loss(model, counts, 1.0)

    assert found.withheld is not None
    assert found.withheld.startswith("20% of the rows of a column")
    assert not found.metrics


def test_few_rows_served_or_a_caller_s_reason_withhold_the_estimate() -> None:
    world = World(11, "grows")
    model = fitted(*world.rows(1000))
    counts = counts_of(world.rows(399)[0])

    few = estimate_loss(model, counts, 1.0).withheld
    assert few == "399 rows were served, 400 are needed"
    assert estimate_loss(model, counts, 1.0, reason="drift").withheld == "drift"
