from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from servewatch.baseline import Baseline
from servewatch.baseline.profile import Performance
from servewatch.errors import BaselineError
from servewatch.sketch.truth import MOST_CLASSES, TruthCells

ROWS = 1000


def rows(**columns: Any) -> dict[str, Any]:
    rng = np.random.default_rng(4)
    p = rng.random(ROWS)
    flag = (rng.random(ROWS) < p).astype(int)
    return {
        "x": rng.normal(size=ROWS),
        "city": rng.choice(["A", "B"], ROWS),
        "p": p,
        "said": (p > 0.5).astype(int),
        "flag": flag,
        "word": np.where(flag == 1, "yes", "no"),
        "said_word": np.where(p > 0.5, "yes", "no"),
        "amount": rng.gamma(2.0, 50.0, ROWS),
        "guess": rng.gamma(2.0, 50.0, ROWS),
    } | columns


COLUMNS = ("x", "city")


def built(target: str, prediction: Any, **options: Any) -> Baseline:
    data = options.pop("data", rows())
    return Baseline.build(
        data,
        evaluation=data,
        features=COLUMNS,
        target=target,
        prediction=prediction,
        **options,
    )


def performance(target: str, prediction: Any, **options: Any) -> Performance:
    found = built(target, prediction, **options).content.performance
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("target", "prediction", "task", "column", "scores", "classes"),
    [
        ("flag", ["said", "p"], "classification", "said", ("p",), ("0", "1")),
        ("flag", "p", "classification", None, ("p",), ("0", "1")),
        ("flag", "said", "classification", "said", (), ("0", "1")),
        ("word", "said_word", "classification", "said_word", (), ("no", "yes")),
        (
            "word",
            ["said_word", "p"],
            "classification",
            "said_word",
            ("p",),
            ("no", "yes"),
        ),
        ("amount", "guess", "regression", "guess", (), ()),
    ],
)
def test_the_task_shows_in_the_columns(  # noqa: PLR0917 - one row of the table
    target: str,
    prediction: Any,
    task: str,
    column: str | None,
    scores: tuple[str, ...],
    classes: tuple[str, ...],
) -> None:
    truth = performance(target, prediction).truth

    assert truth.task == task
    assert truth.prediction == column
    assert truth.scores == scores
    assert truth.classes == classes


def test_truths_are_classes_in_any_kind_of_frame() -> None:
    data = pd.DataFrame(rows())
    data["flag"] = data["flag"].astype(bool)
    data["said"] = data["said"].astype(bool)

    truth = performance("flag", "said", data=data).truth

    assert truth.classes == ("0", "1")


def test_few_numbers_may_be_amounts_all_the_same() -> None:
    truth = performance("flag", "said", task="regression").truth

    assert truth.task == "regression"
    assert truth.classes == ()


def test_the_positive_class_is_the_last_unless_it_is_named() -> None:
    assert performance("word", "said_word").truth.classes == ("no", "yes")
    named = performance("word", "said_word", positive="no")
    assert named.truth.classes == ("yes", "no")
    assert performance("flag", "said", positive=False).truth.classes == ("1", "0")


def test_scores_of_several_classes_go_by_class() -> None:
    table = np.random.default_rng(1).dirichlet([2, 2, 2], ROWS)
    kinds = np.array(["c", "a", "b"])
    data = rows(
        kind=kinds[table.argmax(axis=1)],
        said_kind=kinds[table.argmax(axis=1)],
        of_c=table[:, 0],
        of_a=table[:, 1],
        of_b=table[:, 2],
    )

    found = performance(
        "kind",
        ["said_kind", "of_c", "of_a", "of_b"],
        data=data,
        scores={"c": "of_c", "a": "of_a", "b": "of_b"},
    )

    assert found.truth.classes == ("a", "b", "c")
    assert found.truth.scores == ("of_a", "of_b", "of_c")
    cells = TruthCells(found.truth)
    counts = np.array(found.counts)
    assert np.trace(cells.of("confusion", counts)) == ROWS


