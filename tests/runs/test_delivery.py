"""Metrics that go somewhere, as a whole or not at all, and never into the job's way."""

from __future__ import annotations

import http.server
import json
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

import servewatch as sw
from servewatch.runs import delivery
from servewatch.runs.delivery import Delivery, group_address, push, write


class Gateway(http.server.BaseHTTPRequestHandler):
    """Answers whatever it is told to, and keeps what it was sent."""

    answers: ClassVar[int] = 200
    got: ClassVar[list[tuple[str, str, dict[str, str], bytes]]] = []

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.got.append((self.command, self.path, headers, body))
        self.send_response(self.answers)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[str]:
    Gateway.answers = 200
    Gateway.got.clear()
    with http.server.HTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_textfile_is_readable_by_everybody(tmp_path: Path) -> None:
    mask = os.umask(0o077)
    try:
        write(tmp_path / "a.prom", b"a 1\n")
    finally:
        os.umask(mask)

    assert stat.S_IMODE((tmp_path / "a.prom").stat().st_mode) == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["a.prom"]


def test_a_file_that_cannot_be_finished_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.prom"
    write(path, b"a 1\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    failed = Delivery.to(path, None, job="a", kind="b").deliver(b"a 2\n")

    assert [(each.where, each.reason) for each in failed] == [
        ("textfile", "OSError: No space left on device")
    ]
    assert path.read_bytes() == b"a 1\n"
    assert [each.name for each in tmp_path.iterdir()] == ["a.prom"]


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    texts = [b"a 1\n" * 50_000, b"a 2\n" * 100_000]
    write(path, texts[0])
    is_over = threading.Event()

    def keep_writing() -> None:
        for turn in range(20):
            write(path, texts[turn % 2])
        is_over.set()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    sizes = set()
    while not is_over.is_set():
        sizes.add(len(path.read_bytes()))
    writer.join()

    assert sizes <= {200_000, 400_000}


def test_a_group_is_put_as_a_whole(gateway: str) -> None:
    push(group_address(f"http://{gateway}", job="a b", kind="train"), b"a 1\n")

    ((method, path, headers, body),) = Gateway.got
    assert (method, path) == ("PUT", "/metrics/job/a%20b/kind/train")
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert body == b"a 1\n"
    assert "authorization" not in headers


def test_a_password_in_the_address_becomes_a_header(gateway: str) -> None:
    push(group_address(f"http://me:s%40cret@{gateway}", job="a", kind="b"), b"")

    assert Gateway.got[0][2]["authorization"] == "Basic bWU6c0BjcmV0"
    assert Gateway.got[0][2]["host"] == gateway


def test_no_proxy_is_asked(gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    push(group_address(f"http://{gateway}", job="a", kind="b"), b"")

    assert len(Gateway.got) == 1


def failure(pushgateway: str) -> str:
    place = Delivery.to(None, pushgateway, job="a", kind="b")
    (failed,) = place.deliver(b"a 1\n")
    assert failed.where == "pushgateway"
    return failed.reason


def test_a_refusal_is_told_by_its_status(gateway: str) -> None:
    Gateway.answers = 400
    assert failure(f"http://{gateway}") == "ConnectionError: HTTP 400 Bad Request"


def test_nobody_there_is_told(free_port: int) -> None:
    found = failure(f"http://user:secret@127.0.0.1:{free_port}")
    assert found == "ConnectionRefusedError: Connection refused"


def test_silence_ends(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "TIMEOUT_SECONDS", 0.05)
    assert failure(f"http://{silent}") == "TimeoutError: timed out"


def test_what_is_not_delivered_harms_no_job(
    free_port: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gateway, path = f"http://127.0.0.1:{free_port}", tmp_path / "a.prom"
    with sw.run("train", job="demand", pushgateway=gateway, textfile=path) as run:
        pass
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    undelivered = [e for e in events if e["event"] == "run.undelivered"]

    assert run.facts().status == "ok"
    assert {each["where"] for each in undelivered} == {"pushgateway"}
    assert len(undelivered) == 2  # at the start, at the end
    assert b"servewatch_run_status" in path.read_bytes()


def test_a_strict_run_does_not_start_where_nothing_would_arrive(
    free_port: int,
) -> None:
    gateway = f"http://127.0.0.1:{free_port}"
    run = sw.run("train", job="demand", pushgateway=gateway, strict=True)

    with pytest.raises(sw.StoreError, match="not delivered"), run:
        pytest.fail("the job has started")


def test_a_strict_run_that_is_not_delivered_at_its_end_raises(gateway: str) -> None:
    with (
        pytest.raises(sw.StoreError, match="HTTP 500"),
        sw.run("train", job="a", pushgateway=f"http://{gateway}", strict=True),
    ):
        Gateway.answers = 500


def test_a_strict_run_never_hides_why_the_job_failed(gateway: str) -> None:
    def fail() -> None:
        Gateway.answers = 500
        raise ZeroDivisionError

    run = sw.run("train", job="a", pushgateway=f"http://{gateway}", strict=True)
    with pytest.raises(ZeroDivisionError), run:
        fail()
