from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from servewatch.config import Config
from servewatch.expose import intake
from servewatch.expose.app import Exposed
from servewatch.expose.bodies import BODY_BYTES, Bodies
from servewatch.expose.feedback import MOST_LABELS
from servewatch.labels.inbox import Inbox
from tests.expose.asking import ELSEWHERE, ask
from tests.expose.given import Given, exposed, report
from tests.expose.waiting import AMOUNT, inbox, keep, on_disk

TOKEN = "correct-horse"
BEARER = {"authorization": f"Bearer {TOKEN}"}
JSON = {"content-type": "application/json"}
ONE = {"id": "a", "label": "yes"}


def app_of(*inboxes: Inbox, token: str | None = None, prefix: str = "") -> Exposed:
    """Expose a model for each of *inboxes*: m0, m1, ..."""
    sources = [
        Given(report(name=f"m{place}"), Config(model=f"m{place}"), inbox=each)
        for place, each in enumerate(inboxes)
    ]
    return exposed(*sources, token=token, prefix=prefix)


def post(app: Exposed, body: Any, query: str = "", **more: Any) -> httpx.Response:
    more["headers"] = {**JSON, **more.get("headers", {})}
    content = json.dumps(body).encode()
    return ask(app, f"/feedback{query}", method="POST", content=content, **more)


def outcomes(answer: httpx.Response) -> list[str]:
    return [item["outcome"] for item in answer.json()["items"]]


def test_a_label_in_memory_is_accepted_and_not_called_durable() -> None:
    answer = post(app_of(inbox("a")), ONE)

    assert answer.status_code == 202
    assert answer.json() == {
        "id": "a",
        "outcome": "accepted",
        "reason": None,
        "durable": False,
    }


def test_a_label_on_disk_is_called_durable(tmp_path: Path) -> None:
    store = on_disk(tmp_path)
    answer = post(app_of(inbox("a", store=store)), ONE)
    store.close()

    assert (answer.status_code, answer.json()["durable"]) == (200, True)


def test_an_accepted_label_is_counted_once() -> None:
    box = inbox("a")
    app = app_of(box)

    answers = [post(app, ONE).status_code for _ in range(3)]

    assert answers == [202, 200, 200]
    assert box.totals()[0][box.scoring.cells.cells["confusion"]].sum() == 1


@pytest.mark.parametrize(
    ("item", "status", "outcome"),
    [
        ({"id": "b", "label": "yes"}, 404, "unknown"),
        ({"id": "a", "label": "no"}, 409, "conflict"),
        ({"id": "a:0", "label": "yes"}, 200, "duplicate"),
        ({"id": "a", "label": None}, 422, "invalid"),
        ({"id": "a", "label": {"x": 1}}, 422, "invalid"),
        ({"id": "a", "label": []}, 422, "invalid"),
        ({"id": "a"}, 422, "invalid"),
        ({"label": "yes"}, 422, "invalid"),
        ({"id": 7, "label": "yes"}, 422, "invalid"),
        ({"id": "", "label": "yes"}, 422, "invalid"),
        ({"id": "a" * 161, "label": "yes"}, 422, "invalid"),
    ],
)
def test_a_refusal_says_why_by_status_and_sentence(
    item: dict[str, Any], status: int, outcome: str
) -> None:
    app = app_of(inbox("a"))
    post(app, ONE)

    answer = post(app, item)

    assert (answer.status_code, answer.json()["outcome"]) == (status, outcome)
    assert answer.json()["reason"]


def test_every_answer_is_counted_by_outcome() -> None:
    box = inbox("a")
    app = app_of(box)

    post(app, [ONE, ONE, {"id": "a", "label": "no"}, {"id": "b", "label": "no"}, 7])

    assert box.outcomes == dict.fromkeys(
        ("accepted", "duplicate", "conflict", "unknown", "invalid"), 1
    )


