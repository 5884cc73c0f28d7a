from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch.errors import ConfigError
from servewatch.labels.floors import Floors, is_beyond
from servewatch.labels.interval import Metric
from servewatch.labels.metric import measure
from servewatch.sketch.truth import REGRESSION_SUMS, Truth, TruthCells
from tests.acceptance.sizes import sizes

DAY = 86400.0
CLASSES = TruthCells(Truth(task="classification", target="y", classes=("0", "1")))
NUMBERS = TruthCells(Truth(task="regression", target="y", prediction="p"))
NO_SUMS = np.zeros(0)
Ints = NDArray[np.int64]


def counted(right: int, wrong: int) -> Ints:
    """Count labels of a binary model that came within a minute."""
    counts = np.zeros(CLASSES.size, np.int64)
    confusion = CLASSES.of("confusion", counts)
    confusion[0, 0], confusion[1, 1] = right - right // 2, right // 2
    confusion[0, 1], confusion[1, 0] = wrong - wrong // 2, wrong // 2
    CLASSES.of("delay", counts)[0] = right + wrong
    return counts


def floors(*, alarms_per_day: float = 0.01, **limits: float) -> Floors:
    return Floors(
        CLASSES, limits, ["accuracy", "error", "f1"], alarms_per_day=alarms_per_day
    )


class Days:
    """A model's labels day by day, and what its floor of accuracy says of them."""

    def __init__(self, limit: float = 0.8) -> None:
        self.floors = floors(accuracy=limit)
        self.right = self.wrong = self.days = 0
        self.floors.update(counted(0, 0), NO_SUMS, at=0.0, block=1)

    def serve(self, right: int, wrong: int, days: int = 1) -> bool:
        """Give whether the floor has fallen after *days* days like this."""
        for _ in range(days):
            self.right, self.wrong = self.right + right, self.wrong + wrong
            self.days += 1
            self.floors.update(
                counted(self.right, self.wrong),
                NO_SUMS,
                at=self.days * DAY,
                block=self.days,
            )
        return "accuracy" in self.floors.fallen


def test_accuracy_surely_below_its_floor_has_fallen() -> None:
    assert Days().serve(1400, 600)


def test_accuracy_that_may_still_be_at_its_floor_has_not() -> None:
    assert not Days().serve(780, 220)


def test_a_good_past_does_not_cover_a_bad_week() -> None:
    days = Days()
    assert not days.serve(1900, 100, days=20)

    days.serve(1400, 600, days=7)

    assert days.right / (days.right + days.wrong) > 0.85
    assert days.floors.fallen["accuracy"].begun is not None


def test_a_small_deficit_shows_although_each_day_is_too_short() -> None:
    days = Days()
    days.serve(1140, 60, days=60)  # each day 1,200 labels, all since then 0.95

    assert not days.serve(900, 300)
    assert days.serve(900, 300, days=3)


def test_a_floor_stays_fallen_while_the_model_stays_bad() -> None:
    days = Days()
    days.serve(1900, 100, days=5)
    days.serve(1400, 600, days=3)

    assert all(days.serve(1400, 600) for _ in range(20))


def test_a_floor_is_met_again_once_later_labels_establish_it() -> None:
    days = Days()
    assert days.serve(1400, 600, days=30)

    days.serve(1900, 100, days=2)

    assert days.right / (days.right + days.wrong) < 0.75
    assert not days.floors.fallen


def test_what_was_noticed_first_stays_noticed_then() -> None:
    days = Days()
    days.serve(1400, 600)
    days.serve(1400, 600, days=5)

    assert days.floors.fallen["accuracy"].noticed == (DAY, 1)


def test_counting_begins_anew_no_sooner_than_a_day_and_a_thousand_labels_later() -> (
    None
):
    days = Days()
    days.serve(450, 49)
    assert not days.floors.beginnings
    days.serve(450, 51)
    assert [begun.at for begun in days.floors.beginnings] == [2 * DAY]
    days.floors.update(counted(5000, 500), NO_SUMS, at=2 * DAY + DAY / 2, block=3)
    assert len(days.floors.beginnings) == 1


def test_no_more_than_three_beginnings_are_kept() -> None:
    days = Days()
    days.serve(1900, 100, days=10)
    assert [begun.at for begun in days.floors.beginnings] == [
        8 * DAY,
        9 * DAY,
        10 * DAY,
    ]


def test_a_process_that_goes_on_from_a_file_of_labels_begins_no_count_at_once() -> None:
    resumed = floors(accuracy=0.8)
    resumed.update(counted(90_000, 10_000), NO_SUMS, at=DAY, block=1)
    resumed.update(counted(90_000, 10_900), NO_SUMS, at=1.5 * DAY, block=2)

    assert not resumed.beginnings


