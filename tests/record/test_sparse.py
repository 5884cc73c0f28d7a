"""Sparse matrices are counted row by row, and never made dense on the path."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from servewatch.record.snapshot import snapshot_features
from tests.record.seen import NUMBERS, seen

ROWS = np.array([[0.5, 1.5]] * 100)


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr"])
def test_every_row_of_a_sparse_batch_is_counted_in_column_order(form: str) -> None:
    matrix: Any = sparse.csr_array(ROWS)

    counted = seen(matrix.asformat(form), layout=NUMBERS)

    assert counted.ordinary("a") == [0, 100, 0, 0]
    assert counted.ordinary("b") == [0, 0, 100, 0]


def test_many_rows_stay_sparse_until_the_drain() -> None:
    matrix = sparse.csr_matrix(([1.0], ([0], [0])), shape=(5000, 1000))

    assert sparse.issparse(snapshot_features(matrix, 8192).data)


def test_a_batch_may_be_reused_as_soon_as_it_is_recorded() -> None:
    matrix = sparse.csr_matrix(ROWS)
    copied = snapshot_features(matrix, 8192)
    matrix.data[:] = 9.0

    assert copied.data.max() == 1.5


def test_a_flat_sparse_array_is_a_row() -> None:
    counted = seen(sparse.coo_array(np.array([0.5, 1.5])), layout=NUMBERS)

    assert counted.ordinary("a") == [0, 1, 0, 0]


def test_rows_wider_than_any_baseline_are_counted_as_unsupported() -> None:
    wide = sparse.csr_matrix((3, 1_000_000))

    assert seen(wide, layout=NUMBERS).totals.dropped == {"unsupported": 3}