def test_a_list_is_answered_item_by_item() -> None:
    sent = [ONE, {"id": "b", "label": "no"}, {"id": "c", "label": "no"}]

    answer = post(app_of(inbox("a", "b")), sent)

    body = answer.json()
    assert answer.status_code == 207
    assert [(each["id"], each["status"]) for each in body["items"]] == [
        ("a", 202),
        ("b", 202),
        ("c", 404),
    ]
    assert {name: body[name] for name in body if name != "items"} == {
        "accepted": 2,
        "duplicate": 0,
        "conflict": 0,
        "unknown": 1,
        "invalid": 0,
        "durable": False,
    }


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ([], 200),
        ([ONE], 202),
        ([ONE, ONE], 202),
        ([{"id": "b", "label": "yes"}] * 2, 404),
        ([{"id": "a", "label": None}, 7, "text"], 422),
        ([ONE, {"id": "a", "label": None}], 207),
        ([{"id": "b", "label": "yes"}, {"id": "a", "label": None}], 207),
    ],
)
def test_a_list_has_the_status_that_all_have_or_207(
    sent: list[Any], status: int
) -> None:
    assert post(app_of(inbox("a")), sent).status_code == status


def test_a_list_of_known_labels_is_200() -> None:
    app = app_of(inbox("a"))
    post(app, ONE)

    assert post(app, [ONE, ONE]).status_code == 200


def test_a_list_as_label_is_that_of_all_rows() -> None:
    answer = post(app_of(inbox("a", rows=2)), {"id": "a", "label": ["yes", "no", "no"]})

    found = [(each["id"], each["outcome"]) for each in answer.json()["items"]]
    assert found == [("a:0", "accepted"), ("a:1", "accepted"), ("a:2", "unknown")]


def test_an_item_after_a_list_of_labels_keeps_its_own_answer() -> None:
    sent = [
        {"id": "a", "label": ["yes", "no"]},
        {"id": "a" * 161, "label": ["yes", "no"]},
        {"id": "b", "label": "yes"},
    ]

    assert outcomes(post(app_of(inbox("a", rows=2)), sent)) == [
        "accepted",
        "accepted",
        "invalid",
        "unknown",
    ]


def test_no_answer_repeats_a_label() -> None:
    canary = "c4n4ry"
    labels: list[Any] = [canary, [canary, None], {canary: canary}, [[canary]]]
    sent = [{"id": "a", "label": label} for label in labels]
    app = app_of(inbox("a", truth=AMOUNT))

    texts = [post(app, each).text for each in sent] + [post(app, sent).text]

    assert not any(canary in text for text in texts)


def test_without_labels_in_the_baseline_it_is_501_and_says_what_to_do() -> None:
    answer = post(exposed(Given()), ONE)

    assert answer.status_code == 501
    assert "target= and evaluation=" in answer.json()["remedy"]


def test_labels_go_to_the_model_that_knows_the_id() -> None:
    first, second = inbox("a"), inbox("b", truth=AMOUNT)
    sent = [ONE, {"id": "b", "label": 2.5}, {"id": "c", "label": 2.5}]

    assert outcomes(post(app_of(first, second), sent)) == [
        "accepted",
        "accepted",
        "unknown",
    ]


def test_a_label_that_no_model_can_use_is_invalid_though_one_does_not_know_it() -> None:
    app = app_of(inbox("a"), inbox("b", truth=AMOUNT))

    assert post(app, {"id": "b", "label": "much"}).json()["outcome"] == "invalid"


def test_what_is_no_label_is_counted_by_one_model_alone() -> None:
    first, second = inbox("a"), inbox("b")

    post(app_of(first, second), [7, {"id": "a", "label": None}])

    assert (first.outcomes, second.outcomes) == ({"invalid": 2}, {})


def test_what_was_not_taken_does_not_make_the_rest_less_durable(
    tmp_path: Path,
) -> None:
    store = on_disk(tmp_path)
    app = app_of(inbox("a", store=store), inbox("b"))
    unknown = {"id": "c", "label": "yes"}

    kept = [post(app, sent).json()["durable"] for sent in ([ONE, unknown], [unknown])]
    mixed = post(app, [ONE, {"id": "b", "label": "yes"}])
    store.close()

    assert kept == [True, False]
    assert (mixed.status_code, mixed.json()["durable"]) == (202, False)


