"""Sends lineage events from a thread of its own: who tells them never waits."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Full, Queue
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import SplitResult, urlsplit

from servewatch.errors import ConfigError, MissingExtra
from servewatch.record.forking import renew_after_fork

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent

MOST_WAITING = 64
TRIES = 5
FIRST_WAIT_SECONDS = 1.0  # then 2, 4, 8
TIMEOUT_SECONDS = 5.0
TOO_MANY, TIMED_OUT = 429, 408
WEB = ("http://", "https://")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
PASSWORD = re.compile(r"(//)[^/@]*@|\?.*", re.DOTALL)


class Transport(Protocol):
    """What openlineage-python sends by."""

    def emit(self, event: RunEvent, /) -> object:
        """Send one event, or raise."""


class LineageSender:
    """Sends events to *target*: "console", a file's path, or an http(s):// address.

    Up to 64 events wait, those beyond are dropped. One that cannot be sent is tried
    five times over 15 seconds, then dropped too; one that is refused is not tried
    again. `failure` says in words why sending fails, None while it works; *tell* hears
    of it once, and again only after it has worked in between.

    >>> import tempfile
    >>> from servewatch.pipeline.lineage import LineageFacts
    >>> from servewatch.pipeline.openlineage_events import LineageEvents
    >>> from servewatch.sketch.layout import NO_COLUMNS
    >>> file = tempfile.NamedTemporaryFile()
    >>> sender = LineageSender(file.name)
    >>> events = LineageEvents(LineageFacts(model="m"), NO_COLUMNS, send=sender.put)
    >>> events.begin(at=0.0)
    >>> sender.close()
    >>> b'"eventType": "START"' in file.read(), sender.dropped
    (True, 0)
    >>> file.close()
    """

    def __init__(
        self,
        target: str,
        *,
        tell: Callable[[str], object] | None = None,
        api_key: str | None = None,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:
        """Send an *api_key* as a bearer token, over HTTP only.

        Raises `ConfigError` for an address that is none, and `MissingExtra` where
        openlineage-python is not installed.
        """
        self.target = target
        self.failure: str | None = None
        self.sent = self.dropped = 0
        self._tell, self._api_key = tell, api_key
        self._first_wait = first_wait_seconds
        self._transport: Transport | None = _transport_to(target, api_key)
        self._renew()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Leave what waits, the thread and the connection to the parent."""
        self._transport = None
        self._renew()

    def _renew(self) -> None:
        self._queue: Queue[RunEvent | None] = Queue(MOST_WAITING)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, event: RunEvent) -> None:
        """Have *event* sent, or count it as dropped; never waits."""
        try:
            self._queue.put_nowait(event)
        except Full:
            self.dropped += 1
            return
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self._run,
                args=(self._queue, self._closing),
                name="servewatch-lineage",
                daemon=True,
            )
            self._thread.start()

    def close(self, seconds: float = 5.0) -> None:
        """Send what waits, each tried once, for *seconds* at most; then drop it."""
        thread, queue = self._thread, self._queue
        deadline = monotonic() + seconds
        self._closing.set()
        if thread is not None:
            try:
                queue.put(None, timeout=seconds)
                thread.join(max(0.0, deadline - monotonic()))
            except Full:
                pass
            if thread.is_alive():
                self.dropped += sum(event is not None for event in queue.queue)
        self._renew()

    def _run(self, queue: Queue[RunEvent | None], closing: threading.Event) -> None:
        while (event := queue.get()) is not None:
            self._deliver(event, closing)

    def _deliver(self, event: RunEvent, closing: threading.Event) -> None:
        wait = self._first_wait
        for is_last in [False] * (TRIES - 1) + [True]:
            try:
                if self._transport is None:
                    self._transport = _transport_to(self.target, self._api_key)
                self._transport.emit(event)
            except Exception as error:  # noqa: BLE001 - whatever a transport raises
                self._failed(error)
                if is_last or _is_refused(error) or closing.is_set():
                    self.dropped += 1
                    return
                closing.wait(wait)
                wait *= 2
            else:
                self.sent += 1
                self.failure = None
                return

    def _failed(self, error: Exception) -> None:
        """Keep why, without addresses: they may hold passwords."""
        status = _status_of(error)
        cause = error.__cause__ if isinstance(error, RuntimeError) else None
        words = type(cause or error).__name__ + (f" {status}" if status else "")
        is_new, self.failure = self.failure is None, f"lineage is not sent: {words}"
        if is_new and self._tell is not None:
            self._tell(self.failure)


class _Console:
    """Writes a JSON line to standard error; theirs goes to a logger nobody set up."""

    def emit(self, event: RunEvent) -> None:
        from openlineage.client.serde import Serde

        sys.stderr.write(f"{Serde.to_json(event)}\n")


def _transport_to(target: str, api_key: str | None) -> Transport:
    try:
        from openlineage.client.transport.file import FileConfig, FileTransport
        from openlineage.client.transport.http import HttpConfig, HttpTransport
    except ModuleNotFoundError as error:
        raise MissingExtra("lineage", extra="lineage") from error
    if target == "console":
        return _Console()
    parts = _address(target)
    if parts is None:
        return FileTransport(
            FileConfig.from_dict({"log_file_path": target, "append": True})
        )
    settings: dict[str, Any] = {
        "url": f"{parts.scheme}://{parts.netloc}",
        "timeout": TIMEOUT_SECONDS,
        "retry": {"total": 0, "status_forcelist": []},  # theirs log: see `_deliver`
    }
    if parts.path.strip("/"):
        query = f"?{parts.query}" if parts.query else ""
        settings["endpoint"] = f"{parts.path.lstrip('/')}{query}"
    if api_key:
        settings["auth"] = {"type": "api_key", "apiKey": api_key}
    return HttpTransport(HttpConfig.from_dict(settings))


def _address(target: str) -> SplitResult | None:
    """Give the parts of an address, None for a file's path; `ConfigError` for neither.

    >>> _address("http://127.0.0.1:5000").port
    5000
    """
    if not SCHEME.match(target):
        if not Path(target).is_dir():
            return None
        found = f"{target}, which is a folder"
    else:
        found = PASSWORD.sub(r"\1", target)
        try:
            parts = urlsplit(target)
            is_sound = parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:
            is_sound = False
        if target.startswith(WEB) and is_sound and not re.search(r"\s", target):
            return parts
    raise ConfigError(
        "lineage is no address",
        field="lineage",
        found=found,
        expected="console, a file's path, or one such as http://127.0.0.1:5000",
        remedy="correct lineage or leave it out",
    )


def _status_of(error: Exception) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", None) or 0)


def _is_refused(error: Exception) -> bool:
    status = _status_of(error)
    return 400 <= status < 500 and status not in {TOO_MANY, TIMED_OUT}
