"""Calls of a model or function, made as before and recorded."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from decimal import Decimal
from functools import partial, wraps
from math import inf
from numbers import Real
from time import perf_counter
from typing import Any

from servewatch.capture.request import (
    JOINED_BYTES,
    Request,
    current,
    new_tuple,
    record,
)
from servewatch.capture.streams import AT_ONCE, NOTHING, follow
from servewatch.record.keeping import unsupported
from servewatch.record.observation import Call, Snapshot
from servewatch.record.recorder import TUPLE_BYTES, Recorder
from servewatch.record.snapshot import snapshot_features, snapshot_prediction

SCALARS = frozenset({float, int, str, bool, type(None)})
Function = Callable[..., Any]


def watched_call(function: Function, method: str, recorder: Recorder) -> Function:
    """Give *function* with every call recorded as one of *method*."""
    calls, batch_rows = _Calls(method, recorder), recorder.batch_rows
    pick = partial(_features, method, _parameters(function, method))

    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            request = current()
            try:
                value = args[0] if len(args) == 1 and not kwargs else pick(args, kwargs)
                features = snapshot_features(value, batch_rows, method)
            except Exception:  # noqa: BLE001 - inside a request nothing is raised
                features = calls.unreadable()
            began = perf_counter()
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                took = perf_counter() - began
                calls.record(request, features, NOTHING, took, error=error)
                raise
            if type(result) in AT_ONCE:
                calls.record(request, features, result, perf_counter() - began)
                return result
            return follow(result, calls.later(request, features, began))

        return call_async

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        request = current()
        try:
            value = args[0] if len(args) == 1 and not kwargs else pick(args, kwargs)
            features = snapshot_features(value, batch_rows, method)
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            features = calls.unreadable()
        began = perf_counter()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            took = perf_counter() - began
            calls.record(request, features, NOTHING, took, error=error)
            raise
        if type(result) in AT_ONCE:
            calls.record(request, features, result, perf_counter() - began)
            return result
        return follow(result, calls.later(request, features, began))

    return call


def record_by_hand(
    recorder: Recorder,
    features: Any,
    prediction: Any = NOTHING,
    *,
    latency_seconds: float | None = None,
    at: float | None = None,
) -> None:
    """Record rows that no wrapped call saw; never raises.

    *at* is the event's Unix time. A latency that is no finite number from 0 on counts
    as one not measured, and in `Totals.odd_latencies`.

    >>> recorder = Recorder()
    >>> record_by_hand(recorder, {"a": 1.0}, 0.5)
    >>> recorder.totals.accounting()["pending"]
    1
    """
    calls = _Calls("predict", recorder)
    try:
        snapshot = snapshot_features(features, recorder.batch_rows)
    except Exception:  # noqa: BLE001 - inside a request nothing is raised
        snapshot = calls.unreadable()
    seconds = _measured(latency_seconds)
    if seconds is None and latency_seconds is not None:
        recorder.totals.count_odd_latency()
    calls.record(current(), snapshot, prediction, seconds, at=at)


def _measured(seconds: object) -> float | None:
    """Give a duration as a float; None for what cannot be one."""
    if not isinstance(seconds, Real | Decimal):
        return None
    try:
        measured = float(seconds)
    except Exception:  # noqa: BLE001 - a number's own methods may raise
        return None
    return measured if 0.0 <= measured < inf else None


class _Calls:
    """Records the calls of one method."""

    def __init__(self, method: str, recorder: Recorder) -> None:
        self._method = method
        self._takes_first = method == "run"
        self._recorder = recorder

    def unreadable(self) -> Snapshot:
        """Count values whose own methods raise, and stand in for them."""
        self._recorder.totals.fault("snapshot")
        return unsupported("unsupported")

    def record(
        self,
        request: Request | None,
        features: Snapshot,
        result: Any,
        seconds: float | None,
        *,
        error: BaseException | None = None,
        at: float | None = None,
    ) -> None:
        """Record one call with its *result*, or with the *error* it raised."""
        recorder, prediction, size = self._recorder, None, features.size
        if result is not NOTHING:
            if self._takes_first and type(result) in {list, tuple} and result:
                result = result[0]  # ONNX gives all outputs: the first is it
            try:
                prediction = snapshot_prediction(result, features, recorder.batch_rows)
            except Exception:  # noqa: BLE001 - then the features are all there is
                prediction = self.unreadable()
            size += prediction.size
        if features.picks is not None:  # they have served
            features = features._replace(picks=None)
        try:
            kind = None if error is None else type(error).__name__
            if request is None:
                name, first = None, 0
            else:
                name, first = request.id, request.next_row
            call = (features, prediction, self._method, seconds, at, kind, name, first)
            if (
                request is None
                or request.calls
                or request.closed
                or request.recorder is not recorder
                or size > JOINED_BYTES
            ):
                record(recorder, request, new_tuple(Call, call))
                return
            # The first call of an open request: what most requests consist of.
            request.next_row = first + features.total
            request.held = size + TUPLE_BYTES
            request.calls.append(new_tuple(Call, call))
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            recorder.totals.fault("model")

    def later(
        self, request: Request | None, features: Snapshot, began: float
    ) -> Callable[[Any, BaseException | None], None]:
        """Give what records a call once its answer is there."""

        def done(result: Any, error: BaseException | None) -> None:
            took = perf_counter() - began
            if isinstance(error, GeneratorExit):  # its reader had enough
                error = None
                if type(result) is not list or len(result) != features.total:
                    result = NOTHING
            self.record(request, features, result, took, error=error)

        return done


def _features(
    method: str, names: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Find the features among a call's arguments.

    The first argument; ONNX's `run` takes the names of the outputs before it. A
    function of several scalars takes one feature each.
    """
    if method == "run":
        if len(args) > 1:
            return args[1]
        if "input_feed" in kwargs:
            return kwargs["input_feed"]
    if names and len(args) + len(kwargs) > 1:
        named = {**dict(zip(names, args, strict=False)), **kwargs}
        if SCALARS.issuperset(map(type, named.values())):
            return named
    return args[0] if args else next(iter(kwargs.values()), None)


def _parameters(function: Function, method: str) -> tuple[str, ...]:
    """Name the parameters of a plain function; a method's first is its features."""
    if method != "__call__":
        return ()
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # built in
        return ()
