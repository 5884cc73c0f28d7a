"""`fallback`: the answer came from elsewhere than the model, and why."""

from __future__ import annotations

from servewatch.capture.request import current
from servewatch.capture.served import Served
from servewatch.record.recorder import Recorder
from servewatch.record.totals import OTHER

LONGEST = 64


def fallback(recorder: Recorder, reason: object) -> None:
    """Count an answer that a fallback gave for *reason*; never raises, never waits.

    Several within one served request are one failed request, though each counts for its
    reason. The first 32 reasons of 1 to 64 characters are kept, any other is `other`.

    >>> recorder = Recorder()
    >>> fallback(recorder, "model too slow")
    >>> recorder.totals.fallbacks["model too slow"]
    1
    """
    try:
        served = _served(recorder)
        if served is not None:
            served.fell_back, served.usual = True, False
        name = str.__str__(reason) if isinstance(reason, str) else ""
        # Requests that nobody watches must not make of theirs answers by themselves.
        is_lone = served is None and recorder.armed
        named = 0 < len(name) <= LONGEST
        recorder.totals.count_fallback(name if named else OTHER, is_lone=is_lone)
    except Exception:  # noqa: BLE001 - inside a request nothing is raised
        recorder.totals.fault("fallback")


def _served(recorder: Recorder) -> Served | None:
    """Give the open request that is being served, whatever else goes on inside it."""
    request = current()
    while request is not None and request.outer is not None:
        request = request.outer
    if isinstance(request, Served) and request.recorder is recorder:
        return None if request.closed else request
    return None
