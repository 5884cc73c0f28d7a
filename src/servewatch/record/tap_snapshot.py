"""Copies of what is seen between two steps: dense as features are, or sparse."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import copy_context
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from servewatch.record import frames
from servewatch.record.keeping import SNAPSHOT_BYTES, Sampler, unsupported
from servewatch.record.observation import Snapshot
from servewatch.record.snapshot import USUAL_BYTES, snapshot_features

KINDS = frozenset({"scipy._spbase", "scipy.spmatrix"})
_sampler = Sampler()


class SparseRows(NamedTuple):
    """Rows of a sparse matrix, compressed by row as scipy's CSR is."""

    values: NDArray[Any]
    columns: NDArray[Any]
    ends: NDArray[Any]
    width: int


def snapshot_tap(value: Any, most: int) -> Snapshot:
    """Copy up to *most* rows of *value*, drawn at random where there are more.

    A sparse matrix stays one (its `data` are `SparseRows`), for it may span gigabytes:
    the drain makes an array of the few columns that are watched.

    >>> snapshot_tap([[1.0, 2.0]], 8192).rows
    1
    """
    if type(value) is np.ndarray and value.nbytes <= USUAL_BYTES and value.shape:
        if value.shape[0] <= most:  # no row is drawn
            return snapshot_features(value, most)
    elif frames.known(value) in KINDS:
        return _sparse(value, most)
    # In a context of its own: which rows the model's next call keeps must not change.
    return copy_context().run(snapshot_features, value, most, "tap")


def columns_of(snapshots: Sequence[Snapshot], places: NDArray[np.intp]) -> Any:
    """Give the columns at *places* of sparse rows, as an array (rows, places)."""
    from scipy import sparse

    parts: list[SparseRows] = [snapshot.data for snapshot in snapshots]
    values = np.concatenate([part.values for part in parts])
    columns = np.concatenate([part.columns for part in parts])
    lengths = np.concatenate([np.diff(part.ends) for part in parts])
    ends = np.concatenate([[0], np.cumsum(lengths)])
    shape = lengths.size, parts[0].width
    whole = sparse.csr_matrix((values, columns, ends), shape=shape)
    return whole[:, places].toarray()


def _sparse(matrix: Any, most: int) -> Snapshot:
    if matrix.ndim != 2:
        return unsupported("shape")
    rows, width = matrix.shape
    is_ready = matrix.format == "csr"
    if not is_ready:
        if matrix.nnz > frames.STORED:  # to turn it would take too long
            return unsupported("unsupported", rows)
        matrix = matrix.tocsr()
    held = _bytes(matrix)
    kept = min(rows, most, max(1, int(rows * SNAPSHOT_BYTES / max(held, 1))))
    if kept < rows:
        matrix, is_ready = matrix[_sampler.draw(rows, kept, "tap")], False
        held = _bytes(matrix)
    stored = matrix.indptr[-1]  # there may be room for more
    data, indices, ends = matrix.data[:stored], matrix.indices[:stored], matrix.indptr
    if is_ready:  # its owner's
        data, indices, ends = data.copy(), indices.copy(), ends.copy()
    rows_kept = SparseRows(data, indices, ends, width)
    return Snapshot("frame", None, rows_kept, kept, held, rows)


def _bytes(matrix: Any) -> int:
    return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)
