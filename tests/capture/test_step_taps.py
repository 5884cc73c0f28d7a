"""What lies between the steps of a pipeline is seen, and its steps are spans."""

from __future__ import annotations

from typing import Any

import pytest

from servewatch.capture.steps import staged
from servewatch.capture.tracing import Tracing
from tests.capture.pipelines import MADE, ROWS, names_of, recording
from tests.capture.traces import ids_of, installed, parent_of


def seen_at_taps(kind: str, *known: str) -> dict[str, Any]:
    """Give what one call left at taps, by name."""
    model, given = MADE[kind]()
    recorder = recording()
    recorder.tap_rows.known = frozenset(known)

    staged(model, recorder).predict(given)

    return dict(recorder.tap_rows.take())


def test_what_a_step_gives_is_seen_at_the_taps_that_the_baseline_has() -> None:
    model, given = MADE["plain"]()

    seen = seen_at_taps("plain", "scale", "model", "unheard of")

    assert list(seen) == ["scale"]  # nobody asks for the first; the last is an answer
    scaled = model[:-1].transform(given)
    assert seen["scale"].rows == len(given)
    assert seen["scale"].data == scaled.tobytes()


@pytest.mark.parametrize(
    ("kind", "tap"),
    [
        ("nested", "prepare"),
        ("nested", "prepare/numbers/impute"),
        ("searched", "scale"),
        ("text", "count"),
        ("function", "double"),
    ],
)
def test_taps_are_seen_at_any_depth_and_of_any_sort(kind: str, tap: str) -> None:
    seen = seen_at_taps(kind, tap)

    assert {name: each.rows for name, each in seen.items()} == {tap: ROWS}


def test_parts_of_columns_are_no_taps() -> None:
    assert seen_at_taps("nested", "prepare/numbers", "prepare/names") == {}


def test_nothing_is_seen_where_no_baseline_says_what_for() -> None:
    model, given = MADE["plain"]()
    recorder = recording()

    staged(model, recorder).predict(given)

    assert recorder.tap_rows.take() == []
    assert not recorder.totals.internal_errors


def test_steps_are_spans_within_the_one_that_is_current() -> None:
    model, given = MADE["nested"]()
    recorder = recording()
    Tracing(recorder, model="demand")

    with installed() as spans:
        tracer = spans.provider.get_tracer("the application")
        with tracer.start_as_current_span("request"):
            staged(model, recorder).predict(given)

    found = {span.name.removeprefix("stage "): span for span in spans.all()}
    above = {
        "prepare/numbers/impute": "prepare/numbers",
        "prepare/numbers/scale": "prepare/numbers",
        "prepare/numbers": "prepare",
        "prepare/names": "prepare",
        "prepare": "request",
        "model": "request",
    }
    assert names_of(recorder) == [*above]
    assert {name: parent_of(found[name]) for name in above} == {
        name: ids_of(found[parent]) for name, parent in above.items()
    }


def test_a_step_that_fails_fails_its_span() -> None:
    model, given = MADE["refusing"]()
    recorder = recording()
    Tracing(recorder, model="demand")

    with installed() as spans:
        tracer = spans.provider.get_tracer("the application")
        with (
            tracer.start_as_current_span("request", record_exception=False),
            pytest.raises(FloatingPointError),
        ):
            staged(model, recorder).predict(given * float("inf"))

    (span,) = spans.named("stage check")
    assert span.attributes is not None
    assert span.attributes["error.type"] == "FloatingPointError"
    assert [run[3] for run in recorder.stage_runs.take()] == ["FloatingPointError"]
