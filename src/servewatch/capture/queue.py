"""How long a request had waited before it came here, by what a proxy says."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable

from servewatch.capture.messages import App, Receive, Scope, Send
from servewatch.record.observation import NANO
from servewatch.record.recorder import Recorder

REQUEST = "request"  # the stage that this wait belongs to
LONGEST_SECONDS = 3600.0
_TIME = re.compile(rb"(?:t=)?(\d{9,17}(?:\.\d{1,9})?)")
# Seconds, milliseconds, microseconds: of any of the years from 1973 to 5138 their
# numbers are of different sizes.
_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6))


def waited_ns(
    headers: Iterable[tuple[bytes, bytes]], header: bytes, now_seconds: float
) -> int:
    """Give for how long (ns) a request had waited at Unix time *now_seconds*.

    *header* (lower case) says when a proxy took it, as in `t=1700000000.123`, in
    seconds, milliseconds or microseconds; of several the first counts. -1 where that is
    not known: it is no such time, lies ahead or more than an hour ago.

    >>> waited_ns(
    ...     [(b"x-request-start", b"t=1700000000.5")], b"x-request-start", 17e8 + 2
    ... )
    1500000000
    """
    for name, value in headers:
        if name.lower() == header:
            return _waited(value, now_seconds)
    return -1


def _waited(value: bytes, now_seconds: float) -> int:
    found = _TIME.fullmatch(value.strip())
    if found is None:
        return -1
    number = float(found[1])
    for limit, per_second in _UNITS:
        if number < limit:
            waited = now_seconds - number / per_second
            return int(waited * NANO) if 0.0 <= waited <= LONGEST_SECONDS else -1
    return -1


def noting_waits(
    app: App,
    recorder: Recorder,
    header: str,
    clock: Callable[[], float] = time.time,
) -> App:
    """Give *app* with the wait of every request noted first; *clock* is Unix time."""
    name = header.lower().encode("latin-1")

    async def note_and_serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            waited = waited_ns(scope["headers"], name, clock())
            if waited >= 0:
                run = (REQUEST, -1, 0, None, 0, waited, -1, 0)
                recorder.stage_runs.append(run)
        except Exception:  # noqa: BLE001 - then nobody knows
            recorder.totals.fault("queue")
        await app(scope, receive, send)

    return note_and_serve
