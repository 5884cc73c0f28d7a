"""Three parts are one model: watched as one, and as three stages."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import traceback
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from opentelemetry import trace
from sklearn.linear_model import LinearRegression

from servewatch import ServeWatch
from servewatch.capture.composed import composed
from servewatch.capture.tracing import Tracing
from servewatch.record.recorder import Recorder
from tests.capture.asked import lone_calls
from tests.capture.traces import Spans, ids_of, installed, parent_of


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def spans() -> Iterator[Spans]:
    with installed() as found:
        yield found


def names_of(recorder: Recorder) -> list[tuple[str, str | None]]:
    return [(run[0], run[3]) for run in recorder.stage_runs.take()]


class Model:
    """Something with `predict` and more."""

    size = 7

    def predict(self, rows: list[float]) -> list[float]:
        return [2 * each for each in rows]

    def predict_proba(self, rows: list[float]) -> list[float]:
        return rows


def test_parts_run_in_order_each_a_stage(recorder: Recorder) -> None:
    watch = composed(lambda text: [float(text)], Model(), max, recorder)

    assert watch.predict("2.5") == 5.0
    assert watch("1.5") == 3.0
    assert (
        names_of(recorder)
        == [
            ("preprocess", None),
            ("model", None),
            ("postprocess", None),
        ]
        * 2
    )


@pytest.mark.parametrize(
    ("before", "after", "stages"),
    [
        (None, None, ["model"]),
        (list, None, ["preprocess", "model"]),
        (None, sum, ["model", "postprocess"]),
    ],
)
def test_what_is_missing_is_left_out(
    recorder: Recorder, before: Any, after: Any, stages: list[str]
) -> None:
    composed(before, Model(), after, recorder).predict([1.0])

    assert [name for name, _ in names_of(recorder)] == stages


def test_a_model_without_predict_is_called(recorder: Recorder) -> None:
    watch = composed(float, lambda x: x + 1, None, recorder)

    assert watch("2") == 3.0
    assert not hasattr(watch, "predict")


def test_a_model_that_cannot_be_asked_is_refused(recorder: Recorder) -> None:
    with pytest.raises(TypeError, match="int has no predict and cannot be called"):
        composed(None, 3, None, recorder)


def test_the_first_part_takes_what_the_caller_gives(recorder: Recorder) -> None:
    def read(price: float, *, units: int = 1) -> list[float]:
        return [price * units]

    watch = composed(read, Model(), None, recorder)

    assert watch.predict(2.0, units=3) == [12.0]
    assert list(inspect.signature(watch.predict).parameters) == ["price", "units"]


def test_all_else_is_the_models(recorder: Recorder) -> None:
    watch = composed(float, Model(), None, recorder)

    assert watch.size == 7
    assert watch.predict_proba([1.0]) == [1.0]
    assert "size" in dir(watch)
    assert names_of(recorder) == []
    with pytest.raises(AttributeError, match="weight"):
        _ = watch.weight


def test_what_is_copied_or_saved_is_the_model(recorder: Recorder) -> None:
    watch = composed(float, Model(), None, recorder)

    saved = pickle.loads(pickle.dumps(watch))  # noqa: S301 - our own
    found = copy.copy(watch), copy.deepcopy(watch), saved

    assert [type(each) for each in found] == [Model] * 3


def test_an_error_of_a_part_ends_its_stage_and_passes(recorder: Recorder) -> None:
    error = ValueError("odd")

    def fail(value: object) -> None:
        raise error

    with pytest.raises(ValueError, match="odd") as caught:
        composed(list, Model(), fail, recorder).predict([1.0])

    assert caught.value is error
    assert error.__context__ is None
    assert [each.name for each in traceback.extract_tb(error.__traceback__)][
        -1
    ] == "fail"
    assert names_of(recorder) == [
        ("preprocess", None),
        ("model", None),
        ("postprocess", "ValueError"),
    ]


async def fetch(text: str) -> list[float]:
    await asyncio.sleep(0.002)
    return [float(text)]


async def largest(values: list[float]) -> float:
    await asyncio.sleep(0.002)
    return max(values)


def test_with_a_coroutine_function_it_is_one(recorder: Recorder) -> None:
    watch = composed(fetch, Model(), largest, recorder)

    assert inspect.iscoroutinefunction(watch.predict)
    assert asyncio.run(watch.predict("2.5")) == 5.0
    runs = recorder.stage_runs.take()
    assert [run[0] for run in runs] == ["preprocess", "model", "postprocess"]
    assert min(runs[0][1], runs[2][1]) > 2_000_000
    assert [run[6] for run in runs if run[0] != "model"] == [-1, -1]


def test_an_awaitable_answer_is_awaited(recorder: Recorder) -> None:
    watch = composed(lambda text: fetch(text), Model(), None, recorder)  # noqa: PLW0108
    answer = watch.predict("2.5")

    assert asyncio.run(answer) == [5.0]
    assert names_of(recorder) == [("preprocess", None), ("model", None)]


def test_a_cancelled_part_is_no_error(recorder: Recorder) -> None:
    async def main() -> None:
        task = asyncio.create_task(
            composed(fetch, Model(), None, recorder).predict("1")
        )
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert names_of(recorder) == [("preprocess", None)]


def test_a_late_error_is_the_parts(recorder: Recorder) -> None:
    async def main() -> None:
        await composed(fetch, Model(), None, recorder).predict("many")

    with pytest.raises(ValueError, match="many"):
        asyncio.run(main())

    assert names_of(recorder) == [("preprocess", "ValueError")]


def test_stages_are_spans_beside_each_other(spans: Spans) -> None:
    recorder = Recorder()
    Tracing(recorder, model="demand")
    watch = composed(fetch, Model(), largest, recorder)

    async def main() -> None:
        with spans.provider.get_tracer("test").start_as_current_span("outer"):
            await watch.predict("1")
            assert trace.get_current_span() is not trace.INVALID_SPAN

    asyncio.run(main())

    (outer,) = spans.named("outer")
    found = [span for span in spans.all() if span is not outer]
    assert [span.name for span in found] == [
        "stage preprocess",
        "stage model",
        "stage postprocess",
    ]
    assert {parent_of(span) for span in found} == {ids_of(outer)}


def test_watched_it_is_recorded_with_what_the_caller_gives_and_gets() -> None:
    rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    model = LinearRegression().fit(rows, [1.0, 2.0])
    watch = ServeWatch()
    parts = composed(lambda X: X / 10, model, lambda found: found * 10, watch.recorder)
    whole = ServeWatch(parts)

    found = whole.predict(rows)
    (call,) = lone_calls(whole.recorder)
    watch.close()
    whole.close()

    np.testing.assert_allclose(found, model.predict(rows / 10) * 10)
    assert call.prediction is not None
    np.testing.assert_array_equal(np.frombuffer(call.features.data), rows.ravel())
    np.testing.assert_allclose(np.frombuffer(call.prediction.data), found)