def test_a_score_a_class_says_that_numbers_are_classes() -> None:
    table = np.random.default_rng(1).dirichlet([2, 2, 2], ROWS)
    names = ["p0", "p1", "p2"]
    data = rows(
        kind=table.argmax(axis=1) * 1.0, **dict(zip(names, table.T, strict=True))
    )

    for options in ({}, {"scores": names}):
        found = performance("kind", names, data=data, **options)

        assert found.truth.classes == ("0", "1", "2")
        assert found.truth.scores == tuple(names)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scores": "x"}, "scores do not fit"),
        ({"scores": ["p", "p", "p"]}, "scores do not fit"),
        ({"scores": "guess"}, "scores do not fit"),
        ({"positive": "maybe"}, "not one of two classes"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BaselineError, match=words):
        built("flag", ["said", "p", "guess"], **options)


@pytest.mark.parametrize(
    ("target", "prediction", "words"),
    [
        ("word", "guess", "no prediction column holds its classes"),
        ("amount", "said_word", "holds no numbers"),
    ],
)
def test_labels_that_cannot_be_compared_are_said_to_be(
    target: str, prediction: str, words: str
) -> None:
    baseline = built(target, prediction)

    assert baseline.content.performance is None
    assert any(words in note for note in baseline.notes)


def test_too_many_classes_are_said_to_be() -> None:
    names = np.array([f"n{k:02}" for k in range(60)])
    drawn = names[np.arange(ROWS) % 60]

    baseline = built("name", "said_name", data=rows(name=drawn, said_name=drawn))

    assert baseline.content.performance is None
    assert any(f"{MOST_CLASSES} can be counted" in note for note in baseline.notes)


def test_without_labels_in_evaluation_nothing_is_compared() -> None:
    data = rows()
    held = {name: column for name, column in data.items() if name != "flag"}

    baseline = Baseline.build(
        data, evaluation=held, features=COLUMNS, target="flag", prediction="said"
    )

    assert baseline.content.performance is None
    assert any("no row of evaluation has one" in note for note in baseline.notes)


def of_three() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    table = rng.dirichlet([0.7, 0.7, 0.7], ROWS)
    drawn = (rng.random((ROWS, 1)) > table.cumsum(axis=1)).sum(axis=1)
    letters = np.array(["a", "b", "c"])
    return {
        "x": rng.normal(size=ROWS),
        "city": rng.choice(["A", "B"], ROWS),
        "kind": letters[drawn],
        "said_kind": letters[table.argmax(axis=1)],
        "of_a": table[:, 0],
        "of_b": table[:, 1],
        "of_c": table[:, 2],
    }


def notes_on_scores(baseline: Baseline) -> list[str]:
    words = ("higher", "Going by", "taken")
    return [note for note in baseline.notes if any(word in note for word in words)]


@pytest.mark.parametrize("said", [["said_kind"], []])
def test_scores_find_their_class_in_any_order(said: list[str]) -> None:
    data = of_three()

    baseline = built("kind", [*said, "of_c", "of_a", "of_b"], data=data)

    found = baseline.content.performance
    assert found is not None
    assert found.truth.scores == ("of_a", "of_b", "of_c")
    assert any("of_a of a, of_b of b, of_c of c" in note for note in baseline.notes)


def test_scores_in_any_order_measure_as_scikit_learn_does() -> None:
    data = of_three()
    baseline = built("kind", ["of_c", "of_a", "of_b"], data=data)

    found = baseline.content.performance
    assert found is not None
    rows, log_loss_sum = found.sums[0], found.sums[1]
    assert log_loss_sum / rows == pytest.approx(
        log_loss(data["kind"], np.stack([data[f"of_{c}"] for c in "abc"], axis=1)),
        rel=1e-9,
    )


@pytest.mark.parametrize(
    "scores",
    [["of_c", "of_a", "of_b"], {"a": "of_c", "b": "of_a", "c": "of_b"}],
)
def test_scores_that_are_said_stay_where_rows_contradict(scores: Any) -> None:
    columns = ["said_kind", "of_a", "of_b", "of_c"]
    baseline = built("kind", columns, data=of_three(), scores=scores)

    found = baseline.content.performance
    assert found is not None
    assert found.truth.scores == ("of_c", "of_a", "of_b")
    assert any("scores= has another order" in note for note in baseline.notes)


