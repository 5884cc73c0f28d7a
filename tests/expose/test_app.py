from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from starlette.routing import Route

from servewatch.config import Config
from servewatch.errors import ConfigError
from servewatch.monitor.report import GateVerdict, Status
from servewatch.sketch.layout import NO_COLUMNS
from servewatch.sketch.window import Window
from servewatch.store.protocol import Sealed
from tests.expose.asking import ELSEWHERE, ask
from tests.expose.given import Clock, Given, exposed, report

TOKEN = "correct-horse"
BEARER = {"authorization": f"Bearer {TOKEN}"}
VALUES = "12.5"  # a bin edge in the cause of `price`


def strict_json(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_drift_is_the_report() -> None:
    source = Given()
    assert strict_json(ask(exposed(source), "/drift").text) == source.latest.to_dict()


def test_drift_answers_200_however_bad_it_is() -> None:
    assert ask(exposed(), "/drift").status_code == 200


@pytest.mark.parametrize(
    ("status", "code"), [("drift", 503), ("warning", 200), ("insufficient_data", 200)]
)
def test_strict_answers_503_on_drift_alone(status: Status, code: int) -> None:
    app = exposed(Given(report(status)))
    assert ask(app, "/drift?strict=1").status_code == code


def test_numbers_without_an_end_are_null() -> None:
    latency = {"request": {"p99": float("inf"), "p50": float("nan")}}
    app = exposed(Given(report(latency=latency)))
    body = strict_json(ask(app, "/drift").text)
    assert body["latency"] == {"request": {"p99": None, "p50": None}}


def test_a_new_report_is_shown_when_there_is_news() -> None:
    source = Given()
    app = exposed(source)
    ask(app, "/drift")
    source.latest = report("ok")
    app.forget()
    assert ask(app, "/drift").json()["status"] == "ok"


def test_streams_of_a_new_block_are_shown_after_a_second() -> None:
    source, clock = Given(), Clock()
    app = exposed(source, clock=clock)
    ask(app, "/drift")
    source.latest = report(streams=[])
    clock.now = 1.0
    assert ask(app, "/drift").json()["streams"] == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("verdict", "query", "code"),
    [
        ("pass", "", 200),
        ("fail", "", 503),
        ("inconclusive", "", 425),
        ("inconclusive", "?inconclusive=200", 200),
        ("inconclusive", "?inconclusive=503", 503),
        ("fail", "?inconclusive=200", 503),
    ],
)
def test_the_gate_speaks_by_its_status_code(
    method: str, verdict: GateVerdict, query: str, code: int
) -> None:
    app = exposed(Given(report(verdict=verdict)))
    answer = ask(app, f"/drift/gate{query}", method=method)
    assert (answer.status_code, answer.json()["verdict"]) == (code, verdict)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("verdict", "code"), [("fail", 200), ("pass", 409), ("inconclusive", 425)]
)
def test_a_rollback_is_advised_only_when_failing(
    method: str, verdict: GateVerdict, code: int
) -> None:
    app = exposed(Given(report(verdict=verdict)))
    assert ask(app, "/drift/rollback", method=method).status_code == code


@pytest.mark.parametrize(
    "query", ["gate?since=soon", "gate?inconclusive=204", "rollback?since="]
)
def test_a_question_nobody_understands_gets_400(query: str) -> None:
    answer = ask(exposed(), f"/drift/{query}")
    assert (answer.status_code, "error" in answer.json()) == (400, True)


@pytest.mark.parametrize(
    "path",
    ["/metrics", "/drift", "/drift/gate", "/drift/rollback", "/watch/health"],
)
@pytest.mark.parametrize("token", [None, TOKEN])
def test_the_summary_is_open_to_all(path: str, token: str | None) -> None:
    app = exposed(Given(report(verdict="fail")), token=token)
    assert ask(app, path, peer=ELSEWHERE).status_code not in {401, 403}


@pytest.mark.parametrize("path", ["/metrics", "/drift", "/drift/gate"])
def test_the_summary_can_be_closed(path: str) -> None:
    app = exposed(token=TOKEN, metrics_open=False)
    assert ask(app, path, peer=ELSEWHERE).status_code == 401
    assert ask(app, path, peer=ELSEWHERE, headers=BEARER).status_code in {200, 503}


@pytest.mark.parametrize("path", ["/watch", "/watch/blocks", "/drift?detail=1"])
def test_detail_needs_the_token(path: str) -> None:
    app = exposed(token=TOKEN)
    assert ask(app, path).status_code == 401
    assert ask(app, path, peer=ELSEWHERE, headers=BEARER).status_code == 200


