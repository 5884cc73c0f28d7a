"""What travels from the request path to the drain: plain tuples, nothing shared.

Everything here is built inside a request, so it holds what was seen and computes
nothing; the drain makes columns and counts of it later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Form = Literal["bytes", "flat", "rows", "dicts", "columns", "frame", "unsupported"]
Outcome = Literal["ok", "error", "error_after_start", "client_closed"]

NANO = 1_000_000_000
CLIENT_CLOSED = 499  # nginx's number for a client that went away; HTTP has none
TIMED_OUT = frozenset({408, 504})
REJECTED = frozenset({400, 413, 415, 422})  # the input was refused, not the caller

Marks = tuple[bool, bytes | None, bool]
"""What few requests have: whether the application raised a TimeoutError; the key that
says so if it is tried again; whether a fallback answered in the model's place."""


class Snapshot(NamedTuple):
    """A copy of features or predictions that their owner may no longer change.

    `form` says what `data` is: "bytes" of a numeric array of `dtype` and `shape`;
    "flat" a tuple of scalars; "rows" a list of equally named tuples; "dicts" a list of
    dicts with differing keys; "columns" one sequence a name; "frame" a large data
    frame; "unsupported" the reason why nothing could be copied. `rows` were kept of
    `total`, those at `picks` where not all; `size` is what they hold, in bytes.
    """

    form: Form
    names: tuple[Any, ...] | None
    data: Any
    rows: int
    size: int
    total: int
    dtype: np.dtype[Any] | None = None
    shape: tuple[int, ...] = ()
    picks: NDArray[np.intp] | None = None

    @property
    def flat_length(self) -> int | None:
        """The length of a flat sequence; None for other forms.

        >>> Snapshot("flat", None, (1.0, 2.0), 1, 64, 1).flat_length
        2
        """
        if self.form == "flat":
            return len(self.data)
        if self.form == "bytes" and len(self.shape) == 1:
            return self.shape[0]
        return None


class Call(NamedTuple):
    """One call of the model.

    `seconds` is None where nobody measured; `at` is the event's Unix time where the
    caller gave one; `error` names the type of the exception the model raised. Its rows
    are numbered from `first_row` within the request called `id`.
    """

    features: Snapshot
    prediction: Snapshot | None
    method: str
    seconds: float | None
    at: float | None = None
    error: str | None = None
    id: str | None = None
    first_row: int = 0


Row = tuple[int, bytes, Any, int]
"""One row in its `Lane`: the lane's number, the row's bytes, its answer, and how long
its call took (ns). Nothing in it refers to anything else, so that the collector of
garbage lets go of it at first sight: thousands may wait for the drain."""


class Exchange(NamedTuple):
    """One served request with the calls made for it.

    `route` is a template; `status` is what was sent, 500 where nothing was. It took
    `took` nanoseconds, and `first` until the first byte of a body was handed over, 0
    when none was. The only call, where it was of one row in its lane,
    is `row`; all others are in `calls`. `name` is the prediction id in bytes, `trace`
    the id of the trace it belongs to, in hex; `marks` are None for most.

    On the request path it is a plain tuple in this order.
    """

    route: str
    method: str
    status: int
    took: int
    first: int
    outcome: Outcome
    row: Row | None = None
    calls: Sequence[Call] | None = None
    name: bytes | None = None
    trace: str | None = None
    marks: Marks | None = None

    @property
    def request_seconds(self) -> float:
        """From the request to the last byte.

        >>> Exchange("/", "GET", 200, 2_000_000, 0, "ok").request_seconds
        0.002
        """
        return self.took / NANO

    @property
    def first_byte_seconds(self) -> float | None:
        """From the request to the first byte; None where no byte was sent."""
        return self.first / NANO if self.first else None

    @property
    def id(self) -> str | None:
        """The prediction id."""
        return None if self.name is None else self.name.decode("latin-1")


ROW, CALLS, TOOK, NAME, TRACE, MARKS = map(
    Exchange._fields.index, ("row", "calls", "took", "name", "trace", "marks")
)


def counted_status(status: int, outcome: Outcome) -> int:
    """Give the status to count: a request that broke midway is no success.

    >>> counted_status(200, "error_after_start")
    500
    """
    if outcome == "client_closed":
        return CLIENT_CLOSED
    return 500 if outcome != "ok" and status < 500 else status


def failure(status: int, outcome: Outcome) -> str | None:
    """Give how a request failed, as far as its end says; None where it says nothing.

    >>> failure(504, "ok"), failure(422, "ok"), failure(200, "client_closed")
    ('timeouts', 'rejected', 'disconnects')
    """
    if outcome == "client_closed":
        return "disconnects"
    if status in TIMED_OUT:
        return "timeouts"
    return "rejected" if status in REJECTED and outcome == "ok" else None


def size_of(call: Call | Row) -> int:
    """Give the bytes of values that *call* keeps alive."""
    if not isinstance(call, Call):
        answer = call[2]
        return len(call[1]) + (len(answer) if type(answer) is bytes else 0)
    prediction = call.prediction
    size = call.features.size
    return size if prediction is None else size + prediction.size


def rows_of(calls: Iterable[Call | Row]) -> int:
    """Count the rows received with *calls*, before sampling."""
    return sum(c.features.total if isinstance(c, Call) else 1 for c in calls)


def sum_rows(exchanges: Sequence[Sequence[Any]]) -> int:
    """Count the rows received with many exchanges."""
    rows = [exchange[ROW] for exchange in exchanges]
    return (
        len(rows)
        - rows.count(None)
        + sum([rows_of(exchange[CALLS]) for exchange in exchanges if exchange[CALLS]])
    )


def rows_with(exchange: Sequence[Any]) -> int:
    """Count the rows received with an exchange."""
    row, calls = exchange[ROW], exchange[CALLS]
    return (row is not None) + (rows_of(calls) if calls else 0)
