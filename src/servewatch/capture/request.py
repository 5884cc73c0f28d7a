"""The request being served: who asks, and what the model was asked for it."""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType

from servewatch.record.joining import is_same
from servewatch.record.observation import Call
from servewatch.record.recorder import Recorder, size_of

JOINED_CALLS = 16
JOINED_BYTES = 64 * 1024  # held outside the bounded buffer while a request is open


class Request:
    """One request: its id, the calls made for it, and the number of its next row.

    It is closed once its answer is complete; calls made later (in a background task)
    are recorded by themselves, and so are calls too many or too large to wait for the
    end of a long request. Only calls of *recorder*'s own model join it: another model
    on the same app keeps its own.
    """

    __slots__ = ("calls", "closed", "held", "id", "next_row", "recorder")

    def __init__(self, id: str, recorder: Recorder) -> None:  # noqa: A002 - its name
        self.id = id
        self.recorder = recorder
        self.calls: list[Call] = []
        self.closed = False
        self.next_row = 0
        self.held = 0


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


def record(recorder: Recorder, request: Request | None, call: Call) -> None:
    """Record *call* with its request, or by itself where it has to.

    Rows already given to another method in this request keep their numbers.
    """
    if request is None:
        recorder.record_call(call)
        return
    last = request.calls[-1] if request.calls else None
    if (
        last is not None
        and last.method != call.method
        and is_same(last.features, call.features)
    ):
        features = call.features._replace(total=0)
        call = call._replace(features=features, id=last.id, first_row=last.first_row)
    else:
        request.next_row = call.first_row + call.features.total
    if not keep(recorder, request, call):
        recorder.record_call(call)


def keep(recorder: Recorder, request: Request | None, call: Call) -> bool:
    """Keep *call* until its request ends; False when it has to go by itself."""
    if request is None or request.closed or request.recorder is not recorder:
        return False
    held = request.held + size_of(call)
    if held > JOINED_BYTES or len(request.calls) >= JOINED_CALLS:
        return False
    request.held = held
    request.calls.append(call)
    return True


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
            if not keep(self._recorder, self._outer, call):
                self._recorder.record_call(call)
