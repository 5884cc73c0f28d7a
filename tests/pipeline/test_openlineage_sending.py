from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from servewatch.errors import ConfigError
from servewatch.pipeline.lineage import LineageFacts
from servewatch.pipeline.openlineage_events import LineageEvents
from servewatch.pipeline.openlineage_sending import MOST_WAITING, LineageSender
from servewatch.sketch.layout import NO_COLUMNS
from tests.pipeline.openlineage_schemas import faults


class Receiver:
    """A real HTTP server that keeps what it is sent; it answers `statuses` first."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str | None, dict[str, Any]]] = []
        self.statuses: list[int] = []
        self.release = threading.Event()
        self.release.set()
        keeper = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                keeper.release.wait(20)
                status = keeper.statuses.pop(0) if keeper.statuses else 201
                if status == 201:
                    token = self.headers["authorization"]
                    keeper.received.append((self.path, token, json.loads(body)))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for _, _, event in self.received]

    def stop(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


def run_of(sender: LineageSender) -> LineageEvents:
    return LineageEvents(LineageFacts(model="demand"), NO_COLUMNS, send=sender.put)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_events_arrive_over_http_in_order_and_valid(receiver: Receiver) -> None:
    sender = LineageSender(receiver.url)
    run = run_of(sender)
    run.begin(0.0)
    run.end({"status": "ok"}, 60.0)
    sender.close()

    assert [path for path, _, _ in receiver.received] == ["/api/v1/lineage"] * 2
    assert [event["eventType"] for event in receiver.events] == ["START", "COMPLETE"]
    assert [faults(event) for event in receiver.events] == [[], []]
    assert (sender.sent, sender.dropped, sender.failure) == (2, 0, None)


def test_an_address_with_a_path_is_taken_as_it_is(receiver: Receiver) -> None:
    sender = LineageSender(f"{receiver.url}/own/place", api_key="k")
    run_of(sender).begin(0.0)
    sender.close()

    assert [each[:2] for each in receiver.received] == [("/own/place", "Bearer k")]


def test_a_file_gets_a_line_an_event(tmp_path: Path) -> None:
    sender = LineageSender(str(tmp_path / "lineage.jsonl"))
    run = run_of(sender)
    run.begin(0.0)
    run.end({}, 60.0)
    sender.close()

    lines = (tmp_path / "lineage.jsonl").read_text().splitlines()
    assert [faults(json.loads(line)) for line in lines] == [[], []]


def test_the_console_gets_a_line_an_event(capfd: pytest.CaptureFixture[str]) -> None:
    sender = LineageSender("console")
    run_of(sender).begin(0.0)
    sender.close()

    assert json.loads(capfd.readouterr().err)["eventType"] == "START"


def test_whoever_tells_never_waits_and_what_finds_no_room_is_counted(
    receiver: Receiver,
) -> None:
    receiver.release.clear()  # it takes the event and does not answer
    sender = LineageSender(receiver.url)
    run_of(sender).begin(0.0)
    until(sender._queue.empty)

    started = time.perf_counter()
    for _ in range(MOST_WAITING + 5):
        run_of(sender).begin(0.0)
    assert time.perf_counter() - started < 1.0

    assert sender.dropped == 5
    receiver.release.set()
    sender.close()
    assert len(receiver.events) == MOST_WAITING + 1


def test_a_failure_is_told_once_until_it_works_again(receiver: Receiver) -> None:
    told: list[str] = []
    sender = LineageSender(receiver.url, tell=told.append, first_wait_seconds=0.01)
    receiver.statuses = [503, 500, 503]
    run_of(sender).begin(0.0)
    until(lambda: sender.sent == 1)
    assert (told, sender.failure) == (["lineage is not sent: HTTPError 503"], None)

    receiver.statuses = [502]
    run_of(sender).begin(0.0)
    until(lambda: sender.sent == 2)
    sender.close()

    assert told[1:] == ["lineage is not sent: HTTPError 502"]
    assert (len(receiver.events), sender.dropped) == (2, 0)


def test_an_event_that_is_refused_is_dropped_and_the_next_one_sent(
    receiver: Receiver,
) -> None:
    receiver.statuses = [400]
    sender = LineageSender(receiver.url)
    run = run_of(sender)
    run.begin(0.0)
    run.end({}, 60.0)
    sender.close()

    assert [event["eventType"] for event in receiver.events] == ["COMPLETE"]
    assert (sender.sent, sender.dropped) == (1, 1)


def test_nobody_at_the_address_is_a_failure_without_the_address() -> None:
    told: list[str] = []
    sender = LineageSender("http://ann:secret@127.0.0.1:9", tell=told.append)
    run_of(sender).begin(0.0)
    until(lambda: sender.failure is not None)
    sender.close()

    assert told == ["lineage is not sent: ConnectionError"]
    assert (sender.sent, sender.dropped) == (0, 1)


def test_a_file_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    told: list[str] = []
    sender = LineageSender(str(tmp_path / "no" / "file"), tell=told.append)
    run_of(sender).begin(0.0)
    until(lambda: bool(told))
    sender.close()

    assert told == ["lineage is not sent: FileNotFoundError"]


def test_to_close_waits_no_longer_than_it_is_told(receiver: Receiver) -> None:
    receiver.release.clear()
    sender = LineageSender(receiver.url)
    for _ in range(3):
        run_of(sender).begin(0.0)

    started = time.monotonic()
    sender.close(seconds=0.2)

    assert time.monotonic() - started < 2.0
    assert sender.dropped == 2


def test_it_sends_again_after_it_was_closed(receiver: Receiver) -> None:
    sender = LineageSender(receiver.url)
    for _ in range(2):
        run_of(sender).begin(0.0)
        sender.close()

    assert len(receiver.events) == 2


@pytest.mark.parametrize(
    "target",
    [
        "http://",
        "ftp://x",
        "HTTP://x",
        "http://[::1",
        "http://a b/",
        "http://a:99999",
        "http://:5000",
        "/",
    ],
)
def test_what_is_no_address_is_refused_at_once(target: str) -> None:
    with pytest.raises(ConfigError, match="lineage is no address") as refused:
        LineageSender(target)

    assert target in str(refused.value)
    assert refused.value.field == "lineage"
    assert None not in (refused.value.expected, refused.value.remedy)


def test_a_refusal_shows_no_password() -> None:
    with pytest.raises(ConfigError) as refused:
        LineageSender("ftp://ann:secret@host/path?key=hidden")

    assert "ftp://host/path" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "hidden" not in str(refused.value)
