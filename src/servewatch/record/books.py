"""The totals of a process as books that add up, and books shown as totals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from servewatch.record.totals import FAILURES, LATENCIES, Totals
from servewatch.sketch.books import Books, Key, Number

NUMBERS = (
    "lone_fallbacks",
    "recorded",
    "sampled_out",
    "odd_latencies",
    "stages_dropped",
    "taps_dropped",
    "overhead_seconds",
    "path_seconds",
    "row_seconds",
    "calls",
    "unwatched",
)
BY_NAME = (
    "outcomes",
    "failures",
    "fallbacks",
    "errors",
    "internal_errors",
    "dropped",
    "predictions_dropped",
    "seconds",
    "stage_seconds",
    "stage_queue_seconds",
    "stage_cpu_seconds",
    "stage_tokens",
    "taps_refused",
    "unknown_taps",
)
BY_LABELS = ("requests", "stage_errors")
NANO = 10**9
PENDING, LABELS = "pending", "labels"


def books_of(
    totals: Totals,
    *,
    started: float,
    active: float,
    labels: Mapping[str, int] | None = None,
) -> Books:
    """Give the books of the process that *totals* are of.

    It *started* at that moment (Unix seconds); *active* is when a row or request last
    came, *labels* are those that came, by what became of them. Seconds are whole
    nanoseconds in books: in whatever order they are added up, the sum is the same.

    >>> totals = Totals()
    >>> totals.drop("overflow", 2)
    >>> books_of(totals, started=0.0, active=0.0).numbers["dropped"]
    {('overflow',): 2}
    """
    with totals.moving:
        pending = totals.draining + totals.pending_rows()
        numbers: dict[str, Mapping[Key, Number]] = {
            name: {(): _whole(name, getattr(totals, name))} for name in NUMBERS
        }
        numbers[PENDING] = {(): pending}
        for name in BY_NAME:
            counts = getattr(totals, name)
            numbers[name] = {(key,): _whole(name, counts[key]) for key in list(counts)}
        for name in BY_LABELS:
            counts = getattr(totals, name)
            numbers[name] = {key: counts[key] for key in list(counts)}
        numbers[LABELS] = {(key,): count for key, count in dict(labels or {}).items()}
        return Books(
            numbers,
            totals.lifetime,
            started=started,
            active=active,
            keep_share=totals.keep_share,
            armed=totals.armed,
        )


def show(books: Books, totals: Totals) -> None:
    """Have *totals*, which nobody counts in, say what *books* say."""
    numbers = books.numbers
    pending = int(numbers.get(PENDING, {}).get((), 0))
    with totals.moving:
        for name in NUMBERS:
            setattr(totals, name, _shown(name, numbers.get(name, {}).get((), 0)))
        for name in BY_NAME:
            setattr(totals, name, _by_name(name, numbers.get(name, {})))
        for name in BY_LABELS:
            setattr(totals, name, Counter(dict(numbers.get(name, {}))))
        totals.pending_rows = lambda: pending
        totals.lifetime = books.lifetime
        totals.keep_share, totals.armed = books.keep_share, books.armed


def labels_in(books: Books) -> Counter[str]:
    """Give the labels that came, by what became of them."""
    counts = books.numbers.get(LABELS, {})
    return Counter({str(key[0]): int(count) for key, count in counts.items()})


def _whole(name: str, number: Number) -> Number:
    return round(number * NANO) if name.endswith("seconds") else number


def _shown(name: str, number: Number) -> Number:
    return number / NANO if name.endswith("seconds") else number


def _by_name(name: str, counts: Mapping[Key, Number]) -> object:
    found = {str(key[0]): _shown(name, count) for key, count in counts.items()}
    match name:
        case "seconds":
            return dict.fromkeys(LATENCIES, 0.0) | found
        case "failures":
            return dict.fromkeys(FAILURES, 0) | found
        case _ if name.startswith("stage_"):
            return defaultdict(float, found)
        case _:
            return Counter(found)
