from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from typer.testing import CliRunner, Result

import servewatch as sw
from servewatch.cli.app import app
from servewatch.cli.feedback import WAITS_SECONDS, Sent, answered
from servewatch.cli.label_file import MOST_BYTES, Batch, batches, label_rows
from servewatch.client import LabelAnswer, LabelAnswers, Unreachable
from servewatch.errors import DataError
from servewatch.labels.inbox import Inbox
from tests.expose.given import Given, exposed
from tests.expose.waiting import AMOUNT, inbox

run = CliRunner(env={"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}).invoke
Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve a model with this inbox, or *served*, on a loopback port; gives the URL."""
    running: list[tuple[uvicorn.Server, threading.Thread, socket.socket]] = []

    def start(
        box: Inbox | None, token: str | None = None, served: Starlette | None = None
    ) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        shown = served or exposed(Given(inbox=box), token=token)
        config = uvicorn.Config(shown, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        running.append((server, thread, listening))
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield start
    for server, thread, listening in running:
        server.should_exit = True
        thread.join(timeout=10)
        listening.close()


def send(path: Path, url: str, *more: str) -> Result:
    return run(app, ["feedback", str(path), "--url", url, *more])


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_every_label_of_a_csv_file_is_taken(tmp_path: Path, serve: Serve) -> None:
    names = [f"p{place}" for place in range(2500)]
    box = inbox(*names)
    lines = "".join(f"{name},yes\n" for name in names)
    path = written(tmp_path / "labels.csv", f"id,label\n{lines}")

    result = send(path, serve(box))

    assert result.exit_code == 0
    assert result.stdout == (
        "2,500 labels: 2,500 accepted\n"
        "the server keeps them in memory: a restart forgets them\n"
    )
    assert box.outcomes == {"accepted": 2500}


def test_a_file_sent_twice_counts_once(tmp_path: Path, serve: Serve) -> None:
    path = written(tmp_path / "labels.csv", "id,label\na,yes\nb,no\n")
    url = serve(inbox("a", "b"))
    send(path, url)

    result = send(path, url)

    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        0,
        "2 labels: 2 duplicate",
    )


def test_refused_labels_are_exit_code_1_and_the_first_are_told(
    tmp_path: Path, serve: Serve
) -> None:
    rows = "".join(f"stranger{place},yes\n" for place in range(8))
    path = written(tmp_path / "labels.csv", f"id,label\na,yes\na,no\n,yes\n{rows}")

    result = send(path, serve(inbox("a")), "--batch", "3")

    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[0] == "11 labels: 1 accepted, 1 conflict, 8 unknown, 1 invalid"
    assert lines[2] == (
        "  conflict a: another label was taken before; the first one stays"
    )
    assert lines[3].startswith("  invalid (no id): ")
    assert len(lines) == 2 + 5


def test_json_says_what_became_of_the_labels(tmp_path: Path, serve: Serve) -> None:
    path = written(tmp_path / "l.csv", "order,paid\na,yes\nb,\nc,no\n")
    url = serve(inbox("a", "b"))

    result = send(path, url, "--id", "order", "--label", "paid", "--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found.pop("refused")[0]["id"] == "c"
    assert found == {
        "url": url,
        "labels": 2,
        "accepted": 1,
        "duplicate": 0,
        "conflict": 0,
        "unknown": 1,
        "invalid": 0,
        "left_out": 1,
        "durable": False,
    }


def test_rows_without_a_label_are_left_out(tmp_path: Path, serve: Serve) -> None:
    path = written(tmp_path / "labels.csv", "id,label\na,\nb,\n")

    result = send(path, serve(inbox("a", "b")))

    assert (result.exit_code, result.stdout) == (
        0,
        "0 labels\n2 rows without a label left out\n",
    )


def test_the_token_of_the_environment_is_sent(tmp_path: Path, serve: Serve) -> None:
    path = written(tmp_path / "labels.csv", "id,label\na,yes\n")
    arguments = ["feedback", str(path), "--url", serve(inbox("a"), token="s3cret")]

    refused = run(app, arguments)
    taken = run(app, arguments, env={"SERVEWATCH_TOKEN": "s3cret"})

    assert (refused.exit_code, taken.exit_code) == (2, 0)
    assert "this needs the token" in refused.stderr
    assert "401" in refused.stderr


def test_a_model_without_labels_says_what_to_do(tmp_path: Path, serve: Serve) -> None:
    path = written(tmp_path / "labels.csv", "id,label\na,yes\n")

    result = send(path, serve(None))

    assert result.exit_code == 2
    assert "build the baseline with target= and evaluation=" in result.stderr


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nothing.csv", None, "no such file"),
        ("nothing.jsonl", None, "no such file"),
        ("labels.txt", "id,label\n", "this kind of file is not known"),
        ("labels.csv", "id,truth\na,1\n", "not one column 'label'"),
        ("labels.csv", "id,label,id\na,1,b\n", "not one column 'id'"),
        ("labels.jsonl", '{"id": "a"}\n{"id": \n', "line 2 is no JSON object"),
        ("labels.jsonl", "[1]\n", "line 1 is no JSON object"),
        ("labels.jsonl.gz", "no gzip", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_exit_code_2(
    tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)

    result = send(tmp_path / name, "http://127.0.0.1:9")

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def watched_app() -> tuple[sw.ServeWatch, Starlette]:
    """Make the application of a README: a model, its baseline, and one route."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=2000)
    frame = {"x": x, "p": np.where(x > 0, "yes", "no")}
    noisy = np.where(x + rng.normal(size=2000) > 0, "yes", "no")
    baseline = sw.Baseline.build(
        frame, evaluation={**frame, "y": noisy}, prediction="p", target="y"
    )
    watch = sw.ServeWatch(
        lambda rows: ["yes" if row["x"] > 0 else "no" for row in rows],
        baseline=baseline,
    )

    async def predict(request: Request) -> JSONResponse:
        return JSONResponse(watch(await request.json()))

    made = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    watch.install(made)
    return watch, made


def test_a_label_finds_the_prediction_whose_id_the_answer_named(
    tmp_path: Path, serve: Serve
) -> None:
    watch, served = watched_app()
    url = serve(None, served=served)
    rows = [{"x": 1.0}, {"x": -1.0}, {"x": 0.5}]
    named = httpx.post(f"{url}/predict", json=rows).headers["x-prediction-id"]
    lines = "".join(f"{named}:{row},yes\n" for row in range(4))

    result = send(written(tmp_path / "l.csv", f"id,label\n{lines}"), url, "--json")

    watch.close()
    found = json.loads(result.stdout)
    assert (found["accepted"], found["unknown"]) == (3, 1)
    assert found["refused"][0]["id"] == f"{named}:3"


def test_a_batch_that_no_request_can_carry_is_bad_usage(tmp_path: Path) -> None:
    assert send(tmp_path, "http://127.0.0.1:9", "--batch", "10001").exit_code == 2


def read(path: Path) -> list[Any]:
    return list(label_rows(path, id_column="id", label_column="label"))


def test_texts_in_csv_go_as_they_stand(tmp_path: Path) -> None:
    lines = 'a,1\n2,2.50\nc,True\nd,007\ne,"a, b"\nf,NA\n'
    path = written(tmp_path / "labels.csv", f"id,label\n{lines}")

    assert read(path) == [
        ("a", "1"),
        ("2", "2.50"),
        ("c", "True"),
        ("d", "007"),
        ("e", "a, b"),
        ("f", None),
    ]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (pa.array([1, None, 3]), [1, None, 3]),
        (pa.array([1.5, float("nan"), 3.0]), [1.5, None, 3]),
        (pa.array([True, False, None]), [True, False, None]),
        (pa.array(["1", "no", None]), ["1", "no", None]),
        (pa.array(["1", "no", None]).dictionary_encode(), ["1", "no", None]),
    ],
)
def test_parquet_keeps_its_types(tmp_path: Path, labels: Any, found: list[Any]) -> None:
    path = tmp_path / "labels.parquet"
    pq.write_table(pa.table({"id": pa.array([1, 2, 3]), "label": labels}), path)

    assert read(path) == list(zip(["1", "2", "3"], found, strict=True))