def test_a_model_can_be_named() -> None:
    app = app_of(inbox("a"), inbox("a"))

    assert post(app, ONE, "?model=m1").status_code == 202
    assert post(app, ONE, "?model=m0").status_code == 202


def test_a_model_nobody_watches_is_not_found() -> None:
    answer = post(app_of(inbox("a")), ONE, "?model=other")

    assert (answer.status_code, "error" in answer.json()) == (404, True)


def test_one_model_of_two_may_be_without_labels() -> None:
    labelled = Given(report(name="m1"), Config(model="m1"), inbox=inbox("a"))
    app = exposed(Given(), labelled)

    assert post(app, ONE, "?model=demand").status_code == 501
    assert post(app, ONE).status_code == 202


@pytest.mark.parametrize("path", ["/feedback", "/api/v1.0/feedback"])
def test_labels_need_the_token_itself(path: str) -> None:
    box = inbox("a")
    app = app_of(box, token=TOKEN)
    cookie = {"cookie": f"servewatch={app.rights.cookie()}"}
    seldon = {"response": {"meta": {"puid": "a"}}, "truth": {"strData": "yes"}}
    sent = seldon if "api" in path else ONE

    refused = [
        ask(app, path, method="POST", headers=headers, json=sent).status_code
        for headers in ({}, cookie, {"authorization": "Bearer wrong"})
    ]
    before = sum(box.outcomes.values())
    taken = ask(app, path, method="POST", peer=ELSEWHERE, headers=BEARER, json=sent)

    assert (refused, before, taken.status_code) == ([401, 401, 401], 0, 202)


@pytest.mark.parametrize(
    "more",
    [
        {"peer": ELSEWHERE},
        {"host": "evil.example"},
        {"headers": {"origin": "http://evil.example"}},
        {"headers": {"origin": "null"}},
        {"headers": {"sec-fetch-site": "cross-site"}},
        {"headers": {"x-forwarded-for": "127.0.0.1"}},
        {"headers": {"forwarded": "for=127.0.0.1"}},
        {"headers": {"via": "1.1 proxy"}},
    ],
)
def test_without_a_token_labels_come_from_this_machine_alone(
    more: dict[str, Any],
) -> None:
    box = inbox("a")

    assert post(app_of(box), ONE, **more).status_code == 403
    assert not box.outcomes


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "text/plain; application/json"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {**JSON, "content-encoding": "gzip"},
    ],
)
@pytest.mark.parametrize("path", ["/feedback", "/api/v1.0/feedback"])
def test_what_a_form_can_send_is_refused(path: str, headers: dict[str, str]) -> None:
    box = inbox("a")
    app = app_of(box)

    answer = ask(
        app, path, method="POST", content=json.dumps(ONE).encode(), headers=headers
    )

    assert answer.status_code == 415
    assert not box.outcomes


def test_json_may_name_its_charset() -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    answer = ask(
        app_of(inbox("a")),
        "/feedback",
        method="POST",
        content=json.dumps(ONE).encode(),
        headers=headers,
    )

    assert answer.status_code == 202


def test_nothing_changes_by_asking() -> None:
    assert ask(app_of(inbox("a")), "/feedback").status_code == 405


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"yes",
        b'"yes"',
        b"1",
        b"null",
        b'{"id": "a", "label": NaN}',
        b'{"id": "a", "label": 1e999}',
        b'{"id": "\xff", "label": 1}',
        b'{"id": "\\ud800", "label": 1}',
        b"[" * 100_000,
        b'{"id": "a", "label": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_json_is_400(body: bytes) -> None:
    answer = ask(
        app_of(inbox("a")), "/feedback", method="POST", content=body, headers=JSON
    )

    assert (answer.status_code, "error" in answer.json()) == (400, True)


