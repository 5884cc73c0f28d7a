"""One step of a pipeline: reads as the estimator that it is, and its calls are timed.

What runs is always a method of the estimator itself, looked up anew for each call, so
whatever becomes of the estimator, the next call is by what it is then.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from inspect import getattr_static
from operator import getitem
from time import perf_counter_ns as clock
from time import thread_time_ns
from types import FunctionType
from typing import Any, NamedTuple

from numpy import ndarray

from servewatch.capture.noted import error_name
from servewatch.capture.specials import kind_for
from servewatch.capture.stage import SELDOM, SHARE, Stage
from servewatch.capture.tap import tap
from servewatch.record.recorder import Recorder
from servewatch.record.stage_runs import Named

CALLS = frozenset(
    {
        "decision_function",
        "predict",
        "predict_log_proba",
        "predict_proba",
        "score_samples",
        "transform",
    }
)
TAPPED = "transform"
PART = "__servewatch_part__"
SITE = "steps"
FRAMES = ("pandas", "polars")  # to ask for the shape of these takes microseconds


class Part(NamedTuple):
    """What a step's runs are `named`, and where they go.

    What it gives is seen as the tap `tapped` where the baseline has that; None for what
    never is. `inside` gives what to call instead of a step that has steps itself.
    """

    recorder: Recorder
    named: Named
    tapped: str | None = None
    inside: Callable[[], Any] | None = None


class Step:
    """Stands for an estimator among the steps of a shell; copies and saves as it."""

    __servewatch_part__: Part
    __wrapped__: Any

    def __init__(self, estimator: Any, part: Part) -> None:
        """Time the calls of *estimator* as those of *part*."""
        keep = object.__setattr__
        keep(self, "__wrapped__", estimator)
        keep(self, PART, part)
        if callable(estimator):
            keep(self, "__call__", partial(_timed, part, "__call__", estimator))

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__wrapped__, name)
        if name not in CALLS:
            return value
        part = self.__servewatch_part__
        if part.inside is not None:
            value = getattr(part.inside(), name, value)
        return partial(_timed, part, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__wrapped__, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__wrapped__, name)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __copy__(self) -> Any:
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        # As of a stand-in: what reaches another process is the estimator.
        return getitem, ((self.__wrapped__,), 0)


def step(estimator: Any, part: Part) -> Any:
    """Give what reads as *estimator*, with `CALLS` timed as runs of *part*.

    >>> class Half:
    ...     rate = 0.5
    ...
    ...     def transform(self, rows):
    ...         return [row * self.rate for row in rows]
    >>> half = Half()
    >>> recorder = Recorder()
    >>> timed = step(half, Part(recorder, recorder.stage_runs.named("halve")))
    >>> half.rate = 2
    >>> timed.transform([1, 2]), timed.rate, isinstance(timed, Half)
    ([2, 4], 2, True)
    """
    of = type(estimator)
    kind = kind_for(Step, estimator, of.__name__)
    if part.inside is None:
        for name in CALLS:
            # Others come and go with the estimator's state, as it decides.
            if isinstance(getattr_static(of, name, None), FunctionType):
                setattr(kind, name, _timing(name))
    return kind(estimator, part)


def rows_in(value: Any) -> int:
    """Count the rows of *value* without reading any; 0 where that is not known.

    >>> rows_in(["one text", "another"]), rows_in({"a": 1})
    (2, 0)
    """
    if isinstance(value, list | tuple) or type(value).__module__.startswith(FRAMES):
        return len(value)
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape and type(shape[0]) is int:
        return shape[0]
    return 0


def _timing(name: str) -> Callable[..., Any]:
    """Give the method *name* of a class of steps: found at once, which is cheapest."""

    def call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        method = getattr(self.__wrapped__, name)
        return _timed(self.__servewatch_part__, name, method, *args, **kwargs)

    call.__name__ = name
    return call


def _timed(part: Part, name: str, method: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call *method* as one run, as a `Stage` in which nothing is noted records it."""
    recorder = part.recorder
    if not recorder.armed:
        return method(*args, **kwargs)
    if recorder.spans is not None:
        with Stage(recorder, part.named.name, _rows(part, args)):
            answer = method(*args, **kwargs)
        return _tapped(part, name, answer)
    named, cpu = part.named, 0
    began = clock()
    weight = 1 if began - named.last > SELDOM else 0 if began % SHARE else SHARE
    named.last = began
    if weight:
        cpu = thread_time_ns()
    try:
        answer = method(*args, **kwargs)
    except BaseException as error:
        took = clock() - began
        used = (thread_time_ns() - cpu) * weight if weight else -1
        _note(part, args, took, used, error_name(error))
        raise
    took = clock() - began
    used = (thread_time_ns() - cpu) * weight if weight else -1
    _note(part, args, took, used, None)
    return answer if part.tapped is None else _tapped(part, name, answer)


def _note(
    part: Part, args: tuple[Any, ...], took: int, cpu: int, error: str | None
) -> None:
    recorder = part.recorder
    rows = 0
    if args:
        value = args[0]
        usual = type(value) is ndarray and value.ndim
        rows = value.shape[0] if usual else _rows(part, args)
    try:
        run = part.named.name, took, rows, error, 0, -1, cpu, 0
        runs = recorder.stage_runs
        if len(runs.waiting) < runs.room:
            runs.waiting.append(run)
        else:
            runs.append(run)
    except Exception:  # noqa: BLE001 - inside a request nothing is raised
        recorder.totals.fault(SITE)


def _rows(part: Part, args: tuple[Any, ...]) -> int:
    try:
        return rows_in(args[0]) if args else 0
    except Exception:  # noqa: BLE001 - a value's own methods may raise
        part.recorder.totals.fault(SITE)
        return 0


def _tapped(part: Part, name: str, answer: Any) -> Any:
    """Give *answer*, seen at the step's tap where the baseline has that."""
    if part.tapped is not None and name == TAPPED:
        known = part.recorder.tap_rows.known
        if known is not None and part.tapped in known:
            tap(part.recorder, part.tapped, answer)
    return answer
