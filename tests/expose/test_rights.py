from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import HTTPConnection

from servewatch.expose.rights import COOKIE, Rights

TOKEN = "correct-horse"


def request(
    peer: str | None = "127.0.0.1", host: str = "localhost", **headers: str
) -> HTTPConnection:
    fields = {"host": host} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    scope: dict[str, Any] = {
        "type": "http",
        "client": None if peer is None else (peer, 1),
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in fields.items()],
    }
    return HTTPConnection(scope)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_this_machine_has_rights(peer: str) -> None:
    assert Rights(None).full(request(peer))


@pytest.mark.parametrize("peer", ["10.0.0.1", "203.0.113.9", "::2", "testclient", None])
def test_without_a_token_no_other_peer_has_rights(peer: str | None) -> None:
    assert not Rights(None).full(request(peer))


@pytest.mark.parametrize(
    "header", ["forwarded", "via", "x_forwarded_for", "x_forwarded_proto", "x_real_ip"]
)
def test_a_relayed_request_is_not_from_this_machine(header: str) -> None:
    assert not Rights(None).full(request(**{header: "127.0.0.1"}))


@pytest.mark.parametrize(
    "host", ["localhost:8000", "127.0.0.1:80", "[::1]:80", "app.localhost", "model"]
)
def test_names_of_this_machine_are_accepted(host: str) -> None:
    assert Rights(None).full(request(host=host))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[2001::1]"]
)
def test_a_foreign_name_that_resolves_here_gets_no_rights(host: str) -> None:
    assert not Rights(None).full(request(host=host))


@pytest.mark.parametrize("host", ["", "[::1].example.com", "[::1]:80.example.com"])
def test_a_host_that_only_looks_local_gets_no_rights(host: str) -> None:
    assert not Rights(None).full(request(host=host))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_from_elsewhere_gets_no_rights(headers: dict[str, str]) -> None:
    assert not Rights(None).full(request(host="localhost:8000", **headers))


def test_a_page_of_this_machine_keeps_its_rights() -> None:
    headers = {"origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}
    assert Rights(None).full(request(host="localhost:8000", **headers))


def test_the_token_gives_rights_from_anywhere() -> None:
    caller = request("203.0.113.9", authorization=f"Bearer {TOKEN}")
    assert Rights(TOKEN).full(caller)


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer ü", ""]
)
def test_anything_but_the_token_gives_none(header: str) -> None:
    assert not Rights(TOKEN).full(request(authorization=header))


def test_with_a_token_set_this_machine_needs_it_too() -> None:
    assert not Rights(TOKEN).full(request("127.0.0.1"))


def test_the_cookie_gives_rights() -> None:
    rights = Rights(TOKEN)
    assert rights.full(request(cookie=f"{COOKIE}={rights.cookie()}"))


def test_the_cookie_is_not_the_token() -> None:
    assert TOKEN not in Rights(TOKEN).cookie()


def test_the_token_is_no_cookie() -> None:
    assert not Rights(TOKEN).full(request(cookie=f"{COOKIE}={TOKEN}"))


def test_the_summary_is_open() -> None:
    assert Rights(TOKEN).summary(request("203.0.113.9"))


def test_the_summary_can_be_closed() -> None:
    assert not Rights(TOKEN, metrics_open=False).summary(request("203.0.113.9"))