def test_columns_that_fit_no_class_are_no_scores() -> None:
    data = of_three()
    data["of_b"] = 1 - data["of_b"]

    baseline = built("kind", ["said_kind", "of_a", "of_b", "of_c"], data=data)

    found = baseline.content.performance
    assert found is not None
    assert found.truth.scores == ()
    assert found.truth.prediction == "said_kind"
    assert any("No scores are taken: of_b is not" in note for note in baseline.notes)


def test_of_two_columns_the_positive_one_is_kept() -> None:
    data = rows()
    data["q"] = 1 - data["p"]

    for columns in (["said", "p", "q"], ["said", "q", "p"]):
        assert performance("flag", columns, data=data).truth.scores == ("p",)
    truth = performance("flag", ["p", "q"], data=data, positive=0).truth
    assert (truth.classes, truth.scores) == (("1", "0"), ("q",))


def of_good() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    risk = rng.random(ROWS)
    return {
        "x": rng.normal(size=ROWS),
        "city": rng.choice(["A", "B"], ROWS),
        "risk": risk,
        "outcome": np.where(rng.random(ROWS) < risk, "bad", "good"),
        "said_outcome": np.where(risk > 0.5, "bad", "good"),
    }


@pytest.mark.parametrize("columns", [["risk"], ["said_outcome", "risk"]])
def test_the_positive_class_is_the_one_with_higher_scores(columns: list[str]) -> None:
    data = of_good()

    baseline = built("outcome", columns, data=data)

    found = baseline.content.performance
    assert found is not None
    assert found.truth.classes == ("good", "bad")
    assert found.truth.scores == ("risk",)
    assert any("bad is taken as the positive class" in note for note in baseline.notes)
    brier = found.sums[3] / found.sums[0]
    assert brier == pytest.approx(
        brier_score_loss(data["outcome"] == "bad", data["risk"]), rel=1e-9
    )


@pytest.mark.parametrize(
    ("options", "classes"),
    [
        ({"positive": "good"}, ("bad", "good")),
        ({"scores": {"good": "risk"}}, ("bad", "good")),
    ],
)
def test_a_positive_class_that_is_said_stays_where_rows_contradict(
    options: dict[str, Any], classes: tuple[str, ...]
) -> None:
    baseline = built("outcome", "risk", data=of_good(), **options)

    found = baseline.content.performance
    assert found is not None
    assert found.truth.classes == classes
    assert any("though it is said to be" in note for note in baseline.notes)


def test_a_score_by_its_class_says_which_one_is_positive() -> None:
    baseline = built("outcome", "risk", data=of_good(), scores={"bad": "risk"})

    found = baseline.content.performance
    assert found is not None
    assert found.truth.classes == ("good", "bad")
    assert notes_on_scores(baseline) == []


def test_a_score_of_the_other_class_alone_is_refused() -> None:
    with pytest.raises(BaselineError, match="scores do not fit"):
        built(
            "outcome", "risk", data=of_good(), scores={"bad": "risk"}, positive="good"
        )


def test_chance_contradicts_nothing() -> None:
    rng = np.random.default_rng(11)
    for _ in range(20):
        data = rows(p=rng.random(ROWS))
        baseline = built("flag", "p", data=data)

        found = baseline.content.performance
        assert found is not None
        assert found.truth.classes == ("0", "1")
        assert notes_on_scores(baseline) == []


def test_few_rows_contradict_nothing() -> None:
    data = {
        "x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "city": ["A", "B"] * 3,
        "flag": [0, 0, 0, 1, 1, 1],
        "p": [0.9, 0.8, 0.7, 0.1, 0.2, 0.3],
    }

    baseline = built("flag", "p", data=data)

    found = baseline.content.performance
    assert found is not None
    assert found.truth.classes == ("0", "1")
    assert notes_on_scores(baseline) == []


@pytest.mark.parametrize("size", [1e160, 1e300, 1.5e308])
def test_numbers_too_large_to_be_compared_are_said_to_be(
    size: float, tmp_path: Path
) -> None:
    data = rows()
    sign = np.where(data["p"] > 0.5, 1.0, -1.0)
    data |= {"amount": data["p"] * size * sign, "guess": -data["p"] * size * sign}

    baseline = built("amount", "guess", data=data)
    baseline.save(tmp_path / "model.swb")

    assert baseline.content.performance is None
    assert any("too large to be compared" in note for note in baseline.notes)
    assert Baseline.load(tmp_path / "model.swb").digest == baseline.digest