def test_a_column_that_holds_no_labels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    pq.write_table(pa.table({"id": ["a"], "label": [[1, 2]]}), path)

    with pytest.raises(DataError, match="holds no labels"):
        read(path)


@pytest.mark.parametrize("ending", ["jsonl", "ndjson", "jsonl.gz"])
def test_json_lines_may_hold_the_labels_of_all_rows(
    tmp_path: Path, ending: str, serve: Serve
) -> None:
    text = b'{"id": "a", "label": [1.5, 2]}\n\n{"id": "b", "label": null, "x": 1}\n'
    path = tmp_path / f"labels.{ending}"
    path.write_bytes(gzip.compress(text) if ending.endswith("gz") else text)

    result = send(path, serve(inbox("a", rows=2, truth=AMOUNT)), "--json")

    found = json.loads(result.stdout)
    assert (found["accepted"], found["left_out"], result.exit_code) == (2, 1, 0)


def test_batches_hold_every_label_once_and_no_more_than_a_request_carries() -> None:
    rng = np.random.default_rng(7)
    sizes = rng.integers(1, 6000, 400).tolist()
    rows = [(f"p{place}", "x" * size) for place, size in enumerate(sizes)]

    made = list(batches(iter(rows), 350))

    sent = [item for batch in made for item in json.loads(batch.body)]
    assert [(item["id"], item["label"]) for item in sent] == rows
    assert max(batch.labels for batch in made) <= 350
    assert max(len(batch.body) for batch in made) <= MOST_BYTES + 2


