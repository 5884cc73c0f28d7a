from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from rich.console import Console

from servewatch.cli.gate import (
    condensed,
    explain,
    verdict_of,
    wait_for_verdict,
)
from servewatch.client import Unreachable
from servewatch.errors import GateError

Answer = Mapping[str, Any]


class Clock:
    """Moves only when slept on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def an_answer(verdict: str, **more: Any) -> dict[str, Any]:
    gate = {"verdict": verdict, "rows": 1200, "rows_needed": 350, "left_out": []}
    return {"status": "ok", "gate": gate, "rows": 1200, "streams": [], **more}


def asked(
    *answers: Answer | Exception, wait_seconds: float, told: list[str] | None = None
) -> tuple[Answer, float]:
    """Wait over *answers*, the last for ever; give the result and the time it took."""

    def ask() -> Answer:
        answer = next(given)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def forever() -> Iterator[Answer | Exception]:
        yield from answers
        while True:
            yield answers[-1]

    given = forever()
    clock = Clock()
    tell: Callable[[str], None] = (told if told is not None else []).append
    result = wait_for_verdict(
        ask, wait_seconds=wait_seconds, clock=clock, sleep=clock.sleep, tell=tell
    )
    return result, clock.now - 100.0


def test_without_wait_the_gate_is_asked_once() -> None:
    answer, seconds = asked(
        an_answer("inconclusive"), an_answer("pass"), wait_seconds=0
    )

    assert (verdict_of(answer), seconds) == ("inconclusive", 0.0)


def test_waiting_ends_with_the_first_decision() -> None:
    answer, seconds = asked(
        an_answer("inconclusive"),
        an_answer("inconclusive"),
        an_answer("fail"),
        wait_seconds=60,
    )

    assert (verdict_of(answer), seconds) == ("fail", 2.0)


def test_waiting_ends_in_time_without_a_decision() -> None:
    answer, seconds = asked(an_answer("inconclusive"), wait_seconds=4.5)

    assert (verdict_of(answer), seconds) == ("inconclusive", 4.5)


def test_a_server_that_is_still_starting_is_asked_again() -> None:
    answer, _ = asked(Unreachable("nobody home"), an_answer("pass"), wait_seconds=10)

    assert verdict_of(answer) == "pass"


def test_a_server_that_never_answers_is_an_error() -> None:
    with pytest.raises(Unreachable, match="nobody home"):
        asked(Unreachable("nobody home"), wait_seconds=3)


def test_a_wrong_answer_is_an_error_at_once() -> None:
    with pytest.raises(GateError, match="not JSON"):
        asked(GateError("the answer is not JSON"), an_answer("pass"), wait_seconds=60)


def test_a_verdict_nobody_knows_is_an_error() -> None:
    with pytest.raises(GateError, match="found 'maybe', expected pass, fail"):
        verdict_of(an_answer("maybe"))


def test_progress_tells_the_rows_still_needed() -> None:
    told: list[str] = []

    asked(an_answer("inconclusive"), an_answer("pass"), wait_seconds=9, told=told)

    assert told == ["about 350 more rows are needed"]


STREAMS = [
    {"name": "price", "status": "ok", "since": None, "cause": None},
    {
        "name": "age/missing",
        "status": "drift",
        "since": "2010-09-06T00:00:00.000Z",
        "cause": "missing [all]: 0 % of rows -> 100 %",
    },
]


def test_an_explanation_names_what_moved_and_why() -> None:
    answer = an_answer("fail", status="drift", streams=STREAMS)
    console = Console(width=200)

    with console.capture() as capture:
        explain(console, answer)

    head, line = capture.get().splitlines()
    assert head == "fail after 1,200 rows; status drift"
    assert line == (
        "  drift age/missing since 2010-09-06T00:00:00.000Z: "
        "missing [all]: 0 % of rows -> 100 %"
    )


def test_the_condensed_answer_leaves_out_what_is_ok() -> None:
    answer = an_answer("fail", status="drift", streams=STREAMS)

    assert [each["name"] for each in condensed("u", answer)["streams"]] == [
        "age/missing"
    ]
