"""Requests that failed though no error says so: late, left, refused, tried again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from servewatch.record.observation import CALLS, MARKS, Outcome, failure
from servewatch.record.totals import FAILURES, Totals
from servewatch.record.tries import Tries

if TYPE_CHECKING:
    from servewatch.sketch.window import Window

LATE = TimeoutError.__name__
_STATUS, _OUTCOME = 2, 5
Served = Mapping[tuple[str, str, int, Outcome], int]


class Failures:
    """Counts the failures of requests into windows and totals, each kind by itself."""

    def __init__(self, totals: Totals, cells: Callable[[str], slice]) -> None:
        """Count in *totals*; *cells* gives the span of a service count."""
        self._totals, self._cells = totals, cells
        self._tries = Tries()
        self._serves = False  # until there is a request, answers are counted by rows
        self._told = self._rows = 0

    def count(
        self, served: Served, exchanges: Sequence[Sequence[Any]], window: Window
    ) -> None:
        """Count *exchanges*, whose ends are *served*: those are in the totals already.

        A request is late by its status, by a TimeoutError that left the application, or
        by one of the model, whatever was answered then.
        """
        self._serves = True
        found = Counter[str]()
        for (_, _, status, outcome), count in served.items():
            kind = failure(status, outcome)
            if kind is not None:
                found[kind] += count
        late = sum(map(_is_late, filter(_is_odd, exchanges)))
        marked = [each[MARKS] for each in exchanges if each[MARKS] is not None]
        again = self._tries.count([key for _, key, _ in marked if key is not None])
        for kind, count in ("timeouts", late), ("retries", again):
            self._totals.count_failures(kind, count)
            found[kind] += count
        found["fallbacks"] = sum(fell_back for _, _, fell_back in marked)
        for name in (*FAILURES, "fallbacks"):
            hits = found[name]
            window.counts[self._cells(name)] += (len(exchanges) - hits, hits)

    def count_alone(self, window: Window) -> None:
        """Count the fallbacks outside of requests, each as an answer of its own.

        The others are all rows received, as long as this process served no request.
        """
        lone, rows = self._totals.lone_fallbacks, 0
        fresh, self._told = lone - self._told, lone
        if not self._serves:
            received = self._totals.accounting()["received"]
            rows, self._rows = received - self._rows, received
        window.counts[self._cells("fallbacks")] += (rows, fresh)


def _is_odd(exchange: Sequence[Any]) -> bool:
    return exchange[CALLS] is not None or exchange[MARKS] is not None


def _is_late(exchange: Sequence[Any]) -> bool:
    """Whether a request was late of which its end does not say so."""
    if failure(exchange[_STATUS], exchange[_OUTCOME]) == "timeouts":
        return False
    marks = exchange[MARKS]
    return (marks is not None and marks[0]) or any(
        call.error == LATE for call in exchange[CALLS] or ()
    )
