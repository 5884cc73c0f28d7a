"""A Judge's evidence to bytes and back, so that a restart forgets nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from servewatch.judge.judge import Judge

VERSION = 2


class _Array(msgspec.Struct, array_like=True, frozen=True):
    kind: str
    shape: tuple[int, ...]
    raw: bytes


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    version: int
    arrays: list[_Array]
    histories: list[_Array]
    numbers: list[int]
    gate_since: float
    schema_found: list[str]
    schema_public: list[str]
    schema_since: float
    stages: list[str]
    calibrated: list[str]


def pack_judge(judge: Judge) -> bytes:
    """Give everything that `observe` changed, as bytes."""
    gate, schema = judge.gate, judge.schema_change
    return msgspec.msgpack.encode(
        _Packed(
            version=VERSION,
            arrays=[_pack(getattr(owner, name)) for owner, name in _arrays(judge)],
            histories=[
                _pack(judge.recent.table()),
                _pack(judge.recent_labels.table()),
                _pack(judge.envelope.table()),
            ],
            numbers=[
                judge.blocks,
                gate.rows,
                int(gate.latched),
                int(schema.is_gating),
                schema.onset_block,
            ],
            gate_since=gate.since,
            schema_found=list(schema.found),
            schema_public=list(schema.found_public),
            schema_since=schema.since,
            stages=[] if judge.slots is None else judge.slots.names,
            calibrated=[] if judge.slots is None else sorted(judge.slots.calibrated),
        )
    )


def _pack(array: NDArray[Any]) -> _Array:
    little = array.astype(array.dtype.newbyteorder("<"))
    return _Array(little.dtype.str, array.shape, little.tobytes())


def _unpack(packed: _Array) -> NDArray[Any]:
    return np.frombuffer(packed.raw, np.dtype(packed.kind)).reshape(packed.shape)


def unpack_judge(judge: Judge, raw: bytes) -> None:
    """Put the state in *raw* into *judge*, which was made from the same baseline.

    Raises ValueError, with *judge* unchanged, if the state does not fit.
    """
    slots = list(_arrays(judge))
    try:
        packed = msgspec.msgpack.decode(raw, type=_Packed)
        now = [getattr(owner, name) for owner, name in slots]
        arrays = [
            _unpack(array).astype(old.dtype)
            for array, old in zip(packed.arrays, now, strict=True)
        ]
        recent, labels, envelope = map(_unpack, packed.histories)
        blocks, rows, latched, is_gating, onset = packed.numbers
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        message = f"not the state of this judge: {error}"
        raise ValueError(message) from error
    shapes = [array.shape for array in arrays] == [array.shape for array in now]
    widths = recent.shape[1:], labels.shape[1:], envelope.shape[1:]
    own = judge.recent.table().shape[1:]
    fits = widths == (own, own, judge.envelope.table().shape[1:])
    if packed.version != VERSION or not (shapes and fits):
        message = f"not the state of this judge: version {packed.version}, other shapes"
        raise ValueError(message)
    for (owner, name), array in zip(slots, arrays, strict=True):
        setattr(owner, name, array)
    judge.recent.restore(recent)
    judge.recent_labels.restore(labels)
    judge.envelope.restore(envelope)
    judge.blocks, judge.gate.rows, judge.gate.latched = blocks, rows, bool(latched)
    judge.gate.since = packed.gate_since
    schema = judge.schema_change
    schema.found, schema.since = tuple(packed.schema_found), packed.schema_since
    schema.found_public = tuple(packed.schema_public)
    schema.is_gating, schema.onset_block = bool(is_gating), onset
    if judge.slots is not None:
        judge.slots.names = packed.stages
        judge.slots.calibrated = set(packed.calibrated)
        judge.name_stages()
    judge.relearn()


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
    yield judge.silence, "state"
    for name in ("on", "dataset", "dataset_on", "dataset_since", "learned"):
        yield judge, name
