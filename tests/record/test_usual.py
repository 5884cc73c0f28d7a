"""What most callers give is copied the short way, and means what it did."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from servewatch.record.keeping import WIDEST, Keep
from servewatch.record.snapshot import _copy, snapshot_features

USUAL: dict[str, Any] = {
    "dict": {"a": 0.5, "b": None},
    "empty dict": {},
    "list of a dict": [{"a": 0.5, "b": "red"}],
    "list of an empty dict": [{}],
    "list of a list": [[0.5, 1.5]],
    "list of an empty list": [[]],
    "numbers": [0.5, 1, True],
    "numbers and a text": [0.5, "red"],
    "array of one dimension": np.array([0.5, 1.5]),
    "whole numbers": np.array([1, 2]),
}


@pytest.mark.parametrize("form", USUAL)
def test_the_short_way_gives_what_the_long_way_does(form: str) -> None:
    value = USUAL[form]

    assert snapshot_features(value, 8192) == _copy(value, Keep(8192))


OTHERS: dict[str, Any] = {
    "dict of columns": {"a": [0.5, 1.5], "b": [1.5, 2.5]},
    "two dicts": [{"a": 0.5}, {"a": 1.5}],
    "two lists": [[0.5], [1.5]],
    "nothing": [],
    "texts": ["red", "green"],
    "longer than a row": [0.5] * (WIDEST + 1),
    "a long array": np.zeros(WIDEST + 1),
}


@pytest.mark.parametrize("form", OTHERS)
def test_what_is_no_single_row_goes_the_long_way(form: str) -> None:
    value = OTHERS[form]

    assert snapshot_features(value, 8192) == _copy(value, Keep(8192))


def test_a_row_is_copied_from_a_list_its_owner_goes_on_with() -> None:
    row: list[Any] = [0.5, 1.5]
    snapshots = [snapshot_features(row, 8192), snapshot_features([row], 8192)]
    row[0] = 9.0

    assert [each.data for each in snapshots] == [(0.5, 1.5), [(0.5, 1.5)]]