def test_labels_of_all_rows_of_an_id_count_each_towards_a_batch() -> None:
    rows: list[tuple[object, object]] = [("a", [1, 2, 3]), ("b", [1, 2]), ("c", 1)]

    assert [batch.labels for batch in batches(iter(rows), 5)] == [5, 1]


def test_a_batch_without_a_label_taken_says_nothing_of_what_is_durable() -> None:
    sent = Sent()

    sent.add(BATCH, LabelAnswers([LabelAnswer("a", "unknown", "why")], durable=False))
    sent.add(BATCH, LabelAnswers([LabelAnswer("b", "accepted", None)], durable=True))

    assert (sent.durable, sent.labels, sent.is_whole) == (True, 2, False)


BATCH = Batch(b"[]", 1, 0)
DONE = LabelAnswers([], durable=True)


def sent_through(*faults: Exception) -> tuple[LabelAnswers, list[float]]:
    """Send a batch that fails with *faults* first; give the waits between."""
    left, waits = list(faults), list[float]()

    def ask(body: bytes) -> LabelAnswers:
        if left:
            raise left.pop(0)
        return DONE

    tell = list[str]().append
    return answered(ask, BATCH, sleep=waits.append, tell=tell), waits


def test_a_busy_server_is_asked_again_later_and_later() -> None:
    assert sent_through(*[Unreachable("busy")] * 3) == (DONE, [1.0, 2.0, 4.0])


def test_a_server_that_stays_away_is_an_error() -> None:
    with pytest.raises(Unreachable, match="busy"):
        sent_through(*[Unreachable("busy")] * (len(WAITS_SECONDS) + 1))


def test_what_no_waiting_mends_is_an_error_at_once() -> None:
    with pytest.raises(DataError):
        sent_through(DataError("no"))


def relay(url: str, listening: socket.socket) -> None:
    """Pass requests on to *url*; the first answer is lost with its connection."""
    port = int(url.rpartition(":")[2])
    for place in range(3):
        caller, _ = listening.accept()
        with caller, socket.create_connection(("127.0.0.1", port)) as server:
            request = b""
            while b"]" not in request:
                request += caller.recv(65_536)
            server.sendall(request)
            answer = b"".join(iter(lambda: server.recv(65_536), b""))
            if place:
                caller.sendall(answer)


def test_a_connection_lost_before_the_answer_costs_no_label(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"p{place}" for place in range(20)]
    box = inbox(*names)
    lines = "".join(f"{name},yes\n" for name in names)
    path = written(tmp_path / "labels.csv", f"id,label\n{lines}")
    monkeypatch.setattr("servewatch.cli.feedback.WAITS_SECONDS", (0.0,))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        between = threading.Thread(target=relay, args=(serve(box), listening))
        between.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        result = send(path, url, "--json", "--batch", "10")
        between.join()

    found = json.loads(result.stdout)
    assert (found["accepted"], found["duplicate"]) == (10, 10)
    assert box.totals()[0][box.scoring.cells.cells["confusion"]].sum() == 20


@pytest.mark.parametrize("refusal", ["token", "no labels"])
def test_a_long_batch_is_refused_with_the_reason(
    tmp_path: Path, serve: Serve, refusal: str
) -> None:
    lines = "".join(f"{'x' * 100}{place},yes\n" for place in range(6000))
    path = written(tmp_path / "labels.csv", f"id,label\n{lines}")
    url = serve(inbox(), token="s3cret") if refusal == "token" else serve(None)

    result = send(path, url, "--batch", "10000")

    assert result.exit_code == 2
    assert ("401" if refusal == "token" else "501") in result.stderr
