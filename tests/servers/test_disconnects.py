"""A client that goes away is noticed as it would be bare, and leaves nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.servers.running import SECONDS, Server

pytestmark = pytest.mark.servers

Pair = tuple[Server, Server]
ENDLESS = b"GET /endless/ HTTP/1.1\r\nHost: here\r\n\r\n"
UPLOAD = b"POST /upload HTTP/1.1\r\nHost: here\r\nContent-Length: 1000000\r\n\r\n" + (
    b"x" * 1000
)
STREAMS = 1000
MEGABYTE = 1024 * 1024


def times(server: Server, words: str) -> int:
    said: list[str] = server.control()["said"]
    return said.count(words)


def noticed(server: Server, words: str, *, before: int) -> int:
    """Give how often the application was told, once it was or will not be."""
    deadline = time.monotonic() + SECONDS / 4
    while time.monotonic() < deadline:
        if times(server, words) > before:
            break
    return times(server, words) - before


@pytest.mark.parametrize(
    ("sent", "after", "words", "route"),
    [
        (ENDLESS, MEGABYTE, "download left", "/endless"),
        (UPLOAD, 0, "upload left", "/upload"),
    ],
    ids=["download", "upload"],
)
def test_a_reset_reaches_the_application_and_counts_as_the_clients(
    pair: Pair, sent: bytes, after: int, words: str, route: str
) -> None:
    told: list[int] = []
    before = pair[1].control()["outcomes"].get("client_closed", 0)
    for server in pair:
        said = times(server, words)
        server.reset(sent, after=after)
        told.append(noticed(server, words, before=said))

    assert told[1] == told[0]
    if not told[0]:
        return  # hypercorn tells no application of an upload's reset, bare or watched
    found = pair[1].until("outcomes", "client_closed", is_at_least=before + 1)
    assert found["outcomes"].get("client_closed", 0) == before + 1, found
    assert any(f"{route} 499" in name for name in found["counts"]), found["counts"]


def test_a_thousand_aborted_streams_leave_nothing_behind(pair: Pair) -> None:
    left: list[dict[str, int]] = []
    for server in pair:
        server.reset(ENDLESS, after=1024)
        before = settled(server, {})
        for _ in range(STREAMS):
            server.reset(ENDLESS, after=MEGABYTE)
        after = settled(server, before)
        left.append({name: after[name] - before[name] for name in before})

    # Below zero: what earlier clients had left open has ended meanwhile.
    bare, watched = left
    assert all(watched[name] <= max(bare[name], 0) for name in bare), left
    assert watched["tasks"] <= 0
    assert watched["held"] <= 0


def settled(server: Server, goal: dict[str, int]) -> dict[str, int]:
    """Give what is alive, once it is no more than *goal* or time is up."""
    deadline = time.monotonic() + SECONDS / 4
    while True:
        found: dict[str, Any] = server.control()
        now = {name: found[name] for name in ("tasks", "files", "held")}
        is_back = goal and all(now[name] <= goal[name] for name in goal)
        if is_back or time.monotonic() > deadline:
            return now
