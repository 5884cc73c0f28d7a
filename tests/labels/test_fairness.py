import json
from typing import Any

import numpy as np
import pytest
from fairlearn import metrics
from sklearn.metrics import accuracy_score, mean_absolute_error, precision_score

from servewatch.judge.confidence import mean_interval, proportion_interval
from servewatch.labels.fairness import Fairness, fairness, group_names
from servewatch.labels.group_gaps import Part
from servewatch.sketch.truth import SegmentColumn, Truth, TruthCells
from tests.labels.grouped import (
    GROUPS,
    Rows,
    classes_truth,
    counted,
    errors_truth,
    nothing,
    unequal,
)

GAPS = {
    "demographic_parity_difference": metrics.demographic_parity_difference,
    "demographic_parity_ratio": metrics.demographic_parity_ratio,
    "equal_opportunity_difference": metrics.equal_opportunity_difference,
    "equal_opportunity_ratio": metrics.equal_opportunity_ratio,
    "equalized_odds_difference": metrics.equalized_odds_difference,
    "equalized_odds_ratio": metrics.equalized_odds_ratio,
}
RATES = {
    "accuracy": accuracy_score,
    "tpr": metrics.true_positive_rate,
    "fpr": metrics.false_positive_rate,
    "precision": precision_score,
    "selection_rate": metrics.selection_rate,
}


def found_of(truth: Truth, rows: Rows, least: int = 1, **sides: Any) -> Fairness:
    current = counted(truth, rows)
    reference = sides.get("reference", current)
    (found,) = fairness(TruthCells(truth), reference, current, least=least)
    return found


def part_of(rows: Rows, least: int = 1, **sides: Any) -> Part:
    (part,) = found_of(classes_truth(), rows, least, **sides).parts
    return part


def only(rows: Rows, chosen: Any) -> Rows:
    return Rows(rows.group[chosen], rows.prediction[chosen], rows.label[chosen])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", GAPS)
def test_gaps_equal_fairlearns(name: str, seed: int) -> None:
    rows = unequal(600, seed)

    gap = part_of(rows).gaps[name]

    expected = GAPS[name](rows.label, rows.prediction, sensitive_features=rows.group)
    assert gap.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", RATES)
def test_rates_by_group_equal_those_of_fairlearns_metric_frame(name: str) -> None:
    rows = unequal(600, 3)

    rates = part_of(rows).rates[name]

    frame = metrics.MetricFrame(
        metrics=RATES[name],
        y_true=rows.label,
        y_pred=rows.prediction,
        sensitive_features=rows.group,
    )
    assert [rates[name].value for name in GROUPS] == pytest.approx(
        frame.by_group.tolist(), abs=1e-12
    )
    assert set(rates) == set(GROUPS)


def test_predictive_parity_is_the_gap_of_precision() -> None:
    rows = unequal(600, 3)

    part = part_of(rows)

    frame = metrics.MetricFrame(
        metrics=precision_score,
        y_true=rows.label,
        y_pred=rows.prediction,
        sensitive_features=rows.group,
    )
    gap = part.gaps["predictive_parity_difference"]
    assert gap.value == pytest.approx(frame.difference())
    assert gap.highest == GROUPS[int(frame.by_group.to_numpy().argmax())]
    assert gap.lowest == GROUPS[int(frame.by_group.to_numpy().argmin())]


def test_each_class_is_told_against_the_rest_and_the_worst_is_named() -> None:
    rows = unequal(900, 4, classes=3)

    found = found_of(classes_truth(3), rows)

    expected = [
        metrics.equalized_odds_difference(
            rows.label == place, rows.prediction == place, sensitive_features=rows.group
        )
        for place in range(3)
    ]
    gaps = [part.gaps["equalized_odds_difference"] for part in found.parts]
    assert [gap.value for gap in gaps] == pytest.approx(expected, abs=1e-12)
    assert found.worst["equalized_odds_difference"] == str(np.argmax(expected))
    lowest = [part.gaps["accuracy_ratio"].value for part in found.parts]
    assert lowest == [lowest[0]] * 3  # accuracy is of all classes


def test_the_worst_ratio_is_the_smallest() -> None:
    rows = unequal(900, 4, classes=3)

    found = found_of(classes_truth(3), rows)

    ratios = {
        part.of: part.gaps["demographic_parity_ratio"].value for part in found.parts
    }
    assert ratios[found.worst["demographic_parity_ratio"]] == min(
        value for value in ratios.values() if value is not None
    )


