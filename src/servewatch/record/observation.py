"""What travels from the request path to the drain: plain tuples, nothing shared.

Everything here is built inside a request, so it holds what was seen and computes
nothing; the drain makes columns and counts of it later.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Form = Literal["bytes", "flat", "rows", "dicts", "columns", "frame", "unsupported"]
Outcome = Literal["ok", "error", "error_after_start", "client_closed"]

CLIENT_CLOSED = 499  # nginx's number for a client that went away; HTTP has none


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


class Exchange(NamedTuple):
    """One served request with the calls made for it: one observation.

    `status` is what was sent, 500 where nothing was; `first_byte_seconds` is None when
    no byte of a body was sent.
    """

    route: str
    method: str
    status: int
    request_seconds: float
    first_byte_seconds: float | None
    outcome: Outcome
    calls: list[Call]
    id: str | None = None

    @property
    def counted_status(self) -> int:
        """The status to count: a request that broke midway is no success.

        >>> Exchange("/", "GET", 200, 0.1, 0.1, "error_after_start", []).counted_status
        500
        """
        if self.outcome == "client_closed":
            return CLIENT_CLOSED
        return 500 if self.outcome != "ok" and self.status < 500 else self.status

    @property
    def is_failed(self) -> bool:
        """Whether the service is to blame; a client that went away is not a failure."""
        return self.counted_status >= 500


Observation = Call | Exchange


def calls_of(observation: Observation) -> list[Call]:
    """Give the model calls in *observation*."""
    return observation.calls if isinstance(observation, Exchange) else [observation]


def rows_of(observation: Observation) -> int:
    """Count the rows received with *observation*, before sampling."""
    return sum(call.features.total for call in calls_of(observation))
