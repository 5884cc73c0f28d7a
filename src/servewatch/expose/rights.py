"""Who may see what: a token, or a caller on this machine.

Without rights one sees what is open: the summary of `/drift`, the gate, `/metrics` and
the state of ServeWatch itself; never the page, blocks, or a cause that names values.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

COOKIE = "servewatch"
_RELAYED = ("forwarded", "via", "x-real-ip")


@dataclass(frozen=True, slots=True)
class Rights:
    """How a request earns rights.

    With a *token*: `Authorization: Bearer <token>`, or the page's cookie. Without one:
    a loopback peer whose request no proxy relayed and no foreign name led here.
    """

    token: str | None
    metrics_open: bool = True

    def full(self, request: HTTPConnection) -> bool:
        """Whether the caller may see everything."""
        if self.change(request):
            return True
        if self.token is None:
            return False
        cookie = request.cookies.get(COOKIE, "")
        return hmac.compare_digest(cookie.encode(), self.cookie().encode())

    def change(self, request: HTTPConnection) -> bool:
        """Whether the caller may hand something in, such as a label.

        The page's cookie is for looking: a browser sends it whoever wrote the page.
        """
        if self.token is None:
            return _is_local(request)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.accepts(given.strip())

    def summary(self, request: HTTPConnection) -> bool:
        """Whether the caller may see what is open unless closed by `metrics_open`."""
        return self.metrics_open or self.full(request)

    def accepts(self, given: str) -> bool:
        """Whether *given* is the token; takes the same time however much of it fits."""
        if self.token is None:
            return False
        return hmac.compare_digest(given.encode(), self.token.encode())

    def cookie(self) -> str:
        """Give what the page's cookie holds: proof of the token, not the token."""
        key = (self.token or "").encode()
        return hmac.new(key, b"servewatch page", hashlib.sha256).hexdigest()

    def described(self) -> str:
        """Say in a sentence who has rights."""
        if self.token is not None:
            return "callers with the token"
        return "callers on this machine (no token is set)"


def _is_local(request: HTTPConnection) -> bool:
    headers = request.headers
    relayed = any(name in headers for name in _RELAYED) or any(
        name.startswith("x-forwarded-") for name in headers
    )
    peer = request.client
    return (
        not relayed
        and not _is_cross_site(headers)
        and peer is not None
        and _is_loopback(peer.host)
        and _names_this_machine(headers.get("host", ""))
    )


def _is_cross_site(headers: Headers) -> bool:
    """Whether a page from elsewhere asks, by what a browser says of itself.

    An app that allows every origin would else hand that page what this machine sees.
    """
    site = headers.get("sec-fetch-site", "none")
    origin = headers.get("origin")
    if site not in {"none", "same-origin"}:
        return True
    if origin is None:
        return False
    return origin.partition("://")[2].lower() != headers.get("host", "").lower()


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _names_this_machine(host: str) -> bool:
    """Whether a Host header is a name that only this machine can have given.

    A page from elsewhere may let its own name resolve to 127.0.0.1 and then read the
    answers (DNS rebinding). Such a name has a dot; no public name goes without one.
    """
    name = host
    if not host:
        return False
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        if not re.fullmatch(r"(:[0-9]{1,5})?", port):
            return False
    elif host.count(":") == 1:
        name = host.partition(":")[0]
    name = name.rstrip(".").lower()
    if _is_loopback(name):
        return True
    return ":" not in name and "." not in name.removesuffix(".localhost")