def test_several_floors_share_one_budget() -> None:
    # 0.01 a day, for two counts of each floor.
    alone, both = floors(accuracy=0.8), floors(accuracy=0.8, f1=0.1)
    right, wrong = 765, 235
    while right * 0.25 < wrong * 1.2:
        counts = counted(right, wrong)
        high = measure(CLASSES, counts, NO_SUMS, level=1 - 0.005)["accuracy"].high
        alone.update(counts, NO_SUMS, at=1.0, block=1)
        assert ("accuracy" in alone.fallen) == (high is not None and high < 0.8)
        high = measure(CLASSES, counts, NO_SUMS, level=1 - 0.0025)["accuracy"].high
        both.update(counts, NO_SUMS, at=1.0, block=1)
        assert ("accuracy" in both.fallen) == (high is not None and high < 0.8)
        right += 5


def test_an_error_has_a_ceiling() -> None:
    high, low = floors(error=0.2), floors(error=0.2)
    high.update(counted(700, 300), NO_SUMS, at=1.0, block=1)
    low.update(counted(900, 100), NO_SUMS, at=1.0, block=1)

    assert (set(high.fallen), set(low.fallen)) == ({"error"}, set())


@pytest.mark.parametrize(
    ("low", "high", "beyond"),
    [(0.6, 0.9, True), (-0.9, -0.6, True), (0.4, 0.9, False), (-0.9, 0.9, False)],
)
def test_a_floor_of_bias_bounds_its_size(low: float, high: float, beyond: bool) -> None:
    metric = Metric((low + high) / 2, 1000, low, high)
    assert is_beyond("bias", metric, 0.5) is beyond


def test_numbers_have_ceilings_in_their_own_unit() -> None:
    rng = np.random.default_rng(3)
    error = np.abs(rng.normal(0, 2, 4000))  # a mean of 2 sqrt(2 / pi) = 1.596
    sums = np.zeros(NUMBERS.sums_size)
    told = NUMBERS.sum_of("error", sums)
    for name, values in {
        "rows": np.ones(4000),
        "over": error,
        "over2": error**2,
        "error4": error**4,
    }.items():
        told[REGRESSION_SUMS.index(name)] = values.sum()
    counts = np.zeros(NUMBERS.size, np.int64)
    limits = {"mae": 1.4, "rmse": 2.5}
    found = Floors(NUMBERS, limits, ["mae", "rmse"], alarms_per_day=0.01)

    found.update(counts, sums, at=1.0, block=1)

    assert set(found.fallen) == {"mae"}


def test_a_metric_that_no_evaluation_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="one of accuracy, error, f1") as caught:
        floors(acuracy=0.8)
    assert caught.value.field == "floors"


@pytest.mark.parametrize(("name", "limit"), [("accuracy", 80.0), ("error", -0.1)])
def test_a_floor_that_no_model_can_meet_is_refused(name: str, limit: float) -> None:
    with pytest.raises(ConfigError, match="no model meets"):
        floors(**{name: limit})


LABELS_A_LOOK = 200


def first_failure(rng: np.random.Generator, accuracy: float, looks: int) -> int | None:
    """Give the labels after which the floor of 0.8 fell, None if it never did."""
    watched = floors(accuracy=0.8)
    right = wrong = 0
    for look in range(looks):
        hits = int(rng.binomial(LABELS_A_LOOK, accuracy))
        right, wrong = right + hits, wrong + LABELS_A_LOOK - hits
        # 5,000 labels a day, so that counting begins anew as in service.
        at = (right + wrong) / 5000 * DAY
        watched.update(counted(right, wrong), NO_SUMS, at=at, block=look)
        if watched.fallen:
            return right + wrong
    return None


@pytest.mark.parametrize(("runs", "looks", "most"), sizes((12, 60, 0), (200, 500, 21)))
def test_a_model_exactly_at_its_floor_fails_no_oftener_than_the_budget_says(
    runs: int, looks: int, most: int
) -> None:
    # 0.005, and 0.005 a day: 0.2 in the quick runs of 2.4 days each, 21 in the full
    # ones of 20 days. Both sides of an interval share it, of which one counts.
    rng = np.random.default_rng(11)
    failed = [first_failure(rng, 0.8, looks) for _ in range(runs)]
    assert sum(labels is not None for labels in failed) <= most


@pytest.mark.parametrize(("runs", "most"), sizes((10, 3000), (200, 2000)))
def test_five_points_below_the_floor_show_within_some_thousand_labels(
    runs: int, most: int
) -> None:
    # kl(0.75, 0.8) = 0.0072 nats a label against ln 200 + ln(n) / 2 + 0.5 or so.
    rng = np.random.default_rng(12)
    labels = [first_failure(rng, 0.75, 60) or np.inf for _ in range(runs)]
    assert np.median(labels) <= most
