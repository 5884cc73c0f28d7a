"""Asking a served ServeWatch over HTTP, with nothing but the standard library."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import HTTPHandler, OpenerDirector, ProxyHandler, Request
from urllib.request import build_opener as build_urllib_opener

import msgspec

from servewatch.errors import GateError

ANSWER_BYTES = 64 * 1024 * 1024  # a thousand streams are two megabytes
# Of a proxy or a busy server: the same question may get an answer later.
BUSY = {429, 502, 503, 504}
ID_HEADER = "x-prediction-id"  # unless the server's settings name another


class Answered(NamedTuple):
    """What came back, whatever its status."""

    status: int
    reason: str
    body: bytes
    prediction_id: str | None = None


class LabelAnswer(msgspec.Struct):
    """What became of one label: accepted, duplicate, or refused for a reason."""

    id: str
    outcome: str
    reason: str | None


class LabelAnswers(msgspec.Struct):
    """What became of labels, in order; `durable` says that they are on disk."""

    items: list[LabelAnswer]
    durable: bool


class Problem(msgspec.Struct):
    """What the server says is wrong, and what to do about it."""

    error: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Client:
    """Asks one server; every request ends within `timeout_seconds` of silence.

    `base` is what the routes hang under (see `base_url`).
    """

    base: str
    token: str | None = field(default=None, repr=False)
    timeout_seconds: float = 10.0

    def drift(self) -> Mapping[str, Any]:
        """Give what GET /drift answers. Raises `GateError`."""
        where = f"{self.base}/drift"
        answer = decoded(self.get("/drift"), where=where)
        if not isinstance(answer, dict) or not isinstance(answer.get("gate"), dict):
            raise GateError(
                "this is not what /drift answers",
                where=where,
                found=answer,
                expected="an object with status, gate and streams",
                remedy="give the URL under which ServeWatch is installed",
            )
        return answer

    def get(self, route: str) -> bytes:
        """Give the body that *route* answers with. Raises `GateError`."""
        return self._sent(route, None).body

    def predict(self, route: str, rows: object) -> str | None:
        """Send *rows* as JSON to a model; give the id that labels name them by.

        None where nobody gave one. Raises `GateError`.
        """
        return self._sent(route, msgspec.json.encode(rows)).prediction_id

    def feedback(self, labels: bytes) -> LabelAnswers:
        """Send a JSON list of labels; give what became of each, refused ones too.

        Raises `Unreachable` where asking again may help (it is safe: a label counts
        once), else `GateError`.
        """
        answered = self._exchanged("/feedback", labels)
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.json.decode(answered.body, type=LabelAnswers)
        problem = Problem("the server takes no labels", _remedy(answered.status))
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            problem = msgspec.json.decode(answered.body, type=Problem)
        kind = Unreachable if answered.status in BUSY else GateError
        raise kind(
            problem.error,
            where=f"{self.base}/feedback",
            found=f"{answered.status} {answered.reason}",
            remedy=problem.remedy,
        )

    def _sent(self, route: str, body: bytes | None) -> Answered:
        answered = self._exchanged(route, body)
        if not 200 <= answered.status < 300:
            raise GateError(
                "the server refuses",
                where=self.base + route,
                found=f"{answered.status} {answered.reason}",
                expected="200 OK",
                remedy=_remedy(answered.status),
            )
        return answered

    def _exchanged(self, route: str, body: bytes | None) -> Answered:
        """Give the answer; raises `Unreachable` where there is none."""
        headers = {} if body is None else {"content-type": "application/json"}
        if self.token is not None:
            headers["authorization"] = f"Bearer {self.token}"
        request = Request(  # noqa: S310 - base_url lets only http and https through
            self.base + route, data=body, headers=headers
        )
        try:
            with opener(self.base).open(request, timeout=self.timeout_seconds) as got:
                named = got.headers.get(ID_HEADER)
                return Answered(got.status, got.reason, got.read(ANSWER_BYTES), named)
        except HTTPError as error:
            with error:
                return Answered(error.code, error.reason, error.read(ANSWER_BYTES))
        except (OSError, HTTPException) as error:  # URLError is an OSError
            raise Unreachable(
                "the server does not answer",
                where=request.full_url,
                found=str(getattr(error, "reason", error)) or type(error).__name__,
                remedy="check the address, and that the server runs",
            ) from error


class Unreachable(GateError):  # noqa: N818 - like the other errors' names
    """No answer at all: asking again later may help."""


def opener(url: str) -> OpenerDirector:
    """Give what opens *url*: never through a proxy when it is on this machine.

    A proxy's headers would cost a loopback caller its rights.
    """
    if is_loopback(urlsplit(url).hostname or ""):
        return build_urllib_opener(ProxyHandler({}), HTTPHandler())
    return build_urllib_opener()


def is_loopback(host: str) -> bool:
    """Whether *host* names this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("example.org")
    (True, False)
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def base_url(url: str) -> str:
    """Give the part of *url* that the routes hang under. Raises `GateError`.

    >>> base_url("localhost:8000")
    'http://localhost:8000'
    >>> base_url("https://shop.example/internal/drift/gate")
    'https://shop.example/internal'
    """
    whole = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(whole)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        _ = parts.port  # raises on what is no port
    except ValueError:
        is_usable = False
    if not is_usable:
        raise GateError(
            "this is no address of a server",
            found=url,
            expected="a URL such as http://127.0.0.1:8000",
        )
    path = parts.path.rstrip("/").removesuffix("/feedback")
    path = path.removesuffix("/gate").removesuffix("/drift")
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def decoded(body: bytes, *, where: str) -> Any:
    """Give the JSON value in *body*. Raises `GateError`."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GateError(
            "the answer is not JSON",
            where=where,
            found=body[:80],
            expected="what /drift answers",
            remedy="give the URL under which ServeWatch is installed",
        ) from error


def _remedy(code: int) -> str:
    if code in {401, 403}:
        return "pass --token, or set SERVEWATCH_TOKEN"
    if code == 404:
        return "give the URL under which ServeWatch is installed, prefix included"
    return "look into the server's log"