def test_a_body_over_a_mebibyte_is_refused_by_what_it_says_of_itself() -> None:
    body = b" " * BODY_BYTES + b"[]"

    answer = ask(
        app_of(inbox("a")), "/feedback", method="POST", content=body, headers=JSON
    )

    assert answer.status_code == 413


def test_a_body_over_a_mebibyte_is_refused_while_it_comes() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES // 65_536 + 1):
            yield b" " * 65_536

    answer = ask(
        app_of(inbox("a")), "/feedback", method="POST", content=chunks(), headers=JSON
    )

    assert answer.status_code == 413


def test_a_body_of_a_mebibyte_is_read() -> None:
    body = b"[]".ljust(BODY_BYTES)

    answer = ask(
        app_of(inbox("a")), "/feedback", method="POST", content=body, headers=JSON
    )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        [{"id": "b", "label": 1}] * (MOST_LABELS + 1),
        [{"id": "b", "label": [1] * MOST_LABELS}, ONE],
    ],
)
def test_more_than_ten_thousand_labels_at_once_are_refused(sent: list[Any]) -> None:
    box = inbox("a")

    assert post(app_of(box), sent).status_code == 413
    assert not box.outcomes


def test_ten_thousand_labels_at_once_are_taken() -> None:
    names = [f"p{place}" for place in range(MOST_LABELS)]
    app = app_of(inbox(*names))

    answer = post(app, [{"id": name, "label": "yes"} for name in names])

    assert answer.json()["accepted"] == MOST_LABELS


def test_a_store_that_cannot_write_acknowledges_nothing(tmp_path: Path) -> None:
    store = on_disk(tmp_path, busy_seconds=0.05)
    app = app_of(inbox("a", store=store))
    other = sqlite3.connect(tmp_path / "state" / "labels.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    locked = post(app, ONE)
    other.execute("ROLLBACK")
    other.close()

    later = post(app, ONE)
    store.close()

    assert (locked.status_code, locked.headers["retry-after"]) == (503, "1")
    assert str(tmp_path) not in locked.text
    assert later.json()["outcome"] == "accepted"


class Gauge(Inbox):
    """Knows how many of its callers are inside at once."""

    inside = most = 0
    gate = threading.Lock()

    def submit(self, items: Any) -> Any:
        with self.gate:
            self.inside += 1
            self.most = max(self.most, self.inside)
        threading.Event().wait(0.01)
        with self.gate:
            self.inside -= 1
        return super().submit(items)


def test_few_bodies_are_worked_on_at_once_and_the_loop_goes_on() -> None:
    box = inbox(*(f"p{place}" for place in range(20)))
    box.__class__ = Gauge
    app = app_of(box)

    async def all_at_once() -> list[int]:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost"
        ) as client:
            answers = await asyncio.gather(
                *(
                    client.post("/feedback", json={"id": f"p{place}", "label": "yes"})
                    for place in range(20)
                )
            )
        return [answer.status_code for answer in answers]

    assert asyncio.run(all_at_once()) == [202] * 20
    assert getattr(box, "most") == intake.AT_ONCE  # noqa: B009 - of the class above


def test_where_bodies_fill_the_room_others_are_asked_to_come_back() -> None:
    app = app_of(inbox("a"))
    app._intake._bodies = Bodies(held=1000)
    long = [{"id": "b" * 100, "label": 1}] * 20

    full = post(app, long)

    assert (full.status_code, full.headers["retry-after"]) == (503, "1")


def test_a_body_that_is_answered_leaves_its_room_to_others() -> None:
    app = app_of(inbox("a"))
    app._intake._bodies = Bodies(held=1000)
    body = b"[]".ljust(600)

    codes = [
        ask(app, "/feedback", method="POST", content=body, headers=JSON).status_code
        for _ in range(3)
    ]

    assert codes == [200] * 3


