"""A stage of a run: one as in serving, with what the whole process used meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from servewatch.capture.stage import Stage
from servewatch.record.guard import guarded
from servewatch.record.recorder import Recorder
from servewatch.runs.meter import Meter, Reading
from servewatch.runs.stage_sums import Meanwhile

Function = TypeVar("Function", bound=Callable[..., Any])
Ended = Callable[[str, Meanwhile, str | None], None]


class RunStage:
    """A `Stage` of serving whose process is looked at when it begins and ends.

    A context manager, also for `async with`, and a decorator; it may be entered again.
    Errors pass unchanged. The functions of generators are stages as in serving, without
    what the process used: their bodies rest between two values.

    >>> def ended(name: str, used: Meanwhile, failed: str | None) -> None:
    ...     print(name, used.cpu_seconds >= 0, failed)
    >>> with RunStage(Recorder(), "ingest", 100, Meter(), ended) as stage:
    ...     stage.retried()
    ingest True None
    """

    def __init__(
        self,
        recorder: Recorder,
        name: str,
        rows: int | None,
        meter: Meter,
        ended: Ended,
    ) -> None:
        """Have *ended* hear the name, what was used, and the type of an error."""
        self._stage = Stage(recorder, name, rows)
        self._name = recorder.stage_runs.named(name).name
        self._faults = recorder.totals
        self._meter, self._ended = meter, ended
        # Threads may share a stage, and one take another's reading: the sum of all
        # ends less the sum of all beginnings is the same for any pairing.
        self._began: list[Reading] = []

    def rows(self, count: int) -> None:
        """Say how many rows the stage works on."""
        self._stage.rows(count)

    def retried(self, times: int = 1) -> None:
        """Say that the stage tried once more."""
        self._stage.retried(times)

    def tokens(self, count: int) -> None:
        """Say how many tokens the stage read or wrote."""
        self._stage.tokens(count)

    def __enter__(self) -> Self:
        self._begin()
        self._stage.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stage.__exit__(kind, error, trace)
        self._end(kind)

    async def __aenter__(self) -> Self:
        self._begin()
        await self._stage.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stage.__aexit__(kind, error, trace)
        self._end(kind)

    def __call__(self, function: Function) -> Function:
        """Give *function* such that each of its calls is a run of this stage."""
        if isgeneratorfunction(function) or isasyncgenfunction(function):
            return self._stage(function)
        if iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                async with self:
                    return await function(*args, **kwargs)

            return cast("Function", awaited)

        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return cast("Function", called)

    def _begin(self) -> None:
        with guarded(self._faults, "stage"):
            self._began.append(self._meter.read())

    def _end(self, kind: type[BaseException] | None) -> None:
        with guarded(self._faults, "stage"):
            used, began = self._meter.read(), self._began.pop()
            growth = None
            if used.peak_bytes is not None and began.peak_bytes is not None:
                growth = used.peak_bytes - began.peak_bytes
            spent = Meanwhile(
                used.cpu_seconds - began.cpu_seconds,
                growth,
                used.gc_seconds - began.gc_seconds,
            )
            failed = kind.__name__ if kind and issubclass(kind, Exception) else None
            self._ended(self._name, spent, failed)