def test_of_equalized_odds_the_worse_rate_is_told() -> None:
    # A: tpr 1, fpr 0; B: tpr .75, fpr .5
    rows = Rows(
        np.repeat([0, 1], 8).astype(np.uint8),
        np.array([1] * 4 + [0] * 4 + [1, 1, 1, 0, 1, 1, 0, 0]),
        np.array([1, 1, 1, 1, 0, 0, 0, 0] * 2),
    )

    gap = part_of(rows).gaps["equalized_odds_difference"]

    assert (gap.value, gap.rate, gap.highest, gap.lowest) == (0.5, "fpr", "B", "A")


def test_the_selection_rate_counts_rows_without_a_label() -> None:
    truth, rows = classes_truth(), unequal(600, 5)
    labelled = rows.prediction == 1  # only these are ever labelled
    current = counted(truth, rows, labelled=labelled)

    (found,) = fairness(TruthCells(truth), current, current, least=1)

    rate = found.parts[0].rates["selection_rate"]["A"]
    assert rate.value == pytest.approx(rows.prediction[rows.group == 0].mean())
    assert rate.rows == (rows.group == 0).sum() == found.groups["A"].served
    assert found.groups["A"].labelled == (labelled & (rows.group == 0)).sum()


def test_groups_with_too_few_rows_are_left_out_and_named() -> None:
    rows = unequal(600, 6)
    few = only(rows, (rows.group < 2) | (np.cumsum(rows.group == 2) <= 10))

    found = found_of(classes_truth(), few, least=30)

    part, gap = found.parts[0], found.parts[0].gaps["demographic_parity_difference"]
    assert found.groups["C"].status == "insufficient_data"
    assert part.rates["accuracy"]["C"].value is None
    assert part.rates["accuracy"]["C"].rows == 10
    assert gap.left_out == ("C",)
    kept = few.group < 2
    assert gap.value == pytest.approx(
        metrics.demographic_parity_difference(
            few.label[kept], few.prediction[kept], sensitive_features=few.group[kept]
        )
    )


def test_one_group_alone_has_no_gap() -> None:
    rows = unequal(300, 6)

    part = part_of(only(rows, rows.group == 1), least=30)

    gap = part.gaps["equalized_odds_ratio"]
    assert (gap.status, gap.value, gap.low) == ("insufficient_data", None, None)
    assert gap.left_out == ("A", "C")
    assert part.rates["tpr"]["B"].status == "ok"


def test_a_rate_counts_the_rows_it_is_a_share_of() -> None:
    # 200 rows a group, but only 5 of B's are positive: B has an fpr and no tpr
    label = np.zeros(400, np.int64)
    label[:100] = label[200:205] = 1
    rows = Rows(np.repeat([0, 1], 200).astype(np.uint8), label, label)

    part = part_of(rows, least=30)

    assert part.rates["fpr"]["B"].status == "ok"
    assert part.rates["tpr"]["B"].status == "insufficient_data"
    assert part.gaps["equalized_odds_difference"].left_out == ("B", "C")
    assert part.gaps["demographic_parity_difference"].status == "ok"


def test_no_rows_at_all_are_too_few() -> None:
    truth = classes_truth()

    (found,) = fairness(TruthCells(truth), nothing(truth), nothing(truth), least=0)

    assert {gap.status for gap in found.parts[0].gaps.values()} == {"insufficient_data"}
    assert found.worst == {}


def test_the_baseline_is_measured_by_the_same_function() -> None:
    before, after = unequal(600, 7), unequal(500, 8)

    part = part_of(after, reference=counted(classes_truth(), before))

    own = part_of(before)
    for name, gap in part.gaps.items():
        assert gap.baseline == pytest.approx(own.gaps[name].value)
    assert part.rates["tpr"]["B"].baseline == own.rates["tpr"]["B"].value


def test_the_baselines_gap_is_that_of_the_groups_compared_now() -> None:
    before, after = unequal(600, 7), unequal(600, 8)
    now = only(after, after.group < 2)

    gap = part_of(now, 10, reference=counted(classes_truth(), before)).gaps[
        "demographic_parity_difference"
    ]

    both = before.group < 2
    assert gap.baseline == pytest.approx(
        metrics.demographic_parity_difference(
            before.label[both],
            before.prediction[both],
            sensitive_features=before.group[both],
        )
    )


