"""What is seen between two steps of a pipeline, on its way to the drain."""

from __future__ import annotations

from typing import Any

from numpy import ndarray

from servewatch.record import frames
from servewatch.record.keeping import rows_given
from servewatch.record.recorder import Recorder
from servewatch.record.tap_snapshot import snapshot_tap


def tap(recorder: Recorder, name: str, value: Any) -> None:
    """Record *value*, rows of any sort, as seen at the tap *name*; never raises.

    An array, a data frame, a sparse matrix, a list or a dict: copied, so that its owner
    may change it. Where rows are sampled, these are too, by the same share. What is
    seen at a tap that the baseline does not know is only counted: by its rows if it is
    an array, a frame or a sparse matrix, else as one, and nothing of it is asked.

    `Exception` goes no further. An exit or an interrupt, raised by a value's own
    attribute where the tap is known, does, as it would from the caller's own code.

    >>> recorder = Recorder()
    >>> tap(recorder, "encoded", [[1.0, 2.0], [3.0, 4.0]])
    >>> [(name, seen.rows) for name, seen in recorder.tap_rows.take()]
    [('encoded', 2)]
    """
    try:
        if not recorder.is_ready():
            return
        if type(name) is not str:
            name = str(name)
        waiting = recorder.tap_rows
        known = waiting.known
        if known is not None and name not in known:
            recorder.totals.count_unknown_tap(name, _rows_of(value))
            return
        most = recorder.batch_rows
        if recorder.keep_share < 1.0:
            most = min(most, waiting.kept_of(rows_given(value), recorder.keep_share))
            if not most:
                return
        waiting.append((name, snapshot_tap(value, most)))
    except Exception:  # noqa: BLE001 - inside a request nothing is raised
        recorder.totals.fault("tap")


def _rows_of(value: Any) -> int:
    """Count the rows of an array or what a known library made; of all else, one."""
    is_usual = type(value) is ndarray or frames.known(value) is not None
    return rows_given(value) if is_usual else 1
