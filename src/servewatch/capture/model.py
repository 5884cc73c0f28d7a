"""A function that is called as before, with every call recorded.

One row of numbers in, one row of numbers out, again and again: that is what most
serving is. Such calls go their own lane, where nothing is asked twice and the row is
appended right here; all others go through `Calls`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from time import perf_counter_ns as clock
from typing import Any

from numpy import ndarray

from servewatch.capture.calls import Calls
from servewatch.capture.request import current
from servewatch.record.recorder import Recorder

Function = Callable[..., Any]
_ABSENT = object()


def watched_call(function: Function, method: str, recorder: Recorder) -> Function:
    """Give *function* with every call recorded as one of *method*.

    >>> watched_call(sum, "__call__", Recorder())([1, 2])
    3
    """
    calls = Calls(function, method, recorder)
    if inspect.iscoroutinefunction(function):
        return _awaited(function, calls)
    return _called(function, calls)


def _awaited(function: Function, calls: Calls) -> Function:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        begun = None
        try:
            begun = calls.begin(args, kwargs)
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            calls.lose("begin", args[0] if args else None)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            try:
                calls.fail(begun, error)
            except Exception:  # noqa: BLE001 - the model's own error goes on
                calls.lose("fail", args[0] if args else None)
            raise
        try:
            return calls.finish(begun, result)
        except Exception:  # noqa: BLE001 - the answer is there all the same
            calls.lose("finish", args[0] if args else None)
            return result

    return call


def _called(function: Function, calls: Calls) -> Function:  # noqa: C901 - see `call`
    recorder = calls.recorder

    @wraps(function)
    def call(  # noqa: C901 - a function of ours more costs a tenth of all of it
        value: Any = _ABSENT, /, *args: Any, **kwargs: Any
    ) -> Any:
        lane, raw, begun, began = calls.lane, None, None, 0
        try:  # cheapest first; `room` is 0 whenever something has to be asked first
            if (
                type(value) is ndarray
                and value.dtype is lane.dtype
                and value.nbytes == lane.row_bytes
                and len(recorder.lone_rows) < recorder.room
                and not args
                and not kwargs
            ):
                raw = value.tobytes()
                began = clock()
            else:
                given = args if value is _ABSENT else (value, *args)
                begun = calls.begin(given, kwargs)
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            raw, given = None, args if value is _ABSENT else (value, *args)
            calls.lose("begin", value)
        try:
            result = function(*given, **kwargs) if raw is None else function(value)
        except BaseException as error:
            try:
                calls.fail(begun or calls.out_of(lane, raw, value, began), error)
            except Exception:  # noqa: BLE001 - the model's own error goes on
                calls.lose("fail", value)
            raise
        try:
            if raw is None:
                return calls.finish(begun, result)
            answer = result
            if type(result) is ndarray and result.size == 1:
                answer = result.item()
            if type(answer) is lane.answer_type:
                if lane.answers > 1:
                    answer = lane.packed(result)
                row = lane.number, raw, answer, clock() - began
                request = current()
                if answer is None:
                    pass
                elif request is None:
                    recorder.lone_rows.append(row)
                    return result
                elif request.usual and not request.row and request.recorder is recorder:
                    request.row, request.next_row = row, 1
                    return result
            return calls.finish(calls.out_of(lane, raw, value, began), result)
        except Exception:  # noqa: BLE001 - the answer is there all the same
            calls.lose("finish", value)
            return result

    return call
