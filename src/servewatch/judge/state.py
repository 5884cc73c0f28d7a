"""A Judge's evidence to bytes and back, so that a restart forgets nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from servewatch.judge.judge import Judge

VERSION = 1


class _Array(msgspec.Struct, array_like=True, frozen=True):
    kind: str
    shape: tuple[int, ...]
    raw: bytes


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    version: int
    arrays: list[_Array]
    numbers: list[int]
    schema_found: list[str]
    schema_since: float


def pack_judge(judge: Judge) -> bytes:
    """Give everything that `observe` changed, as bytes."""
    arrays = []
    for owner, name in _arrays(judge):
        array = getattr(owner, name)
        little = array.astype(array.dtype.newbyteorder("<"))
        arrays.append(_Array(little.dtype.str, array.shape, little.tobytes()))
    return msgspec.msgpack.encode(
        _Packed(
            version=VERSION,
            arrays=arrays,
            numbers=[judge.blocks, judge.gate.rows, int(judge.gate.latched)],
            schema_found=list(judge.schema_change.found),
            schema_since=judge.schema_change.since,
        )
    )


def unpack_judge(judge: Judge, raw: bytes) -> None:
    """Put the state in *raw* into *judge*, which was made from the same baseline.

    Raises ValueError, with *judge* unchanged, if the state does not fit.
    """
    slots = list(_arrays(judge))
    try:
        packed = msgspec.msgpack.decode(raw, type=_Packed)
        now = [getattr(owner, name) for owner, name in slots]
        arrays = [
            np.frombuffer(a.raw, np.dtype(a.kind)).reshape(a.shape).astype(old.dtype)
            for a, old in zip(packed.arrays, now, strict=True)
        ]
        blocks, rows, latched = packed.numbers
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        message = f"not the state of this judge: {error}"
        raise ValueError(message) from error
    if packed.version != VERSION or [a.shape for a in arrays] != [a.shape for a in now]:
        message = f"not the state of this judge: version {packed.version}, other shapes"
        raise ValueError(message)
    for (owner, name), array in zip(slots, arrays, strict=True):
        setattr(owner, name, array)
    judge.blocks, judge.gate.rows, judge.gate.latched = blocks, rows, bool(latched)
    judge.schema_change.found = tuple(packed.schema_found)
    judge.schema_change.since = packed.schema_since
    judge.adopt_learned()


def _arrays(judge: Judge) -> Iterator[tuple[object, str]]:
    """Name every array that carries state from block to block."""
    for evidence in judge.levels:
        for name in ("ratios", "onset", "onset_block", "hits", "rows"):
            yield evidence, name
    yield from judge.dependence.state()
    yield judge.gate, "logs"
    for name in ("runs", "since"):
        yield judge.source_down, name
    for name in ("culprit", "share", "since"):
        yield judge.envelope, name
    for name in ("on", "dataset", "dataset_on", "dataset_since", "rows", "learned"):
        yield judge, name
