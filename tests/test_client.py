from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

import pytest

from servewatch.client import Client, LabelAnswer, LabelAnswers, Unreachable, base_url
from servewatch.errors import GateError

Serve = Callable[..., str]
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Answer every request on a loopback port with one body; gives the base URL."""
    servers: list[ThreadingHTTPServer] = []

    def start(
        body: bytes,
        status: int = 200,
        seen: list[Any] | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if seen is not None:
                    seen.append((self.path, self.headers))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["content-length"]))
                if seen is not None:
                    seen.append((self.path, json.loads(sent)))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


PASS = b'{"status": "ok", "gate": {"verdict": "pass"}, "streams": []}'


def test_drift_is_asked_under_the_base_with_the_token(serve: Serve) -> None:
    seen: list[Any] = []
    base = serve(PASS, seen=seen)

    answer = Client(base=base + "/inner", token="s3cret").drift()

    path, headers = seen[0]
    assert answer["gate"] == {"verdict": "pass"}
    assert path == "/inner/drift"
    assert headers["authorization"] == "Bearer s3cret"


def test_a_token_never_shows_in_a_repr() -> None:
    assert "s3cret" not in repr(Client(base="http://x", token="s3cret"))


@pytest.mark.parametrize("given", ["order-7", None])
def test_predictions_are_named_by_the_header_of_the_answer(
    serve: Serve, given: str | None
) -> None:
    seen: list[Any] = []
    headers = {} if given is None else {"X-Prediction-Id": given}
    base = serve(b"[2.5]", seen=seen, headers=headers)

    named = Client(base=base).predict("/predict", [{"price": None}])

    assert named == given
    assert seen == [("/predict", [{"price": None}])]


def test_a_proxy_of_the_environment_is_not_used_on_loopback(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)

    assert Client(base=serve(PASS)).drift()["status"] == "ok"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"<html>", 200, "the answer is not JSON"),
        (b"[1]", 200, "this is not what /drift answers"),
        (b"{}", 200, "expected an object with status, gate and streams"),
        (b"no", 401, "found '401 Unauthorized'.*--token"),
        (b"no", 404, "found '404 Not Found'.*prefix included"),
        (b"no", 500, "found '500 Internal Server Error'"),
    ],
)
def test_an_answer_that_is_no_gate_says_what_to_do(
    serve: Serve, body: bytes, status: int, message: str
) -> None:
    with pytest.raises(GateError, match=message):
        Client(base=serve(body, status)).drift()


def test_no_answer_at_all_is_unreachable(serve: Serve) -> None:
    with pytest.raises(
        Unreachable, match=r"does not answer .in http://127.0.0.1:9/drift"
    ):
        Client(base="http://127.0.0.1:9").drift()


@pytest.mark.parametrize("status", [200, 202, 207, 404, 409, 422])
def test_refused_labels_are_an_answer(serve: Serve, status: int) -> None:
    body = b'{"items": [{"id": "a", "outcome": "x", "reason": null}], "durable": true}'

    found = Client(base=serve(body, status)).feedback(b"[]")

    assert found == LabelAnswers([LabelAnswer("a", "x", None)], durable=True)


@pytest.mark.parametrize(
    ("body", "status", "kind", "message"),
    [
        (b'{"error": "not now", "remedy": "wait"}', 503, Unreachable, "not now.*wait"),
        (b"<html>", 502, Unreachable, "takes no labels.*502"),
        (b'{"error": "no", "remedy": "build it"}', 501, GateError, "501.*build it"),
        (b"<html>", 404, GateError, "takes no labels.*404.*prefix included"),
        (b"{}", 200, GateError, "takes no labels.*200"),
    ],
)
def test_who_takes_no_labels_says_whether_to_come_back(
    serve: Serve, body: bytes, status: int, kind: type[GateError], message: str
) -> None:
    with pytest.raises(GateError, match=message) as raised:
        Client(base=serve(body, status)).feedback(b"[]")

    assert type(raised.value) is kind


def test_a_redirect_of_a_post_is_no_answer(serve: Serve) -> None:
    with pytest.raises(GateError, match="found '307"):
        Client(base=serve(b"[2.5]", 307)).predict("/predict", [])


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://a:8000", "http://a:8000"),
        ("http://a:8000/", "http://a:8000"),
        ("a.example:8000/drift", "http://a.example:8000"),
        ("https://a/x/drift/gate?since=1", "https://a/x"),
        ("http://[::1]:8000/drift", "http://[::1]:8000"),
        ("http://a/x/feedback", "http://a/x"),
    ],
)
def test_any_address_of_the_gate_gives_its_base(url: str, base: str) -> None:
    assert base_url(url) == base


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://a/drift", "http://", "http://a:port"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(GateError, match="no address of a server"):
        base_url(url)
