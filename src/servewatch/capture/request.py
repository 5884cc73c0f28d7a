"""The request being served: who asks, and what the model was asked for it."""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType

from servewatch.record.joining import is_same
from servewatch.record.observation import Call, Snapshot
from servewatch.record.recorder import TUPLE_BYTES, Recorder, size_of

JOINED_CALLS = 16
JOINED_BYTES = 64 * 1024  # held outside the bounded buffer while a request is open


class Request:
    """One request: its id, the calls made for it, and the number of its next row.

    It is closed once its answer is complete; calls made later (in a background task)
    are recorded by themselves, and so are calls too many or too large to wait for the
    end of a long request. Only calls of *recorder*'s own model join it: another model
    on the same app keeps its own.
    """

    # On the class until they change: most requests are over before they do.
    closed = False
    next_row = 0
    held = 0

    def __init__(self, id: str, recorder: Recorder) -> None:  # noqa: A002 - its name
        self.id = id
        self.recorder = recorder
        self.calls: list[Call] = []


new_tuple = tuple.__new__  # a third of the price of a named tuple's constructor
_current: ContextVar[Request | None] = ContextVar("servewatch_request", default=None)
current = _current.get
enter = _current.set


def leave(token: Token[Request | None]) -> None:
    """Undo `enter`, unless the code in between ended in another context."""
    try:
        _current.reset(token)
    except ValueError:  # a generator finished by another task
        _current.set(None)


def current_id() -> str | None:
    """Give the prediction id of the request being served; None outside of any.

    >>> current_id() is None
    True
    """
    request = current()
    return None if request is None else request.id


def record(  # noqa: PLR0917 - keywords cost 0.2 µs a request
    recorder: Recorder,
    request: Request | None,
    features: Snapshot,
    prediction: Snapshot | None,
    method: str,
    seconds: float | None,
    at: float | None,
    error: str | None,
) -> None:
    """Record a call with its request, or by itself where there is none.

    Rows already given to another method in this request keep their numbers.
    """
    name, first = None, 0
    if request is not None:
        name, first = request.id, request.next_row
        calls = request.calls
        if calls and _continues(calls[-1], method, features):
            features = features._replace(total=0)
            name, first = calls[-1].id, calls[-1].first_row
        else:
            request.next_row = first + features.total
    call = new_tuple(
        Call, (features, prediction, method, seconds, at, error, name, first)
    )
    if request is None or request.closed or request.recorder is not recorder:
        recorder.record_call(call)
        return
    held = request.held + features.size + TUPLE_BYTES
    if prediction is not None:
        held += prediction.size
    if held > JOINED_BYTES or len(calls) >= JOINED_CALLS:
        recorder.record_call(call)
        return
    request.held = held
    calls.append(call)


def _continues(last: Call, method: str, features: Snapshot) -> bool:
    return last.method != method and is_same(last.features, features)


class RequestScope:
    """A request under the caller's own id: `with watch.request(id=order_id)`.

    Inside a served request the calls stay part of it, and carry this id.
    """

    __slots__ = ("_outer", "_recorder", "_request", "_token")

    def __init__(self, recorder: Recorder, id: str) -> None:  # noqa: A002 - its name
        self._recorder = recorder
        self._request = Request(id, recorder)
        self._outer: Request | None = None
        self._token: Token[Request | None] | None = None

    def __enter__(self) -> Request:
        self._outer = current()
        self._token = enter(self._request)
        return self._request

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            leave(self._token)
        self._request.closed = True
        for call in self._request.calls:
            if not self._joins(call):
                self._recorder.record_call(call)

    def _joins(self, call: Call) -> bool:
        """Hand *call* on to the served request around this one, if there is one."""
        outer = self._outer
        if outer is None or outer.closed or outer.recorder is not self._recorder:
            return False
        held = outer.held + size_of(call)
        if held > JOINED_BYTES or len(outer.calls) >= JOINED_CALLS:
            return False
        outer.held = held
        outer.calls.append(call)
        return True
