"""Where a run's metrics go: a file for a textfile collector, and a Pushgateway."""

from __future__ import annotations

import os
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote, unquote, urlsplit

from servewatch.errors import ConfigError
from servewatch.expose.formats import TEXT

TIMEOUT_SECONDS = 5.0  # of silence: a job must not wait for the one that watches it
MODE = 0o644  # the collector is another user


@dataclass(frozen=True, slots=True)
class Undelivered:
    """That *where*, "textfile" or "pushgateway", did not get a run's metrics."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """Takes text to a file, to a Pushgateway, to both or to none.

    Raises `ConfigError` at once for a path that no collector reads, or an address that
    is none: whoever finds that out after hours of training, finds it out too late.

    >>> Delivery.to(None, None, job="demand", kind="train").deliver(b"")
    []
    """

    places: Mapping[str, Callable[[bytes], None]]

    @classmethod
    def to(
        cls,
        textfile: str | os.PathLike[str] | None,
        pushgateway: str | None,
        *,
        job: str,
        kind: str,
    ) -> Delivery:
        """Give what delivers the metrics of *job*'s runs of *kind*."""
        places: dict[str, Callable[[bytes], None]] = {}
        if textfile is not None:
            path = _checked(textfile).absolute()  # jobs change their folder
            places["textfile"] = lambda text: write(path, text)
        if pushgateway is not None:
            address = group_address(pushgateway, job=job, kind=kind)
            places["pushgateway"] = lambda text: push(address, text)
        return cls(places)

    def deliver(self, text: bytes) -> list[Undelivered]:
        """Take *text* everywhere, and say where that failed; nothing is raised."""
        failed = []
        for where, put in self.places.items():
            try:
                put(text)
            except Exception as error:  # noqa: BLE001 - told, whatever it is
                failed.append(Undelivered(where, _why(error)))
        return failed

    def nowhere(self, error: Exception) -> list[Undelivered]:
        """Say of every place that *error* left nothing to take there.

        >>> Delivery({"textfile": print}).nowhere(ValueError("no text"))
        [Undelivered(where='textfile', reason='ValueError: no text')]
        """
        return [Undelivered(where, _why(error)) for where in self.places]


NOWHERE = Delivery({})


def write(path: Path, text: bytes) -> None:
    """Replace the file at *path* as a whole, readable by everybody, or not at all.

    The unfinished file lies beside it under a name that no collector reads. Raises
    OSError.
    """
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            os.fchmod(file.fileno(), MODE)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def push(address: str, text: bytes) -> None:
    """PUT *text* to a Pushgateway's group, all of which it replaces.

    Raises OSError or HTTPException, ConnectionError for an answer that is no success.
    No proxy is asked: a Pushgateway is one's own.
    """
    parts = urlsplit(address)
    connects = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    headers = {"content-type": TEXT}
    if parts.username is not None:
        known = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["authorization"] = f"Basic {b64encode(known.encode()).decode()}"
    connection = connects(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("PUT", parts.path, text, headers)
        answer = connection.getresponse()
        if not 200 <= answer.status < 300:
            raise ConnectionError(f"HTTP {answer.status} {answer.reason}")
    finally:
        connection.close()


def group_address(pushgateway: str, *, job: str, kind: str) -> str:
    """Give the URL of a job's group at the address of a *pushgateway*.

    Names with a slash go in base64, as the Pushgateway's own documents want it.

    >>> group_address("http://127.0.0.1:9091/", job="demand", kind="train")
    'http://127.0.0.1:9091/metrics/job/demand/kind/train'
    >>> group_address("http://push", job="a/b", kind="train")
    'http://push/metrics/job@base64/YS9i/kind/train'
    """
    try:
        parts = urlsplit(f"{pushgateway}")
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname)
        fits = fits and not parts.query and (parts.port is None or parts.port > 0)
    except ValueError:
        fits = False
    if not fits:
        raise ConfigError(
            "this is no address of a Pushgateway",
            field="pushgateway",
            found=pushgateway,
            expected="an address such as http://127.0.0.1:9091",
            remedy="correct it, or leave it out",
        )
    return (
        f"{pushgateway.rstrip('/')}/metrics/{_part('job', job)}/{_part('kind', kind)}"
    )


def _part(label: str, value: str) -> str:
    if "/" in value:
        return f"{label}@base64/{urlsafe_b64encode(value.encode()).decode()}"
    return f"{label}/{quote(value, safe='')}"


def _checked(textfile: object) -> Path:
    path = Path(textfile) if isinstance(textfile, str | os.PathLike) else None
    if path is None or path.suffix != ".prom" or not path.parent.is_dir():
        raise ConfigError(
            "no textfile collector would read this",
            field="textfile",
            found=textfile if path is None else str(path),
            expected="a file that ends in .prom, in a folder that is there",
            remedy="name it so, or make the folder that node_exporter reads",
        )
    return path


def _why(error: Exception) -> str:
    """Name what went wrong, without an address: those may hold a password."""
    name = type(error).__name__
    try:
        text = getattr(error, "strerror", None) or str(error)
    except Exception:  # noqa: BLE001 - an error's own methods may raise
        return name
    return f"{name}: {text}" if text else name
