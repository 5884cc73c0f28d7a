"""Behind real servers a watched application answers as the bare one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.apps import CHUNK
from tests.servers.running import COMMANDS, Server
from tests.servers.sockets import talk

pytestmark = pytest.mark.servers

Pair = tuple[Server, Server]
BIG = 512  # chunks of 64 KiB


@pytest.mark.parametrize(
    ("method", "path", "counted"),
    [
        ("GET", "/hello", "GET /hello 200"),
        ("HEAD", "/hello", "HEAD /hello 200"),
        ("GET", "/items/7", "GET /items/{n:int} 200"),
        ("GET", "/sub/items/7", "GET /sub/items/{n:int} 200"),
        ("GET", "/nothing/204", "GET /nothing/{status:int} 204"),
        ("GET", "/nothing/304", "GET /nothing/{status:int} 304"),
        ("GET", "/state", "GET /state 200"),
        ("GET", "/file", "GET /file 200"),
        ("GET", "/nowhere/7", "GET unmatched 404"),
        ("POST", "/hello", "POST /hello 405"),
        ("BREW", "/hello", "other /hello 405"),
        ("GET", "/hello/", "GET unmatched 307"),
        ("GET", "/early-error", "GET /early-error 500"),
        ("GET", "/late-error", "GET /late-error 500"),
        ("GET", f"/download/{BIG}", "GET /download/{chunks:int} 200"),
    ],
)
def test_an_answer_is_the_same_and_counted(
    pair: Pair, method: str, path: str, counted: str
) -> None:
    bare, watched = pair
    before = watched.control()["counts"].get(counted, 0)

    expected, answer = bare.ask(path, method), watched.ask(path, method)

    if path.startswith("/hello/"):  # it names the port
        expected, answer = expected[:1], answer[:1]
    assert answer == expected
    if answer[0] == 400:
        return  # httptools knows no such method: nobody asked the application
    found = watched.until("counts", counted, is_at_least=before + 1)
    assert found["counts"].get(counted, 0) == before + 1, found["counts"]
    assert found["internal"] == {}


def test_a_failure_midway_is_no_success(pair: Pair) -> None:
    _, watched = pair
    before = watched.control()["outcomes"].get("error_after_start", 0)

    watched.ask("/late-error")

    found = watched.until("outcomes", "error_after_start", is_at_least=before + 1)
    assert found["outcomes"]["error_after_start"] == before + 1


def test_a_large_chunked_upload_arrives_whole(pair: Pair) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(BIG):
            yield CHUNK

    for server in pair:
        status, _, data = server.ask("/upload", "POST", parts())
        digest = hashlib.sha256(CHUNK * BIG).hexdigest()
        assert status == 200
        assert digest.encode() in data


def test_the_first_event_arrives_before_the_second_is_made(pair: Pair) -> None:
    for server in pair:
        with server.open("/stream") as response:
            parts = []
            for number in range(3):
                if number:
                    server.ask("/release")
                parts.append(response.readline() + response.readline())
        assert parts == [f"data: {number}\n\n".encode() for number in range(3)]


def test_an_answer_does_not_wait_for_its_background_task(pair: Pair) -> None:
    for server in pair:
        before = server.control()["said"].count("background ended")
        assert server.ask("/later")[2] == b"at once"
        assert server.control()["said"].count("background ended") == before
        server.ask("/release")
        ended = 0
        for _ in range(1000):
            ended = server.control()["said"].count("background ended")
            if ended > before:
                break
        assert ended == before + 1


def test_context_variables_reach_background_tasks(pair: Pair) -> None:
    for server in pair:
        assert server.ask("/context")[2] == b"ann"
        found = server.until("said", is_at_least=1)
        assert "background sees ann" in found["said"]


def test_a_websocket_talks_and_closes_with_its_code(pair: Pair) -> None:
    talks = [talk(server.port, ["one", "two", "close"]) for server in pair]

    assert talks[0] == ("b", ["one", "two"], 4001)
    assert talks[1] == talks[0]


def test_a_websockets_client_may_leave_with_a_code(pair: Pair) -> None:
    told = []
    for server in pair:
        before = len(closings(server))
        talk(server.port, ["one"], leave_with=4002)
        for _ in range(1000):
            if len(closings(server)) > before:
                break
        told.append(closings(server)[before:])

    assert len(told[0]) == 1
    assert told[1] == told[0]


def closings(server: Server) -> list[str]:
    return [each for each in server.control()["said"] if each.startswith("socket")]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_lifespan_ends_well(name: str, tmp_path: Path) -> None:
    server = Server(name, tmp_path, watched=True)
    assert server.ask("/state")[2] == b'"since the start"'

    server.stop()

    assert server.ended.read_text() == "ended well"
