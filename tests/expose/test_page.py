from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from servewatch.config import Config
from tests.expose.asking import ELSEWHERE, ask
from tests.expose.given import PRICE, Given, exposed, report

TOKEN = "correct-horse"
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'{{7*7}}"
VOID = {"meta", "link", "input"}


class Elements(HTMLParser):
    """Every element with its attributes, and whether all were closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(*sources: Given, path: str = "/watch", **request: Any) -> httpx.Response:
    return ask(exposed(*sources), path, **request)


def test_the_page_says_what_drifts_and_why() -> None:
    text = page().text
    assert "price: 41 % of rows above 12.5" in text
    assert "31.2 of 22.8" in text


def test_every_element_is_closed() -> None:
    assert Elements(page().text).open == []


def test_the_page_runs_and_loads_nothing() -> None:
    for tag, attributes in Elements(page().text).found:
        assert tag not in {"script", "img", "iframe", "object", "embed"}
        assert not any(name.startswith("on") for name in attributes)
        assert "src" not in attributes
        assert "style" not in attributes


def test_the_policy_allows_the_one_style_there_is() -> None:
    answer = page()
    (style,) = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_hostile_name_stays_text() -> None:
    stream = replace(PRICE, name=HOSTILE, role=HOSTILE, cause=HOSTILE)
    hostile = report(streams=[stream], notes=[HOSTILE], reason=HOSTILE, name=HOSTILE)
    tags = [tag for tag, _ in Elements(page(Given(hostile)).text).found]
    plain = report(streams=[PRICE], notes=["note"], reason="reason")
    assert tags == [tag for tag, _ in Elements(page(Given(plain)).text).found]


def test_no_template_in_a_name_is_carried_out() -> None:
    stream = replace(PRICE, cause="{{7*7}}")
    assert "{{7*7}}" in page(Given(report(streams=[stream]))).text


def test_the_most_urgent_stream_comes_first() -> None:
    streams = [
        replace(PRICE, name="calm", status="ok", evidence=1.0),
        replace(PRICE, name="close", status="ok", evidence=20.0),
        replace(PRICE, name="drifting", status="drift"),
    ]
    rows = re.findall(
        r'<th scope="row">(\w+)', page(Given(report(streams=streams))).text
    )
    assert rows[:3] == ["drifting", "close", "calm"]


def test_a_hundred_streams_are_shown_and_the_rest_are_counted() -> None:
    streams = [replace(PRICE, name=f"f{i}") for i in range(250)]
    source = Given(report(streams=streams))
    assert "150 more streams" in page(source).text
    assert page(source, path="/watch?all=1").text.count("<svg") == 250


def test_the_page_renews_itself_unless_paused() -> None:
    assert 'http-equiv="refresh"' in page().text
    assert 'http-equiv="refresh"' not in page(path="/watch?refresh=0").text


def test_a_page_without_anything_says_so() -> None:
    empty = report("insufficient_data", verdict="inconclusive", streams=[], latency={})
    text = page(Given(replace(empty, reason="no baseline"))).text
    assert "Nothing is judged yet" in text
    assert "no baseline" in text


def test_two_models_have_a_part_each() -> None:
    other = Given(report("ok", name="churn"), Config(model="churn"))
    assert page(other, Given()).text.count("<section") == 2


def test_links_stay_below_the_prefix() -> None:
    text = ask(exposed(prefix="/internal"), "/internal/watch").text
    assert 'href="/internal/drift"' in text
    assert 'href="/internal/watch/health"' in text


def login(token: str, *, host: str = "localhost", **request: Any) -> httpx.Response:
    app = exposed(token=TOKEN)
    return ask(
        app, "/watch", method="POST", data={"token": token}, peer=ELSEWHERE, **request
    )


def test_without_the_token_a_form_asks_for_it() -> None:
    answer = ask(exposed(token=TOKEN), "/watch", peer=ELSEWHERE)
    fields = [
        attributes for tag, attributes in Elements(answer.text).found if tag == "input"
    ]
    assert answer.status_code == 401
    assert [field["type"] for field in fields] == ["password"]
    assert "price" not in answer.text


def test_without_a_token_set_the_page_says_what_to_do() -> None:
    answer = ask(exposed(), "/watch", peer=ELSEWHERE)
    assert answer.status_code == 403
    assert "SERVEWATCH_TOKEN" in answer.text


def test_the_token_buys_a_cookie_that_no_script_and_no_other_site_can_use() -> None:
    answer = login(TOKEN)
    cookie = answer.headers["set-cookie"].lower()
    assert (answer.status_code, answer.headers["location"]) == (303, "/watch")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie


def test_the_cookie_opens_the_page() -> None:
    cookie = login(TOKEN).headers["set-cookie"].partition(";")[0]
    answer = ask(
        exposed(token=TOKEN), "/watch", peer=ELSEWHERE, headers={"cookie": cookie}
    )
    assert answer.status_code == 200


def test_a_wrong_token_buys_nothing() -> None:
    answer = login("wrong")
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "That is not the token" in answer.text


def test_a_form_too_large_is_refused() -> None:
    assert login("x" * 10_000).status_code == 413


@pytest.mark.parametrize("token", ["", "\ud800".encode("utf-8", "replace").decode()])
def test_an_odd_token_is_just_wrong(token: str) -> None:
    assert login(token).status_code == 401
