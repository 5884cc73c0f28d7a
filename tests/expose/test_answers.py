from __future__ import annotations

import json

import numpy as np
import pytest

from servewatch.expose.answers import encode


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_becomes_null(number: float) -> None:
    assert encode([number]) == b"[null]"


def test_numpy_numbers_are_numbers() -> None:
    assert encode([np.int64(3), np.float64(0.5), np.arange(2)]) == b"[3,0.5,[0,1]]"


def test_half_a_character_costs_no_answer() -> None:
    assert json.loads(encode({"col\ud800": ["\udfff"]})) == {"col?": ["?"]}


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="has no place in an answer"):
        encode(object())
