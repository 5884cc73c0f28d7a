"""What the span of an HTTP request says, by OpenTelemetry's stable HTTP conventions.

Neither path, query, headers nor the client's address are among it: they hold values.
"""

from __future__ import annotations

from servewatch.capture.messages import Scope
from servewatch.capture.route import UNMATCHED
from servewatch.capture.span import Facts
from servewatch.record.observation import Outcome
from servewatch.record.totals import METHODS

SCHEMA = "https://opentelemetry.io/schemas/1.23.1"  # since then these names are stable
OTHER_METHOD = "_OTHER"  # a stranger's methods would make a name each


def first_name(scope: Scope) -> str:
    """Name a span whose route is not known yet.

    >>> first_name({"method": "POST"}), first_name({"method": "SPLINE"})
    ('POST', 'HTTP')
    """
    method: str = scope.get("method", "")
    return method if method in METHODS else "HTTP"


def said_at_first(scope: Scope) -> Facts:
    """Give what is known of a request at once; samplers may go by it.

    >>> said_at_first({"method": "GET", "server": ("::1", 80)})["server.address"]
    '::1'
    """
    method = scope.get("method", "")
    said: Facts = {
        "http.request.method": method if method in METHODS else OTHER_METHOD,
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope.get("http_version", "1.1"),
    }
    server = scope.get("server")
    if server and server[1] is not None:  # else it is the path of a socket
        said["server.address"], said["server.port"] = server
    return said


def said_of_answer(
    route: str, status: int, outcome: Outcome, error: str | None
) -> tuple[Facts, str | None]:
    """Give what is known of an answer, and what error it is; *status* 0: none was sent.

    >>> said_of_answer("/predict", 503, "ok", None)
    ({'http.route': '/predict', 'http.response.status_code': 503}, '503')
    """
    said: Facts = {} if route == UNMATCHED else {"http.route": route}
    if not status and outcome != "client_closed":
        status = 500  # as servers answer then
    if status:
        said["http.response.status_code"] = status
    if error is None and status >= 500:
        error = str(status)
    return said, error
