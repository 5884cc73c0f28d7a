"""One call of a model, from its arguments to what it answers, sooner or later."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter_ns as clock
from typing import Any, NamedTuple

import numpy as np

from servewatch.capture.noted import type_name
from servewatch.capture.request import (
    JOINED_BYTES,
    Request,
    current,
    new_tuple,
    record,
)
from servewatch.capture.span import Traced
from servewatch.capture.streams import AT_ONCE, NOTHING, follow
from servewatch.capture.tracing import end_call, tracing
from servewatch.record.keeping import rows_given, unsupported
from servewatch.record.lane import NO_LANE, Lane
from servewatch.record.observation import NANO, Call, Row, Snapshot
from servewatch.record.recorder import TUPLE_BYTES, Recorder
from servewatch.record.snapshot import snapshot_features, snapshot_prediction

SCALARS = frozenset({float, int, str, bool, type(None)})
FLOAT64 = np.dtype(np.float64)
UNKEPT = unsupported("sampled out")._replace(total=0)


class Begun(NamedTuple):
    """A call on its way: who asked, with what, and when (ns; 0 where not known).

    `features` are `UNKEPT` for a call of which there is but its span, `traced`.
    """

    request: Request | None
    features: Snapshot
    began: int
    traced: Traced | None = None


class Calls:
    """Records the calls of one method, whatever it is given and answers."""

    def __init__(
        self,
        function: Callable[..., Any],
        method: str,
        recorder: Recorder,
        *,
        has_spans: bool = True,
    ) -> None:
        self.recorder = recorder
        self._has_spans = has_spans
        self.lane = NO_LANE
        self._method = method
        self._parameters = _parameters(function, method)

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Begun | None:
        """Copy the features; None for a call of which nothing is to be kept."""
        request, began = None, 0
        try:
            if not self.recorder.is_recording():
                return None
            self.recorder.note_method(self._method)
            request = current()
            value = (
                args[0] if len(args) == 1 and not kwargs else self._given(args, kwargs)
            )
            most = self.recorder.batch_rows
            if self.recorder.is_sampling:
                most = min(most, self._sampled(request, value))
            if most:
                features = snapshot_features(value, most, self._method)
                began = clock()
            elif self.recorder.spans is None:
                return None
            else:
                features = UNKEPT
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            features = self.unreadable()
        if self.recorder.spans is None or not self._has_spans:
            return Begun(request, features, began)
        rows = features.total if features is not UNKEPT else rows_given(value)
        traced = tracing(self.recorder).begin_call(self._method, rows)
        return Begun(request, features, clock() if began else 0, traced)

    def out_of(
        self, lane: Lane, raw: bytes | None, value: Any, began: int
    ) -> Begun | None:
        """Give a call of *value* that left its lane, by its error or by its answer."""
        if raw is None:
            return None
        features = lane.features([raw])
        if value.shape != features.shape:  # as many numbers, and no single row
            features = snapshot_features(
                np.frombuffer(raw, value.dtype).reshape(value.shape),
                self.recorder.batch_rows,
                self._method,
            )
        return Begun(current(), features, began)

    def lose(self, site: str, value: object) -> None:
        """Count a fault of ours, and the rows of *value* that it cost."""
        totals = self.recorder.totals
        totals.fault(site)
        with suppress(Exception):  # a value's own methods may be what failed
            totals.drop("internal", rows_given(value))

    def fail(self, begun: Begun | None, error: BaseException) -> None:
        """Record a call that raised."""
        if begun is not None and begun.features is not UNKEPT:
            self.record(begun, NOTHING, _since(begun.began), error=error)
        elif self.recorder.armed:
            self.recorder.totals.count_error(type_name(type(error)))
        if begun is not None and begun.traced is not None:
            end_call(self.recorder, begun.traced, error)

    def finish(self, begun: Begun | None, result: Any) -> Any:
        """Record what was answered, now or when it comes; give it back."""
        if begun is None:
            return result
        if type(result) in AT_ONCE:
            self.record(begun, result, _since(begun.began))
            if begun.traced is not None:
                end_call(self.recorder, begun.traced)
            return result
        if begun.traced is not None:  # it goes on, wherever it is read or awaited
            begun.traced.leave()
        return follow(result, Later(self, begun))

    def unreadable(self) -> Snapshot:
        """Count values whose own methods raise, and stand in for them."""
        self.recorder.totals.fault("snapshot")
        return unsupported("unsupported")

    def record(
        self,
        begun: Begun,
        result: Any,
        seconds: float | None,
        *,
        error: BaseException | None = None,
        at: float | None = None,
    ) -> None:
        """Record one call with its *result*, or with the *error* it raised."""
        recorder, prediction = self.recorder, None
        request, features, _, _ = begun
        if features is UNKEPT:
            return
        try:
            if self.recorder.is_sampling and error is None and at is None:
                row = self.lane.row(features, result, seconds)
                if row is not None and self._take(request, row):
                    return
            size = features.size
            if result is not NOTHING:
                if self._method == "run" and type(result) in {list, tuple} and result:
                    result = result[0]  # ONNX gives all outputs: the first is it
                prediction = self._answered(result, features)
                size += prediction.size
            if features.picks is not None:  # they say which rows they are
                held = features.size + features.picks.nbytes
                features = features._replace(size=held)
            kind = None if error is None else type_name(type(error))
            name = None if request is None else request.id
            first = 0 if request is None else request.next_row
            fields = (
                features,
                prediction,
                self._method,
                seconds,
                at,
                kind,
                name,
                first,
            )
            call = new_tuple(Call, fields)
            calls = [call]
            if (
                request is None
                or request.row
                or not request.usual
                or size > JOINED_BYTES
                or request.recorder is not recorder
            ):
                record(recorder, request, call)
                return
            # The first call of an open request. No other thread has its turn between
            # asking and setting, for nothing is called.
            request.calls, request.usual = calls, False
            request.next_row = first + features.total
            request.held = size + TUPLE_BYTES
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            recorder.totals.fault("model")
            recorder.totals.drop("internal", features.total)

    def _take(self, request: Request | None, row: Row) -> bool:
        """Record *row* by itself or with its request; False where it cannot be."""
        if request is None:
            self.recorder.record_row(row)
            return True
        if not request.usual or request.row or request.recorder is not self.recorder:
            return False
        request.row, request.next_row = row, request.next_row + 1
        return True

    def _answered(self, result: Any, features: Snapshot) -> Snapshot:
        try:
            self._learn(features, result)
            return snapshot_prediction(result, features, self.recorder.batch_rows)
        except Exception:  # noqa: BLE001 - then the features are all there is
            return self.unreadable()

    def _learn(self, features: Snapshot, result: Any) -> None:
        """Open a lane for calls like this one, or change to theirs."""
        lane = self.recorder.lanes.open_for(self._method, features, result)
        if lane is not None and lane is not self.lane:
            self.lane = lane
            self.recorder.make_room(lane.row_bytes)

    def _sampled(self, request: Request | None, value: Any) -> int:
        """Draw how many rows of *value* to keep, at least 1; 0 when none is."""
        rows = rows_given(value)
        kept = self.recorder.kept_of(rows)
        if request is not None and request.recorder is not self.recorder:
            request = None  # another model's
        if rows == 1 and request is not None:  # all calls for one row, or none
            if request.keeps is None:
                request.keeps = kept > 0
            kept = int(request.keeps)
        if not kept:
            self.recorder.totals.sample_out(rows)
            if request is not None:
                request.next_row += rows
        return kept

    def _given(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Find the features among a call's arguments.

        The first argument; ONNX's `run` takes the names of the outputs before it. A
        function of several scalars takes one feature each.
        """
        if self._method == "run":
            if len(args) > 1:
                return args[1]
            if "input_feed" in kwargs:
                return kwargs["input_feed"]
        names = self._parameters
        if names and len(args) + len(kwargs) > 1:
            named = {**dict(zip(names, args, strict=False)), **kwargs}
            if SCALARS.issuperset(map(type, named.values())):
                return named
        return args[0] if args else next(iter(kwargs.values()), None)


class Later:
    """Records a call once its answer is there."""

    def __init__(self, calls: Calls, begun: Begun) -> None:
        self._calls = calls
        self._begun = begun

    def __call__(self, result: Any, error: BaseException | None) -> None:
        seconds = _since(self._begun.began)
        if isinstance(error, GeneratorExit):  # its reader had enough
            error = None
            if type(result) is not list or len(result) != self._begun.features.total:
                result = NOTHING
        self._calls.record(self._begun, result, seconds, error=error)
        if self._begun.traced is not None:
            end_call(self._calls.recorder, self._begun.traced, error)

    def lose(self, site: str) -> None:
        """Count a fault at *site*, and the rows that it cost."""
        totals = self._calls.recorder.totals
        totals.fault(site)
        totals.drop("internal", self._begun.features.total)


def _since(began: int) -> float | None:
    return (clock() - began) / NANO if began else None


def _parameters(function: Callable[..., Any], method: str) -> tuple[str, ...]:
    """Name the parameters of a plain function; a method's first is its features."""
    if method != "__call__":
        return ()
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # built in
        return ()
