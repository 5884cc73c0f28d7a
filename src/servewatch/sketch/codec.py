"""A Window to bytes and back; what comes back is checked like any foreign input."""

from __future__ import annotations

import msgspec
import numpy as np

from servewatch.sketch.layout import Layout
from servewatch.sketch.reservoir import Reservoir
from servewatch.sketch.stages import CELLS, STAGES
from servewatch.sketch.window import UNKNOWN_NAMES, Window

VERSION = 2


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    version: int
    start: float
    end: float
    rows: int
    requests: int
    counts: bytes
    moments: bytes
    keys: bytes
    codes: bytes
    columns: int
    limit: int
    unknown: dict[str, int]
    labels: int
    sums: bytes
    stages: dict[str, bytes]


def pack(window: Window) -> bytes:
    """Give *window* as bytes (msgpack, little endian, versioned)."""
    return msgspec.msgpack.encode(
        _Packed(
            version=VERSION,
            start=window.start,
            end=window.end,
            rows=window.rows,
            requests=window.requests,
            counts=window.counts.astype("<i8").tobytes(),
            moments=window.moments.astype("<f8").tobytes(),
            keys=window.reservoir.keys.astype("<u8").tobytes(),
            codes=window.reservoir.codes.tobytes(),
            columns=window.moments.shape[0],
            limit=window.reservoir.limit,
            unknown=dict(window.unknown),
            labels=window.labels,
            sums=window.sums.astype("<f8").tobytes(),
            stages={
                name: cells.astype("<i8").tobytes()
                for name, cells in window.stages.items()
            },
        )
    )


def unpack(raw: bytes, layout: Layout) -> Window:
    """Give the window in *raw*, counted by *layout*.

    Raises ValueError on anything else: a store is foreign input.
    """
    size, columns, sums = layout.size, len(layout.bins), layout.sums_size
    kept = len(layout.scored.bins)  # rows that are kept have no columns of taps
    try:
        packed = msgspec.msgpack.decode(raw, type=_Packed)
        counts = np.frombuffer(packed.counts, "<i8").astype(np.int64)
        moments = np.frombuffer(packed.moments, "<f8").astype(float)
        keys = np.frombuffer(packed.keys, "<u8").astype(np.uint64)
        codes = np.frombuffer(packed.codes, np.uint8).reshape(keys.size, kept)
        moments = moments.reshape(columns, 5)
        totals = np.frombuffer(packed.sums, "<f8").astype(float)
        stages = {
            name: np.frombuffer(cells, "<i8").astype(np.int64)
            for name, cells in packed.stages.items()
        }
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        message = f"not a window of {size} cells and {columns} columns: {error}"
        raise ValueError(message) from error
    fits = (
        packed.version == VERSION
        and packed.columns == columns
        and counts.size == size
        and totals.size == sums
        and bool(np.isfinite(totals).all())
        and min(counts.min(initial=0), packed.rows, packed.requests, packed.labels) >= 0
        and keys.size <= packed.limit
        and (keys[1:] >= keys[:-1]).all()
    )
    fits = fits and len(stages) <= STAGES + 1
    fits = fits and all(c.size == CELLS and c.min() >= 0 for c in stages.values())
    if not fits or len(packed.unknown) > UNKNOWN_NAMES:
        message = (
            f"not a window of {size} non-negative cells, version {VERSION}: "
            f"found {counts.size} cells, version {packed.version}"
        )
        raise ValueError(message)
    return Window(
        start=packed.start,
        end=packed.end,
        counts=counts,
        moments=moments,
        reservoir=Reservoir(keys, codes.copy(), packed.limit),
        rows=packed.rows,
        requests=packed.requests,
        unknown=packed.unknown,
        labels=packed.labels,
        sums=totals,
        stages=stages,
    )
