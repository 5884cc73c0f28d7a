from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from servewatch.runs.facts import TapFacts
from servewatch.runs.taps import Taps

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array([[1.0, NAN], [INF, 2.0]]), TapFacts(2, 0.25, 0.25)),
        ([[1.0, None], [2.0, 3.0]], TapFacts(2, 0.25, 0.0)),
        (pd.DataFrame({"x": ["a", None], "y": [1.0, NAN]}), TapFacts(2, 0.5, 0.0)),
        (pl.DataFrame({"x": ["a", None], "y": [1.0, 2.0]}), TapFacts(2, 0.25, 0.0)),
        (sparse.csr_matrix(np.eye(4)), TapFacts(4, 0.0, 0.0)),
        ({"x": [1, None], "y": [1, 2]}, TapFacts(2, 0.25, 0.0)),
    ],
    ids=["array", "lists", "pandas", "polars", "sparse", "columns"],
)
def test_tables_of_every_sort_are_counted(value: Any, expected: TapFacts) -> None:
    taps = Taps()
    taps.note("encoded", value)

    assert taps.facts()["encoded"] == expected


def test_batches_add_up() -> None:
    taps = Taps()
    taps.note("encoded", np.full((30, 2), NAN))
    taps.note("encoded", np.zeros((10, 2)))

    assert taps.facts()["encoded"] == TapFacts(40, 0.75, 0.0)


def test_of_a_large_table_a_sample_says_how_much_is_missing() -> None:
    table = pd.DataFrame({"x": np.where(np.arange(100_000) % 4 == 0, NAN, 1.0)})
    taps = Taps()
    taps.note("raw", table)
    found = taps.facts()["raw"]

    assert found.rows == 100_000
    # 8,192 rows drawn of it: six standard errors are 0.029.
    assert found.missing == pytest.approx(0.25, abs=0.03)


def test_a_sparse_matrix_is_never_made_dense() -> None:
    # As an array it would take 40 TB.
    matrix = sparse.csr_matrix(
        ([1.0, NAN, INF, 2.0], ([0, 1, 2, 3], [0, 1, 2, 3])), shape=(5000, 10**9)
    )
    taps = Taps()
    taps.note("encoded", matrix)

    assert taps.facts()["encoded"] == TapFacts(5000, 1 / 5e12, 1 / 5e12)
