"""The one background thread: it beats, and what goes wrong in a beat never ends it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue

from servewatch.record.forking import renew_after_fork
from servewatch.record.guard import Faults


class Heartbeat:
    """Calls *beat* every *interval_seconds* on a daemon thread.

    An exception in a beat, of any kind, is counted; the next beat comes all the same.
    Nothing runs before `start`, nor in a forked child before its own `start`.
    """

    def __init__(
        self,
        beat: Callable[[], None],
        interval_seconds: float = 1.0,
        *,
        faults: Faults | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        """Call *on_end* whenever the thread has ended, for it may be wanted again."""
        self._beat = beat
        self._interval_seconds = interval_seconds
        self._faults = faults
        self._on_end = on_end
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Forget the parent's thread: it does not run here."""
        self._thread: threading.Thread | None = None
        # Not an Event: a finalizer may hasten while this very thread holds its lock.
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._starting = threading.Lock()
        self._stopped = False
        self._ended = False

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        thread = self._thread
        return thread is not None and thread.is_alive() and not self._ended

    def start(self) -> None:
        """Start the thread unless it runs; again after it died."""
        with self._starting:
            if self.is_alive:
                return
            self._stopped = self._ended = False
            self._forget_calls()
            self._thread = threading.Thread(
                target=self._run, name="servewatch-heartbeat", daemon=True
            )
            self._thread.start()

    def hasten(self) -> None:
        """Have the next beat at once."""
        self._wake.put(None)

    def stop(self, *, flush: bool = True) -> None:
        """End the thread after the beat it is in; with *flush*, beat once more here."""
        self._stopped = True
        self._wake.put(None)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5.0)
        if flush:
            self._once()
        self._tell_end()

    def _run(self) -> None:
        try:
            while not self._stopped:
                with suppress(Empty):
                    self._wake.get(timeout=self._interval_seconds)
                if not self._stopped:
                    self._forget_calls()
                    self._once()
        finally:  # whatever ended it: the next record has to find no thread
            self._ended = True
            self._tell_end()

    def _forget_calls(self) -> None:
        """Many may have called for the beat that comes now."""
        with suppress(Empty):
            while True:
                self._wake.get_nowait()

    def _tell_end(self) -> None:
        if self._on_end is not None:
            self._on_end()

    def _once(self) -> None:
        try:
            self._beat()
        except BaseException:  # noqa: BLE001 - whatever ends a beat, the next one comes
            if self._faults is not None:
                self._faults.fault("beat")
