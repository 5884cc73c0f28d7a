"""The request being served: who asks, and what the model was asked for it."""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType

from servewatch.record.joining import is_same
from servewatch.record.observation import Call
from servewatch.record.recorder import Recorder

JOINED_CALLS = 16
JOINED_BYTES = 64 * 1024  # held outside the bounded buffer while a request is open


class Request:
    """One request: its id, the calls made for it, and the number of its next row.

    It is closed once its answer is complete; calls made later (in a background task)
    are recorded by themselves, and so are calls too many or too large to wait for the
    end of a long request. `scope` identifies the server's connection scope.
    """

    __slots__ = ("calls", "closed", "held", "id", "next_row", "scope")

    def __init__(self, id: str, scope: int = 0) -> None:  # noqa: A002 - its name
        self.id = id
        self.scope = scope
        self.calls: list[Call] = []
        self.closed = False
        self.next_row = 0
        self.held = 0

    def number(self, rows: int) -> int:
        """Give the number of the first of *rows* rows, and count them."""
        first = self.next_row
        self.next_row = first + rows
        return first

    def add(self, call: Call) -> bool:
        """Keep *call* until the request ends; False when it has to go by itself."""
        size = call.features.size + (call.prediction.size if call.prediction else 0)
        held = self.held + size
        if self.closed or len(self.calls) >= JOINED_CALLS or held > JOINED_BYTES:
            return False
        self.held = held
        self.calls.append(call)
        return True


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


def record(recorder: Recorder, call: Call, request: Request | None) -> None:
    """Record *call* with its request, or by itself where there is none.

    Rows already given to another method in this request keep their numbers.
    """
    if request is None:
        recorder.record_call(call)
        return
    features = call.features
    last = request.calls[-1] if request.calls else None
    if (
        last is not None
        and last.method != call.method
        and is_same(last.features, features)
    ):
        call = call._replace(
            features=features._replace(total=0), id=last.id, first_row=last.first_row
        )
    else:
        first = request.number(features.total)
        call = call._replace(id=request.id, first_row=first)
    if not request.add(call):
        recorder.record_call(call)


class RequestScope:
    """A request under the caller's own id: `with watch.request(id=order_id)`.

    Inside a served request the calls stay part of it, and carry this id.
    """

    __slots__ = ("_outer", "_recorder", "_request", "_token")

    def __init__(self, recorder: Recorder, id: str) -> None:  # noqa: A002 - its name
        self._recorder = recorder
        self._request = Request(id)
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
            if self._outer is None or not self._outer.add(call):
                self._recorder.record_call(call)