def spoken(app: Exposed, messages: list[Message], **headers: str) -> list[Message]:
    """Have *messages* come in; give what was answered. Some may be left over."""
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/feedback",
        "query_string": b"",
        "headers": [
            (b"host", b"localhost"),
            *((name.encode(), value.encode()) for name, value in headers.items()),
        ],
        "client": ("127.0.0.1", 1),
    }
    asyncio.run(app(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    ("app", "headers", "status"),
    [
        (app_of(inbox(), token=TOKEN), {}, 401),
        (exposed(Given()), {}, 501),
        (app_of(inbox()), {}, 415),
        (app_of(inbox()), JSON | {"content-length": "9999999"}, 413),
    ],
)
def test_who_is_refused_has_been_heard_out(
    app: Exposed, headers: dict[str, str], status: int
) -> None:
    part: Message = {"type": "http.request", "body": b" " * 1000, "more_body": True}
    messages = [part, part, {"type": "http.request", "body": b" "}]

    sent = spoken(app, messages, **headers)

    assert (sent[0]["status"], messages) == (status, [])


def test_who_is_refused_is_not_heard_for_ever() -> None:
    part: Message = {"type": "http.request", "body": b" " * 65_536, "more_body": True}
    messages = [part] * 100

    sent = spoken(app_of(inbox(), token=TOKEN), messages)

    assert sent[0]["status"] == 401
    assert 80 < len(messages) < 100


def test_a_caller_who_goes_away_leaves_nothing_behind() -> None:
    box = inbox("a")
    messages: list[Message] = [
        {"type": "http.request", "body": b'{"id": "a",', "more_body": True},
        {"type": "http.disconnect"},
    ]

    sent = spoken(app_of(box), messages, **JSON)

    assert sent[0]["status"] == 400
    assert not box.outcomes


def test_a_prefix_stands_before_both_routes() -> None:
    app = app_of(inbox("a"), prefix="/internal")

    found = [
        ask(app, path, method="POST", json=ONE).status_code
        for path in ("/internal/feedback", "/internal/api/v1.0/feedback", "/feedback")
    ]

    assert found == [202, 422, 404]


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
ITEMS = st.fixed_dictionaries(
    {}, optional={"id": st.sampled_from(["a", "a:1", "b"]) | JSON_VALUES}
).flatmap(
    lambda item: st.just(item) | JSON_VALUES.map(lambda label: {**item, "label": label})
)


@pytest.mark.parametrize("label", [10**350, -(10**18), 2**64, 1e308, 5e-324])
def test_a_number_of_any_size_has_an_answer(label: float) -> None:
    answer = post(app_of(inbox("a", truth=AMOUNT)), {"id": "a", "label": label})

    assert answer.status_code in {202, 422}


@given(ITEMS | st.lists(ITEMS) | JSON_VALUES)
def test_any_json_has_an_answer_for_each_label(sent: Any) -> None:
    app = app_of(inbox("a", rows=3), inbox("a", "b", truth=AMOUNT))

    answer = post(app, sent)

    assert answer.status_code in {200, 202, 207, 400, 404, 409, 422}
    body = answer.json()
    if "items" in body:
        counted = sum(
            body[name]
            for name in ("accepted", "duplicate", "conflict", "unknown", "invalid")
        )
        assert counted == len(body["items"])
    if isinstance(sent, list):
        assert len(body["items"]) >= len(sent)


@given(st.binary(max_size=40), st.sampled_from(["/feedback", "/api/v1.0/feedback"]))
def test_any_bytes_have_an_answer(body: bytes, path: str) -> None:
    app = app_of(inbox("a"))

    answer = ask(app, path, method="POST", content=body, headers=JSON)

    assert answer.status_code in {200, 400, 404, 422}


def test_labels_from_many_threads_are_each_taken_once() -> None:
    box = inbox()
    keep(box, [f"p{place}" for place in range(200)])
    app = app_of(box)
    sent = [{"id": f"p{place}", "label": "yes"} for place in range(200)]

    workers = [threading.Thread(target=post, args=(app, sent)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert box.outcomes == {"accepted": 200, "duplicate": 600}
