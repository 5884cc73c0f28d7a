"""The lane for what is asked most: one row of numbers, answered at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servewatch.record.observation import NANO, Call, Row, Snapshot

LANES = 64  # a caller's odd arrays make no more
FLOAT64 = np.dtype(np.float64)
LANE_BYTES = 4096  # of one row's features, or of its answer; others take longer


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """What calls of one method have in common while they are given one row each.

    A recorder numbers its lanes; `number` is this one's.

    Features are an array of `dtype` of `row_bytes`, answers one of `answers` values of
    `answer_dtype`. What is common is kept here once, and a row is but what differs.
    """

    number: int
    method: str
    dtype: np.dtype[Any]
    row_bytes: int
    answer_dtype: np.dtype[Any]
    answers: int
    answer_type: type  # of one answer as a Python value, else of an array of them

    def packed(self, answer: NDArray[Any]) -> bytes | None:
        """Give an answer of several values as bytes; None where it is no such."""
        is_ours = answer.dtype == self.answer_dtype and answer.shape == (
            1,
            self.answers,
        )
        return answer.tobytes() if is_ours else None

    def row(self, features: Snapshot, result: Any, seconds: float | None) -> Row | None:
        """Give a call as a row in this lane; None where it does not fit in."""
        if (
            features.dtype is not self.dtype
            or features.size != self.row_bytes
            or features.total != 1
            or seconds is None
        ):
            return None
        answer = result
        if type(result) is np.ndarray and result.size == 1:
            answer = result.item()
        if type(answer) is not self.answer_type:
            return None
        if self.answers > 1:
            answer = self.packed(result)
        took = round(seconds * NANO)
        return None if answer is None else (self.number, features.data, answer, took)

    def features(self, raws: Sequence[bytes]) -> Snapshot:
        """Give the features of as many rows as one snapshot."""
        count, raw = len(raws), b"".join(raws)
        shape = (count, self.row_bytes // self.dtype.itemsize)
        return Snapshot("bytes", None, raw, count, len(raw), count, self.dtype, shape)

    def call(self, rows: Sequence[Row]) -> Call:
        """Give one call of as many rows; without a time of its own.

        >>> lane = Lane(0, "predict", np.dtype(float), 16, np.dtype(float), 1, float)
        >>> lane.call([(0, bytes(16), 0.5, 9)]).features.shape
        (1, 2)
        """
        count = len(rows)
        # One pass: on rows strewn over the heap a second takes a third more.
        _, raws, answers, _ = zip(*rows, strict=True)
        prediction = None
        if self.answers > 1:
            raw, dtype = b"".join(answers), self.answer_dtype
        else:  # the dtype that opened the lane need not hold all that came later
            array = np.array(answers)
            raw, dtype = array.tobytes(), array.dtype
            if dtype.kind == "O":  # integers beyond 64 bits
                prediction = Snapshot("flat", None, answers, count, len(raw), count)
        if prediction is None:
            size, shape = len(raw), (count, self.answers)
            prediction = Snapshot("bytes", None, raw, count, size, count, dtype, shape)
        return Call(self.features(raws), prediction, self.method, None)

    def whole(self, row: Row, id: str | None = None) -> Call:  # noqa: A002 - its name
        """Give a row as a call like any other, of the request called *id*."""
        return self.call([row])._replace(seconds=row[3] / NANO, id=id)


class Lanes:
    """The lanes of one recorder, in the order of their numbers; at most 64.

    >>> lanes = Lanes()
    >>> lane = lanes.open("predict", np.dtype(float), 8, np.dtype(float), 1)
    >>> lanes[0] is lane is lanes.open(
    ...     "predict", np.dtype(float), 8, np.dtype(float), 1
    ... )
    True
    """

    def __init__(self) -> None:
        """Know none."""
        self._lanes: list[Lane] = []
        self._numbers: dict[tuple[object, ...], int] = {}
        self.after_fork()

    def after_fork(self) -> None:
        """Take a lock that no thread of the parent holds."""
        self._opening = Lock()

    def __len__(self) -> int:
        return len(self._lanes)

    def __getitem__(self, number: int) -> Lane:
        return self._lanes[number]

    def open(
        self,
        method: str,
        dtype: np.dtype[Any],
        row_bytes: int,
        answer_dtype: np.dtype[Any],
        answers: int,
    ) -> Lane | None:
        """Give the lane for such calls; None where there are too many kinds of them."""
        key = method, dtype, row_bytes, answer_dtype, answers
        number = self._numbers.get(key)
        if number is not None:
            return self._lanes[number]
        if len(self._lanes) >= LANES:
            return None
        with self._opening:
            if key in self._numbers:
                return self._lanes[self._numbers[key]]
            kind = (
                type(np.zeros(1, answer_dtype).item()) if answers == 1 else np.ndarray
            )
            lane = Lane(len(self._lanes), *key, kind)
            self._lanes.append(lane)
            self._numbers[key] = lane.number
        return lane

    def open_for(self, method: str, features: Snapshot, result: Any) -> Lane | None:
        """Give the lane for calls of *method* like this one; None for odd ones."""
        shape, dtype = features.shape, features.dtype
        if dtype is None or len(shape) != 2 or shape[0] != 1 or features.names:
            return None
        answer_dtype, answers, size = FLOAT64, 1, 8
        if type(result) is np.ndarray:
            answer_dtype, answers, size = result.dtype, result.size, result.nbytes
        elif type(result) is not float:
            return None
        if (
            answer_dtype.kind in "fiub"
            and 0 < size <= LANE_BYTES
            and 0 < features.size <= LANE_BYTES
            and (answers == 1 or (result.ndim == 2 and len(result) == 1))
        ):
            return self.open(method, dtype, features.size, answer_dtype, answers)
        return None

    def whole(self, call: Call | Row, id: str | None = None) -> Call:  # noqa: A002
        """Give a call as it is, and a row in its lane as a call of request *id*."""
        return call if isinstance(call, Call) else self[call[0]].whole(call, id)


NO_LANE = Lane(-1, "", np.dtype("V"), -1, np.dtype("V"), 0, type(None))