@pytest.mark.parametrize("path", ["/watch", "/watch/blocks", "/drift?detail=1"])
def test_without_a_token_detail_is_for_this_machine(path: str) -> None:
    app = exposed()
    assert ask(app, path, peer=ELSEWHERE).status_code == 403
    assert ask(app, path).status_code == 200


def test_those_without_rights_see_no_value() -> None:
    summary = ask(exposed(token=TOKEN), "/drift", peer=ELSEWHERE)
    assert VALUES not in summary.text
    assert summary.json()["streams"][0]["cause"] == (
        "price: more rows in the upper tail"
    )


def test_those_with_rights_see_why() -> None:
    full = ask(exposed(token=TOKEN), "/drift", peer=ELSEWHERE, headers=BEARER)
    assert VALUES in full.text


def test_what_one_may_see_is_not_kept_for_another() -> None:
    app = exposed(token=TOKEN)
    ask(app, "/drift", headers=BEARER)
    assert VALUES not in ask(app, "/drift").text


def test_health_says_why_it_is_degraded() -> None:
    app = exposed(Given(reasons=["internal errors at drain"]))
    answer = ask(app, "/watch/health")
    assert answer.json() == {
        "status": "degraded",
        "reasons": ["internal errors at drain"],
        "overhead": {},
    }


def test_health_is_never_the_models() -> None:
    app = exposed(Given(report("drift")))
    assert ask(app, "/watch/health").json()["status"] == "ok"


def with_blocks(count: int) -> Given:
    window = Window.empty(NO_COLUMNS, 0.0, 10.0)
    window.counts[NO_COLUMNS.service("requests")] = np.array([8, 1])
    return Given(sealed=[Sealed(number, window) for number in range(count)])


def test_blocks_give_counts_by_column() -> None:
    body = ask(exposed(with_blocks(1)), "/watch/blocks").json()["models"][0]
    assert body["baseline"] == "sha256:abc"
    assert body["blocks"][0]["counts"][":requests"] == [8, 1]


def test_blocks_begin_where_one_asks() -> None:
    body = ask(exposed(with_blocks(5)), "/watch/blocks?since=3").json()["models"][0]
    assert [block["number"] for block in body["blocks"]] == [3, 4]


def test_many_blocks_come_in_parts() -> None:
    body = ask(exposed(with_blocks(400)), "/watch/blocks").json()["models"][0]
    assert (len(body["blocks"]), body["next"]) == (360, 360)


@pytest.mark.parametrize("since", ["-1", "x", "1.5", "²", "9" * 19, ""])
def test_a_block_is_asked_for_by_number(since: str) -> None:
    path = f"/watch/blocks?since={since}"
    assert ask(exposed(), path).status_code == 400


@pytest.mark.parametrize("path", ["/watch/nothing", "/drift/", "/", "/metrics/x"])
def test_what_is_not_there_is_told_in_json(path: str) -> None:
    answer = ask(exposed(), path)
    assert (answer.status_code, answer.json()["error"]) == (404, "Not Found")


def test_a_wrong_method_is_told_in_json() -> None:
    answer = ask(exposed(), "/drift", method="DELETE")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_a_prefix_stands_before_every_route() -> None:
    app = exposed(prefix="/internal")
    assert ask(app, "/internal/drift").status_code == 200
    assert ask(app, "/drift").status_code == 404


def test_own_paths_are_those_that_are_answered() -> None:
    app = exposed(prefix="/internal")
    routes = {route.path for route in app._app.routes if isinstance(route, Route)}
    assert app.own_paths == routes


def test_metrics_are_in_the_format_asked_for() -> None:
    app = exposed()
    plain = ask(app, "/metrics", headers={"accept": "text/plain"})
    accept = {"accept": "application/openmetrics-text;version=1.0.0"}
    modern = ask(app, "/metrics", headers=accept)
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")


def two() -> tuple[Given, Given]:
    other = Given(report("ok", verdict="pass", name="churn"), Config(model="churn"))
    return other, Given()


def test_two_models_are_as_well_as_the_worse() -> None:
    body = ask(exposed(*two()), "/drift").json()
    assert (body["status"], body["gate"]["verdict"]) == ("drift", "fail")


def test_streams_of_two_models_name_theirs() -> None:
    body = ask(exposed(*two()), "/drift").json()
    assert {stream["model"] for stream in body["streams"]} == {"demand", "churn"}


def test_one_of_two_models_can_be_asked_for() -> None:
    body = ask(exposed(*two()), "/drift?model=churn").json()
    assert (body["status"], body["model"]["name"]) == ("ok", "churn")


def test_a_model_nobody_watches_is_not_found() -> None:
    assert ask(exposed(), "/drift?model=nothing").status_code == 404


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="same name"):
        exposed(Given(), Given())
