from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import servewatch as sw
from servewatch.expose.app import Exposed
from servewatch.expose.seldon import PATH, read_seldon
from servewatch.labels.inbox import Inbox
from tests.expose.asking import ask
from tests.expose.given import Given, exposed
from tests.expose.test_feedback import JSON_VALUES
from tests.expose.waiting import AMOUNT, inbox

RESPONSE = {"meta": {"puid": "a", "tags": {}}, "data": {"ndarray": [[0.9, 0.1]]}}


def post(box: Inbox | None, message: Any, **headers: str) -> httpx.Response:
    app: Exposed = exposed(Given(inbox=box))
    fields = {"content-type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    content = json.dumps(message).encode()
    return ask(app, PATH, method="POST", content=content, headers=fields)


def tags(answer: httpx.Response) -> Any:
    return answer.json()["meta"]["tags"]


def test_the_message_of_seldons_documents_is_taken() -> None:
    message = {
        "request": {"data": {"names": ["a", "b"], "ndarray": [[5.1, 3.5]]}},
        "response": RESPONSE,
        "truth": {"data": {"ndarray": [["yes"]]}},
        "reward": 1.0,
    }

    answer = post(inbox("a"), message)

    assert answer.status_code == 202
    assert answer.json()["status"] == {
        "code": 202,
        "status": "SUCCESS",
        "info": "",
        "reason": "",
    }
    assert tags(answer)["items"] == [
        {"id": "a", "status": 202, "outcome": "accepted", "reason": None}
    ]


@pytest.mark.parametrize(
    "truth",
    [
        {"data": {"ndarray": [[1.5], [2.5]]}},
        {"data": {"ndarray": [1.5, 2.5]}},
        {"data": {"names": ["amount"], "ndarray": [[1.5], [2.5]]}},
        {"data": {"tensor": {"shape": [2, 1], "values": [1.5, 2.5]}}},
        {"data": {"tensor": {"shape": [2], "values": [1.5, 2.5]}}},
        {"data": {"names": [], "tensor": {"values": [1.5, 2.5]}}},
        {"data": {"ndarray": [[1.5], [2.5]], "tensor": None}, "strData": None},
    ],
)
def test_rows_of_truth_are_the_labels_of_the_rows_in_order(truth: Any) -> None:
    given = read_seldon(json.dumps({"truth": truth}).encode(), "a")

    assert given.feedback == ("a", [1.5, 2.5])


@pytest.mark.parametrize("truth", [{"strData": "yes"}, {"data": {"ndarray": ["yes"]}}])
def test_a_text_is_a_label(truth: Any) -> None:
    message = {"response": RESPONSE, "truth": truth}

    assert post(inbox("a"), message).status_code == 202


def test_one_label_may_be_that_of_a_row_further_down() -> None:
    response = {"meta": {"puid": "a:1"}}
    message = {"response": response, "truth": {"data": {"ndarray": [["yes"]]}}}

    assert post(inbox("a", rows=2), message).status_code == 202


def test_the_id_of_the_response_goes_before_all_others() -> None:
    message = {
        "request": {"meta": {"puid": "b"}},
        "response": RESPONSE,
        "truth": {"strData": "yes"},
    }

    found = tags(post(inbox("a"), message, x_request_id="c"))["items"][0]["id"]

    assert found == "a"


def test_the_id_of_the_request_goes_before_the_header() -> None:
    message = {
        "request": {"meta": {"puid": "b"}},
        "response": {"meta": None},
        "truth": {"strData": "yes"},
    }

    assert post(inbox("b"), message, x_request_id="c").status_code == 202


def test_the_header_names_the_prediction_where_no_message_does() -> None:
    message = {"truth": {"strData": "yes"}}

    assert post(inbox("c"), message, x_request_id="c").status_code == 202


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"response": RESPONSE, "reward": 1.0}, "a reward is no label"),
        ({"response": RESPONSE, "truth": {}}, "no rows"),
        ({"response": RESPONSE, "truth": {"data": {"ndarray": []}}}, "no rows"),
        ({"response": RESPONSE, "truth": {"data": {"tftensor": {}}}}, "no rows"),
        (
            {"response": RESPONSE, "truth": {"data": {"ndarray": [[0, 1]]}}},
            "more than one value a row",
        ),
        (
            {"response": RESPONSE, "truth": {"data": {"ndarray": [[{"x": 1}]]}}},
            "neither number nor text",
        ),
        (
            {
                "response": RESPONSE,
                "truth": {"data": {"tensor": {"shape": [1, 2], "values": [0, 1]}}},
            },
            "more than one value a row",
        ),
        ({"truth": {"strData": "yes"}}, "no id"),
        ({"response": 7}, "Expected `object | null`, got `int`"),
        ([], "got `array`"),
    ],
)
def test_what_has_no_label_is_invalid_and_says_why(message: Any, reason: str) -> None:
    box = inbox("a")

    answer = post(box, message)

    assert answer.status_code == 422
    assert reason in answer.json()["status"]["info"]
    assert answer.json()["status"]["status"] == "FAILURE"
    assert box.outcomes == {"invalid": 1}


def test_without_labels_in_the_baseline_it_is_501() -> None:
    assert post(None, {"truth": {"strData": "yes"}}).status_code == 501


MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "request": JSON_VALUES,
        "response": st.just(RESPONSE) | JSON_VALUES,
        "truth": st.fixed_dictionaries(
            {},
            optional={
                "strData": JSON_VALUES,
                "data": st.fixed_dictionaries(
                    {},
                    optional={
                        "ndarray": st.lists(JSON_VALUES) | JSON_VALUES,
                        "tensor": JSON_VALUES
                        | st.fixed_dictionaries(
                            {"values": st.lists(st.floats(-9, 9))},
                            optional={"shape": st.lists(st.integers(-2, 4))},
                        ),
                    },
                ),
            },
        ),
    },
)


@given(MESSAGES)
def test_any_message_has_an_answer(message: Any) -> None:
    answer = post(inbox("a", rows=3, truth=AMOUNT), message)

    assert answer.status_code in {202, 207, 404, 422}
    assert tags(answer)["items"]


async def own(request: Request) -> Response:
    return PlainTextResponse("the app's own")


@pytest.mark.parametrize("is_late", [False, True])
def test_a_route_of_that_name_stays_the_apps(
    is_late: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    route = Route(PATH, own, methods=["POST"])
    app = Starlette(routes=[] if is_late else [route])
    watch = sw.ServeWatch(lambda rows: rows)
    watch.install(app)
    if is_late:
        app.router.routes.append(route)

    answer = ask(app, PATH, method="POST", json={})
    watch.close()

    assert answer.text == "the app's own"
    assert "route.shadowed" not in capsys.readouterr().err


def test_an_app_without_that_route_has_ours() -> None:
    app = Starlette()
    watch = sw.ServeWatch(lambda rows: rows)
    watch.install(app)

    answer = ask(app, PATH, method="POST", json={})
    watch.close()

    assert answer.status_code == 501
