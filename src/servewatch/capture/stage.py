"""A stage of the pipeline around the model: `with watch.stage("encode")`.

Leaving a stage appends one tuple, as long as it is open once at a time and nothing was
noted in it; all else takes a longer way. CPU time is a system call: it is measured for
every run of a stage that runs seldom, and for one in 31 of one that runs often.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter_ns as clock
from time import thread_time_ns
from types import TracebackType
from typing import Any, TypeVar

from servewatch.capture.decorated import decorated
from servewatch.capture.noted import MOST, SLACK, Noted, counted, error_name, waited
from servewatch.capture.request import current
from servewatch.capture.served import Served
from servewatch.capture.tracing import tracing
from servewatch.record.guard import guarded
from servewatch.record.recorder import Recorder

Function = TypeVar("Function", bound=Callable[..., Any])
SELDOM = 50_000_000  # ns between the beginnings of two runs
# A prime: no pattern of stages in a request, and no coarse clock, may decide which runs
# are measured. One that is stands for so many.
SHARE = 31


class Stage:
    """A stage of the pipeline: a context manager, also for `async with`; a decorator.

    It may be entered again, also while it is open: by a nested call, another thread or
    another task. Errors pass unchanged and are counted by their type; the end of an
    iterator, a cancellation and an exit are none. *rows* is the number of rows it works
    on, *queued_since* the `time.perf_counter()` since when the work had waited.

    Its CPU time is that of the thread between entering and leaving. Of `async with` and
    of coroutines it is not known: other tasks take their turns in between.

    >>> recorder = Recorder()
    >>> with Stage(recorder, "encode", rows=3) as stage:
    ...     stage.retried()
    >>> name, _, rows, _, retries, *_ = recorder.stage_runs.take()[0]
    >>> name, rows, retries
    ('encode', 3, 1)
    """

    __slots__ = (
        "_began",
        "_cpu",
        "_is_open",
        "_named",
        "_noted",
        "_recorder",
        "_rows",
        "_weight",
    )

    def __init__(
        self,
        recorder: Recorder,
        name: str,
        rows: int | None = None,
        queued_since: float | None = None,
    ) -> None:
        """Name a stage whose runs *recorder* takes; nothing is raised."""
        try:
            self._named = recorder.stage_runs.known[name]
        except Exception:  # noqa: BLE001 - not known; and its own methods may raise
            self._named = recorder.stage_runs.named(name)
        self._recorder = recorder
        self._rows = 0
        if rows is not None:
            is_usual = type(rows) is int and 0 <= rows <= MOST
            self._rows = rows if is_usual else counted(rows)
        self._noted: Noted[Stage] | None = (
            None if queued_since is None else Noted(queued_since)
        )
        self._is_open = False

    def __enter__(self) -> Stage:  # noqa: PYI034 - while it is open, a stand-in
        try:
            if (
                self._noted is not None
                or self._is_open
                or self._recorder.spans is not None
            ):
                entered = self._prepare()
                if entered is not self:
                    return entered
            self._is_open = True  # no other thread had its turn since that was asked
            named = self._named
            began = clock()
            self._weight = weight = (
                1 if began - named.last > SELDOM else 0 if began % SHARE else SHARE
            )
            named.last = self._began = began
            if weight:
                self._cpu = thread_time_ns()
        except Exception:  # noqa: BLE001 - the caller's block runs all the same
            self._recorder.totals.fault("stage")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            took = clock() - self._began
            runs = self._recorder.stage_runs
            if kind is None and self._noted is None and len(runs.waiting) < runs.room:
                cpu = self._cpu_used(took) if self._weight else -1
                runs.waiting.append(
                    (self._named.name, took, self._rows, None, 0, -1, cpu, 0)
                )
                self._is_open = False
            else:
                self._leave(took, error)
        except Exception:  # noqa: BLE001 - the caller's block has ended all the same
            self._recorder.totals.fault("stage")
            self._close()

    async def __aenter__(self) -> Stage:  # noqa: PYI034 - as above
        entered = self.__enter__()
        entered.leave_cpu()
        return entered

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: Function) -> Function:
        """Make every call of *function* a run; of a generator, from start to end.

        Of a static method, a class method or a property, what is inside of it. A class,
        or what cannot be called, is given back as it is and counted as a fault.
        """
        try:
            return decorated(function, self.again)
        except Exception:  # noqa: BLE001 - it is called without a stage
            self._recorder.totals.fault("stage")
            return function

    def retried(self, n: int = 1) -> None:
        """Count that the work inside was tried *n* times more."""
        with guarded(self._recorder.totals, "stage"):
            self.noted().retries += counted(n)

    def rows(self, n: int) -> None:
        """Say how many rows this run works on; what is said last counts."""
        with guarded(self._recorder.totals, "stage"):
            self.noted().rows = counted(n)

    def tokens(self, n: int) -> None:
        """Add *n* to the tokens that this run has read or written."""
        with guarded(self._recorder.totals, "stage"):
            self.noted().tokens += counted(n)

    def noted(self) -> Noted[Stage]:
        """Give what the run that asks notes of itself."""
        if self._noted is None:
            self._noted = Noted()
        other = self._noted.other(self) if self._noted.others else None
        return self._noted if other is None else other.noted()

    def again(self) -> Stage:
        """Give the same stage, open nowhere."""
        return Stage(self._recorder, self._named.name, self._rows)

    def leave_cpu(self) -> None:
        """Measure no CPU time of this run: other tasks' would be in it."""
        self._weight = 0

    def pause(self) -> None:
        """Let the caller's span be the current one until `resume`."""
        with guarded(self._recorder.totals, "trace"):
            if self._noted is not None and self._noted.traced is not None:
                self._noted.traced.leave()

    def resume(self) -> None:
        """Make the stage's span the current one again."""
        with guarded(self._recorder.totals, "trace"):
            if self._noted is not None and self._noted.traced is not None:
                self._noted.traced.enter()

    async def until(self, awaitable: Awaitable[Any]) -> Any:
        """Await what an open and paused stage goes on with; it is left then."""
        self.leave_cpu()
        self.resume()
        try:
            result = await awaitable
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        self.__exit__(None, None, None)
        return result

    def _prepare(self) -> Stage:
        """Give what is to be entered: this, or a stand-in while this is open."""
        noted = self._noted
        if self._is_open or (noted is not None and noted.others):
            return self._enter_beside()
        self._is_open = True
        if noted is not None and noted.queued_since is not None:
            noted.queued = waited(noted.queued_since)
        if self._recorder.spans is not None:
            request = current()
            outer = request.traced if type(request) is Served else None
            if outer is None or outer.trace_id:  # else its trace is not sampled
                traced = tracing(self._recorder).begin_stage(self._named.name)
                if traced is not None:
                    self._noted = noted = noted or Noted()
                    noted.traced = traced
        return self

    def _enter_beside(self) -> Stage:
        noted: Noted[Stage] = self._noted or Noted()
        name, since = self._named.name, noted.queued_since
        other = Stage(self._recorder, name, self._rows, since)
        noted.enter(self, other)
        self._noted = noted  # again: somebody may just have left
        return other.__enter__()

    def _leave(self, took: int, error: BaseException | None) -> None:
        noted: Noted[Stage] = self._noted or Noted()
        other = noted.other(self) if noted.others else None
        if other is None and not self._is_open and noted.others:
            other = noted.others[-1]  # of a generator that another task closes
        if other is not None:
            noted.leave(other)
            other.__exit__(None if error is None else type(error), error, None)
        else:
            self._end(noted, took, error)
        if not (self._is_open or noted.is_needed):
            self._noted = None

    def _end(self, noted: Noted[Stage], took: int, error: BaseException | None) -> None:
        """Record the run that this was open for, and end its span."""
        rows = self._rows if noted.rows is None else noted.rows
        traced, name = noted.traced, error_name(error)
        try:
            run = (
                self._named.name,
                took,
                rows,
                name,
                noted.retries,
                noted.queued,
                self._cpu_used(took) if self._weight else -1,
                noted.tokens,
            )
            self._recorder.stage_runs.append(run)
        finally:
            noted.forget()
            self._is_open = False
            if traced is not None:
                failed = None if name is None else error
                tracing(self._recorder).end_stage(traced, failed, rows)

    def _close(self) -> None:
        """Be open no longer and have no span, whatever could not be recorded."""
        noted, self._is_open = self._noted, False
        if noted is not None and noted.traced is not None:
            with guarded(self._recorder.totals, "trace"):
                tracing(self._recorder).end_stage(noted.traced, None, 0)
            noted.traced = None

    def _cpu_used(self, took: int) -> int:
        """Give this run's CPU time, by its weight; -1 where it changed its thread."""
        used = thread_time_ns() - self._cpu
        return used * self._weight if 0 <= used <= took + SLACK else -1
