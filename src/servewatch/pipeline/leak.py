"""Growth without end: memory, open files or threads that are never given back.

Of every minute the least value is kept, for what is above it was given back; of these
minutes the least of five, and so on: 16 windows each of 1, 5, 25 and 125 minutes.
Something grows without end where eight windows in a row

* rise one after the other, and evenly: no step is under 0.5 or over 1.7 of their mean,
* do not level off: the last three steps make up 0.8 of the first three or more, and all
  of them on average 0.8 of what steps just before them usually were,
* do not come in a few jumps: of the windows a fifth as long no step is over a quarter,
* begin at or above all that the 33 hours before had seen, so that what goes up and
  down again is known after its first time,
* rise by something that matters: by `least` in all, and what room is left would be
  used up within 30 days.

Without noise no exponential warm-up passes that has a time constant of 17 windows or
less, or is by less than three times `least`, nor does a jump of any size. What fills at
an even pace for more than eight minutes looks like a leak until it is full: nothing
that only sees the process can tell.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

RUN = 8
KEPT = 16
SPANS = (60.0, 300.0, 1500.0, 7500.0)  # seconds; each a multiple of the one before
LEAST_STEP, MOST_STEP = 0.5, 1.7
LASTING = 0.8
MOST_JUMP = 0.25
STALLED = 0.25  # of the pace: below this, over the last windows, growth has ended
STALLED_WINDOWS = 4
HORIZON_SECONDS = 30 * 86400.0


class Low(NamedTuple):
    """A window: which of its span, its least value, and the highest least in it."""

    number: int
    low: float
    top: float


class Leak(NamedTuple):
    """Growth since *since* (Unix seconds), and when no room is left at its pace.

    `per_second` is in the unit of the values; `seconds_to_limit` is None where nobody
    knows of a limit.
    """

    since: float
    per_second: float
    seconds_to_limit: float | None


def rise(windows: Sequence[Low], record: float, least: float) -> float | None:
    """Give by how much the last eight *windows* rise; None unless as a leak does.

    *record* is the highest value of before; *least* is what a rise must come to.

    >>> rise([Low(k, 10.0 * k, 10.0 * k) for k in range(8)], 0.0, least=64.0)
    70.0
    >>> rise([Low(k, 10.0 * k, 10.0 * k) for k in range(8)], 5.0, least=64.0)
    """
    run = windows[-RUN:]
    if len(run) < RUN or run[-1].number - run[0].number != RUN - 1:
        return None
    steps = [after.low - before.low for before, after in pairwise(run)]
    total = run[-1].low - run[0].low
    if total < least or run[0].low < record:
        return None
    mean = total / len(steps)
    if min(steps) < LEAST_STEP * mean or max(steps) > MOST_STEP * mean:
        return None
    if sum(steps[-3:]) < LASTING * sum(steps[:3]):
        return None
    earlier = [after.low - before.low for before, after in pairwise(windows[: 1 - RUN])]
    return None if earlier and mean < LASTING * median(earlier) else total


def is_stairs(windows: Sequence[Low]) -> bool:
    """Whether one step makes up more than a quarter of the rise of *windows*.

    >>> is_stairs([Low(k, k // 4 * 10.0, 0.0) for k in range(16)])
    True
    >>> is_stairs([Low(k, k * 10.0, 0.0) for k in range(16)])
    False
    """
    steps = [after.low - before.low for before, after in pairwise(windows)]
    return max(steps, default=0.0) > MOST_JUMP * sum(steps)


def has_stalled(windows: Sequence[Low], pace: float) -> bool:
    """Whether what grew by *pace* a window has ended to, by the last four windows.

    >>> has_stalled([Low(k, 5.0, 5.0) for k in range(4)], pace=10.0)
    True
    """
    last = windows[-STALLED_WINDOWS:]
    grown = last[-1].low - last[0].low
    return grown < STALLED * pace * (len(last) - 1)


class Growth:
    """Watches one quantity; at most 64 windows are kept.

    >>> memory = Growth(least=64 * 2**20)
    >>> for look in range(12 * 10):  # every five seconds, 10 MB a minute
    ...     memory.note(5.0 * look, 3e8 + 1e7 / 60 * 5.0 * look)
    >>> leak = memory.leak(room=1e9)
    >>> leak.since, round(leak.per_second * 60), round(leak.seconds_to_limit)
    (0.0, 10000000, 6000)
    """

    def __init__(self, least: float) -> None:
        """Call nothing growth that has not come to *least*, in the unit of values."""
        self._least = least
        self._scales = [_Scale(span) for span in SPANS]
        self._found: _Found | None = None

    def note(self, at: float, value: float) -> None:
        """Take the *value* of the moment *at* (seconds, not going back)."""
        closed = self._scales[0].add(int(at // SPANS[0]), value, value)
        for place, scale in enumerate(self._scales):
            if closed is None:
                break
            self._judge(scale)
            if place + 1 < len(self._scales):
                closed = self._hand_on(closed, scale, self._scales[place + 1])

    @staticmethod
    def _hand_on(closed: Low, scale: _Scale, wider: _Scale) -> Low | None:
        """Add a closed window to the *wider* one, which may close with it."""
        each = round(wider.span / scale.span)
        number, place = divmod(closed.number, each)
        before = wider.add(number, closed.low, closed.top)
        return wider.close() if place == each - 1 else before

    def _judge(self, scale: _Scale) -> None:
        """Look at the windows of *scale*, of which one has just been closed."""
        found = self._found
        if found is not None:
            if found.scale is scale and has_stalled(list(scale.windows), found.pace):
                self._found = None
            elif found.scale is scale:
                self._found = found.going_on()
            return
        windows = list(scale.windows)
        if len(windows) < RUN or windows[-1].low <= windows[-2].low:
            return
        began = windows[-RUN].number * scale.span
        total = rise(windows, self._record(scale, began), self._least)
        place = self._scales.index(scale)
        if place and is_stairs(list(self._scales[place - 1].windows)):
            return
        if total is not None:
            self._found = _Found(scale, began, total / (RUN - 1))

    def _record(self, scale: _Scale, began: float) -> float:
        """Give the highest of all values kept from before the moment *began*."""
        wider = self._scales[self._scales.index(scale) :]
        return max(
            (top for each in wider for top in each.tops_before(began)), default=0.0
        )

    def leak(self, room: float | None) -> Leak | None:
        """Give the leak there is now; *room* is how much more there may be."""
        found = self._found
        if found is None:
            return None
        pace = found.pace / found.scale.span
        left = None if room is None else max(room, 0.0) / pace
        if left is not None and left > HORIZON_SECONDS:
            return None
        return Leak(found.since, pace, left)


class _Scale:
    """Windows of one length: the one that is open, and the last that were closed."""

    def __init__(self, span: float) -> None:
        self.span = span
        self.windows: deque[Low] = deque(maxlen=KEPT)
        self._open: Low | None = None

    def add(self, number: int, low: float, top: float) -> Low | None:
        """Add to the window of that *number*; give the one that is over with it."""
        now, over = self._open, None
        if now is not None and now.number == number:
            self._open = Low(number, min(now.low, low), max(now.top, top))
            return None
        over = self.close()
        self._open = Low(number, low, top)
        return over

    def close(self) -> Low | None:
        """Give the window that was open, and keep it."""
        over, self._open = self._open, None
        if over is not None:
            # Of the shortest span nothing is known but the least.
            over = over._replace(top=over.low) if self.span == SPANS[0] else over
            self.windows.append(over)
        return over

    def tops_before(self, moment: float) -> Iterable[float]:
        """Give the highest values of windows that were over by that *moment*."""
        return (w.top for w in self.windows if (w.number + 1) * self.span <= moment)


class _Found(NamedTuple):
    """A rise: where it was seen, since when, and by how much a window."""

    scale: _Scale
    since: float
    pace: float

    def going_on(self) -> _Found | None:
        """Give the same rise at the pace of the last eight windows."""
        run = list(self.scale.windows)[-RUN:]
        pace = (run[-1].low - run[0].low) / (RUN - 1)
        return self._replace(pace=pace) if pace > 0 else None
