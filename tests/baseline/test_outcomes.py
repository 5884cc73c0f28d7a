from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from servewatch.baseline import Baseline
from servewatch.baseline.profile import Performance
from servewatch.errors import BaselineError
from servewatch.sketch.truth import TruthCells

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
    assert any("50 can be counted" in note for note in baseline.notes)


def test_without_labels_in_evaluation_nothing_is_compared() -> None:
    data = rows()
    held = {name: column for name, column in data.items() if name != "flag"}

    baseline = Baseline.build(
        data, evaluation=held, features=COLUMNS, target="flag", prediction="said"
    )

    assert baseline.content.performance is None
    assert any("no row of evaluation has one" in note for note in baseline.notes)
