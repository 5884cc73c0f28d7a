"""The request being served: who asks, and what the model was asked for it."""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType

from servewatch.record.joining import is_same
from servewatch.record.observation import Call, Row, rows_of, size_of
from servewatch.record.recorder import TUPLE_BYTES, Recorder

JOINED_CALLS = 16
JOINED_BYTES = 64 * 1024  # held outside the bounded buffer while a request is open


class Request:
    """One request: its id, the calls made for it, and the number of its next row.

    It is closed once its answer is complete; calls made later (in a background task)
    are recorded by themselves, and so are calls too many or too large to wait for the
    end of a long request. Only calls of *recorder*'s own model join it: another model
    on the same app keeps its own. `calls` is None until there is one.

    What a request starts with stands in the class: setting it for each costs.
    """

    recorder: Recorder
    name: bytes | None = None
    row: Row | None = None  # the first call, where it is one row in its lane
    calls: list[Call] | None = None
    closed = False
    usual = True  # none of what follows has happened, and `calls` is None
    next_row = 0
    fell_back = False  # a fallback answered
    outer: Request | None = None  # the request that this one is a part of
    held = 0  # bytes of calls, but for one row in its lane
    keeps: bool | None = None  # its rows, while only a share is kept

    @property
    def rows(self) -> int:
        """The rows that wait for the end of this request."""
        return (self.row is not None) + rows_of(self.calls or ())

    @property
    def id(self) -> str:
        """The prediction id."""
        return (self.name or b"").decode("latin-1")


new_tuple = tuple.__new__  # a third of the price of a named tuple's constructor
_current: ContextVar[Request | None] = ContextVar("servewatch_request", default=None)
current = _current.get
enter = _current.set
reset = _current.reset


def leave(token: Token[Request | None]) -> None:
    """Undo `enter`, unless the code in between ended in another context."""
    try:
        _current.reset(token)
    except Exception:  # noqa: BLE001 - a generator finished by another task
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
    if request is None or request.recorder is not recorder:
        recorder.record_call(call)  # another model's request: its rows are its own
        return
    with recorder.joining:  # threads of one request
        _join(recorder, request, call)


def _join(recorder: Recorder, request: Request, call: Call) -> None:
    calls = _calls(request)
    last = calls[-1] if calls else None
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


def _calls(request: Request) -> list[Call]:
    """Give the calls of *request*, a row in its lane among the others."""
    request.usual = False  # before anything else: no other row joins by its lane now
    calls = request.calls
    if calls is None:
        calls = request.calls = []
    row, request.row = request.row, None
    if row is not None:
        calls.append(request.recorder.lanes.whole(row, request.id))
    return calls


def keep(recorder: Recorder, request: Request | None, call: Call) -> bool:
    """Keep *call* until its request ends; False when it has to go by itself."""
    if request is None or request.closed or request.recorder is not recorder:
        return False
    calls = _calls(request)
    held = request.held + size_of(call) + TUPLE_BYTES
    if held > JOINED_BYTES or len(calls) >= JOINED_CALLS:
        return False
    request.held = held
    calls.append(call)
    return True


class RequestScope:
    """A request under the caller's own id: `with watch.request(id=order_id)`.

    Inside a served request the calls stay part of it, and carry this id.
    """

    __slots__ = ("_outer", "_recorder", "_request", "_token")

    def __init__(self, recorder: Recorder, id: str) -> None:  # noqa: A002 - its name
        self._recorder = recorder
        self._request = _Named(recorder, id)
        self._outer: Request | None = None
        self._token: Token[Request | None] | None = None

    def __enter__(self) -> Request:
        self._outer = self._request.outer = current()
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
        try:
            calls, self._request.calls = _calls(self._request), None
            for call in calls:
                if not keep(self._recorder, self._outer, call):
                    self._recorder.record_call(call)
        except Exception:  # noqa: BLE001 - the caller's block has ended all the same
            self._recorder.totals.fault("scope")


class _Named(Request):
    """A request whose id the caller gave, in whatever characters."""

    def __init__(self, recorder: Recorder, id: str) -> None:  # noqa: A002 - its name
        self.recorder = recorder
        self._id = id

    @property
    def id(self) -> str:
        """The caller's id."""
        return self._id
