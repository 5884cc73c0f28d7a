"""A run and its stages as one trace, where the user has a tracer provider."""

from __future__ import annotations

import pytest
from opentelemetry.trace import StatusCode, get_current_span

import servewatch as sw
from tests.capture.traces import ids_of, installed, parent_of


def test_a_run_is_the_root_and_its_stages_are_nested_in_it() -> None:
    with installed() as spans, sw.run("train", job="demand", code_version="a1") as run:
        with run.stage("ingest", rows=10), run.stage("parse"):
            pass
        with run.stage("fit"):
            pass
        run.event("late", files=2, why=["a"])
    (root,) = spans.named("run train demand")
    names = {span.name: span for span in spans.all()}
    by_stage = {
        stage: next(span for name, span in names.items() if stage in name)
        for stage in ("ingest", "parse", "fit")
    }

    assert root.parent is None
    assert parent_of(by_stage["ingest"]) == ids_of(root)
    assert parent_of(by_stage["parse"]) == ids_of(by_stage["ingest"])
    assert parent_of(by_stage["fit"]) == ids_of(root)
    assert root.attributes is not None
    assert dict(root.attributes) == {
        "servewatch.job": "demand",
        "servewatch.kind": "train",
        "servewatch.run_id": run.id,
        "servewatch.code_version": "a1",
        "servewatch.status": "ok",
        "servewatch.rows": 0,
    }
    (event,) = root.events
    assert event.attributes is not None
    assert (event.name, dict(event.attributes)) == (
        "late",
        {"files": 2, "why": "['a']"},
    )


def test_a_failed_run_has_the_type_of_its_error_and_no_word_of_its_text() -> None:
    with (
        installed() as spans,
        pytest.raises(ValueError, match="Jane"),
        sw.run("train", job="demand"),
    ):
        raise ValueError("Jane Doe")
    (root,) = spans.named("run train demand")

    assert root.status.status_code is StatusCode.ERROR
    assert root.attributes is not None
    assert root.attributes["error.type"] == "ValueError"
    assert "Jane" not in root.to_json()


def test_nothing_is_current_after_a_run() -> None:
    with installed():
        with sw.run("train", job="demand"):
            assert get_current_span().get_span_context().is_valid
        assert not get_current_span().get_span_context().is_valid


def test_a_run_inside_of_a_span_is_its_child() -> None:
    with installed() as spans:
        tracer = spans.provider.get_tracer("theirs")
        with tracer.start_as_current_span("flow") as outer:
            with sw.run("train", job="demand"):
                pass
            (root,) = spans.named("run train demand")

            assert root.parent == outer.get_span_context()