def test_a_group_that_the_baseline_lacks_leaves_its_gap_unknown() -> None:
    before, after = unequal(600, 7), unequal(600, 8)
    reference = counted(classes_truth(), only(before, before.group != 1))

    part = part_of(after, reference=reference)

    assert part.gaps["demographic_parity_difference"].value is not None
    assert part.gaps["demographic_parity_difference"].baseline is None
    assert part.rates["selection_rate"]["B"].baseline is None


def test_groups_share_the_alpha_of_their_gap_evenly() -> None:
    rows = unequal(600, 9)
    two = only(rows, rows.group < 2)

    part = part_of(two)

    hits, of = np.array(
        [(two.prediction[two.group == g].sum(), (two.group == g).sum()) for g in (0, 1)]
    ).T
    low, high = proportion_interval(hits, of, 0.975)
    gap = part.gaps["demographic_parity_difference"]
    a, b = np.argmax(hits / of), np.argmin(hits / of)
    expected = max(low[a] - high[b], 0), high[a] - low[b]
    assert (gap.low, gap.high) == pytest.approx(expected, abs=1e-12)
    rate = part.rates["selection_rate"]["A"]
    low, high = proportion_interval(hits[0], of[0], 0.95)
    assert (rate.low, rate.high) == pytest.approx((float(low), float(high)))


def test_every_gap_lies_in_its_interval() -> None:
    part = part_of(unequal(600, 10))

    for gap in part.gaps.values():
        assert gap.value is not None
        assert gap.low is not None
        assert gap.high is not None
        assert gap.low <= gap.value <= gap.high


def test_all_other_values_are_a_group_of_their_own() -> None:
    rows = unequal(600, 11)
    moved = Rows(np.where(rows.group == 2, 3, rows.group), rows.prediction, rows.label)

    found = found_of(classes_truth(), moved)

    assert found.groups["other"].served == (rows.group == 2).sum()
    assert found.groups["C"].served == 0


def test_a_value_called_other_keeps_its_name() -> None:
    assert group_names(SegmentColumn("sex", ("f", "other"))) == (
        "f",
        "other",
        "(other)",
    )


def regressed(rows: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, rows).astype(np.uint8)
    label = rng.normal(10, 2.5, rows)
    return Rows(group, label + 0.3 * group + rng.normal(0, 1 + group, rows), label)


def test_errors_by_group_equal_those_of_fairlearns_metric_frame() -> None:
    rows = regressed(900, 12)

    (part,) = found_of(errors_truth(), rows).parts

    frame = metrics.MetricFrame(
        metrics={
            "mae": mean_absolute_error,
            "bias": lambda y, p: float(np.mean(p - y)),
            "wape": lambda y, p: float(np.abs(y - p).sum() / np.abs(y).sum()),
        },
        y_true=rows.label,
        y_pred=rows.prediction,
        sensitive_features=rows.group,
    )
    for name in ("mae", "bias", "wape"):
        values = [part.rates[name][group].value for group in GROUPS]
        assert values == pytest.approx(frame.by_group[name].tolist(), abs=1e-9)
        gap = part.gaps[f"{name}_difference"].value
        assert gap == pytest.approx(frame.difference()[name], abs=1e-9)
    assert part.of is None


def test_errors_have_the_interval_of_a_mean_and_wape_has_none() -> None:
    rows = regressed(900, 12)

    (part,) = found_of(errors_truth(), rows).parts

    error = (rows.prediction - rows.label)[rows.group == 1]
    for name, values in (("mae", np.abs(error)), ("bias", error)):
        rate = part.rates[name]["B"]
        expected = mean_interval(values.mean(), values.var(), values.size, 0.95)
        assert (rate.low, rate.high) == pytest.approx(expected, abs=1e-9)
        gap = part.gaps[f"{name}_difference"]
        assert gap.low is not None
        assert gap.value is not None
        assert gap.high is not None
        assert gap.low <= gap.value <= gap.high
    assert part.rates["wape"]["B"].low is None
    assert part.gaps["wape_difference"].high is None


@pytest.mark.parametrize(
    ("truth", "rows"),
    [
        (classes_truth(), unequal(50, 1)),
        (classes_truth(4), unequal(50, 2, classes=4)),
        (errors_truth(), regressed(150, 3)),
    ],
    ids=["two", "four", "regression"],
)
def test_what_is_told_is_plain_and_finite(truth: Truth, rows: Rows) -> None:
    told = found_of(truth, rows, reference=nothing(truth)).to_dict()

    text = json.dumps(told, allow_nan=False)
    assert json.loads(text)["column"] == "city"
