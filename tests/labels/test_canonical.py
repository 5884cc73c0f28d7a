from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from servewatch.labels.canonical import canonical
from servewatch.sketch.truth import Truth

FLAG = Truth(task="classification", target="y", classes=("0", "1"))
WORDS = Truth(task="classification", target="y", classes=("no", "true", "yes"))
AMOUNT = Truth(task="regression", target="y")


@pytest.mark.parametrize("label", [1, 1.0, True, "1", "true", np.int64(1), Decimal(1)])
def test_one_class_has_one_text(label: object) -> None:
    assert canonical(FLAG, label) == "1"


def test_a_class_that_is_called_true_stays_what_it_is() -> None:
    assert canonical(WORDS, True) == "true"
    assert canonical(WORDS, "true") == "true"


@pytest.mark.parametrize("label", ["maybe", "YES", "2", 0.5, "", float("inf")])
def test_a_class_never_seen_is_no_label_for_it_could_not_be_mended(
    label: object,
) -> None:
    assert canonical(FLAG, label) is None
    assert canonical(WORDS, label) is None


@pytest.mark.parametrize("label", ["1.0", " 1", "True", "TRUE", "1e0", "+1"])
def test_a_text_says_the_class_that_it_means(label: str) -> None:
    assert canonical(FLAG, label) == "1"


def test_a_text_that_is_a_class_is_that_one() -> None:
    texts = Truth(task="classification", target="y", classes=("1.0", "2.0"))
    truths = Truth(task="classification", target="y", classes=("False", "True"))

    assert canonical(texts, "1.0") == "1.0"
    assert canonical(truths, "True") == canonical(truths, True) == "True"
    assert canonical(truths, "false") == "False"


@pytest.mark.parametrize("label", [3, 3.0, "3", "3.0", " 3 ", "3e0", np.float32(3)])
def test_one_number_has_one_text(label: object) -> None:
    assert canonical(AMOUNT, label) == "3.0"


def test_negative_zero_is_zero() -> None:
    assert canonical(AMOUNT, -0.0) == canonical(AMOUNT, 0)


@pytest.mark.parametrize(
    "label",
    [None, float("nan"), float("inf"), "nan", "1_0", "٣", True, [1], {"a": 1}, 10**400],
)
def test_what_is_no_number_is_no_label_of_a_number(label: object) -> None:
    assert canonical(AMOUNT, label) is None


@pytest.mark.parametrize("label", [None, float("nan"), [1], {"a": 1}, "\ud800", b"x"])
def test_what_is_no_category_is_no_class(label: object) -> None:
    assert canonical(FLAG, label) is None
