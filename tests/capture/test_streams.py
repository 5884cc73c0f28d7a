"""Models that answer later or bit by bit."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from servewatch.capture.stand_in import watched
from servewatch.record.observation import Call
from servewatch.record.recorder import Recorder
from tests.capture.asked import lone_calls

ROW = np.array([[0.5, 1.5]])


def recorded(recorder: Recorder) -> Call:
    (call,) = lone_calls(recorder)
    return call


def test_an_async_model_stays_async_and_is_timed_to_its_answer() -> None:
    class Slow:
        async def predict(self, rows: Any) -> float:
            await asyncio.sleep(0.01)
            return 0.5

    recorder = Recorder()
    model = watched(Slow(), recorder)

    assert inspect.iscoroutinefunction(model.predict)
    assert asyncio.run(model.predict(ROW)) == 0.5
    call = recorded(recorder)
    assert call.seconds is not None
    assert call.seconds >= 0.01


def test_an_async_models_exception_passes() -> None:
    error = ValueError("x")

    class Failing:
        async def predict(self, rows: Any) -> float:
            raise error

    recorder = Recorder()
    with pytest.raises(ValueError, match="x") as caught:
        asyncio.run(watched(Failing(), recorder).predict(ROW))

    assert caught.value is error
    assert recorded(recorder).error == "ValueError"


def test_a_coroutine_from_a_plain_method_is_awaited_by_its_caller() -> None:
    async def later() -> float:
        return 0.5

    class Lazy:
        def predict(self, rows: Any) -> Any:
            return later()

    recorder = Recorder()
    pending = watched(Lazy(), recorder).predict(ROW)

    assert not recorder.calls
    assert asyncio.run(pending) == 0.5
    assert recorded(recorder).prediction is not None


def test_a_future_is_handed_on_and_recorded_when_done() -> None:
    future: Future[float] = Future()

    class Pool:
        def predict(self, rows: Any) -> Any:
            return future

    recorder = Recorder()
    assert watched(Pool(), recorder).predict(ROW) is future

    future.set_result(0.5)

    assert recorded(recorder).prediction is not None


def test_a_future_that_fails_is_a_failed_call() -> None:
    recorder = Recorder()
    with ThreadPoolExecutor(1) as pool:

        class Pool:
            def predict(self, rows: Any) -> Any:
                return pool.submit(int, "x")

        future = watched(Pool(), recorder).predict(ROW)
        with pytest.raises(ValueError, match="invalid literal"):
            future.result(10)

    assert recorded(recorder).error == "ValueError"


class Streaming:
    def predict(self, rows: Any) -> Iterator[float]:
        for row in rows:
            yield float(row[0])

    def transform(self, rows: Any) -> Iterator[float]:
        yield 1.0
        raise ValueError("midway")


def test_a_generator_is_recorded_when_it_is_exhausted() -> None:
    recorder = Recorder()
    stream = watched(Streaming(), recorder).predict(np.array([[0.5], [1.5]]))

    assert next(stream) == 0.5
    assert not recorder.calls
    assert list(stream) == [1.5]
    call = recorded(recorder)
    assert call.prediction is not None
    assert call.prediction.data == (0.5, 1.5)


def test_what_a_generator_gave_is_kept_up_to_a_bound_of_bytes() -> None:
    recorder = Recorder()
    model = type("Many", (), {"predict": lambda self, rows: iter_of(rows)})()

    def iter_of(rows: Any) -> Any:
        for _ in range(100):
            yield np.zeros(10_000)

    given = watched(model, recorder).predict(np.zeros((100, 2)))
    most = 0
    for _ in given:
        most = max(most, sum(item.nbytes for item in given._items._items))
    call = recorded(recorder)

    assert most <= 512 * 1024
    assert call.prediction is None
    assert call.features.rows == 100


def test_a_generator_left_early_is_recorded_without_a_prediction() -> None:
    recorder = Recorder()
    stream = watched(Streaming(), recorder).predict(np.array([[0.5], [1.5]]))
    next(stream)

    stream.close()

    call = recorded(recorder)
    assert (call.prediction, call.error) == (None, None)


def test_a_generator_that_breaks_is_a_failed_call() -> None:
    recorder = Recorder()

    with pytest.raises(ValueError, match="midway"):
        list(watched(Streaming(), recorder).transform(ROW))

    assert recorded(recorder).error == "ValueError"


def test_a_generator_hears_what_is_sent_and_thrown_into_it() -> None:
    heard: list[Any] = []

    class Echo:
        def predict(self, rows: Any) -> Any:
            heard.append((yield 1))
            try:
                yield 2
            except KeyError as error:
                heard.append(error)
                yield 3
            return "done"

    error = KeyError("x")
    stream = watched(Echo(), Recorder()).predict(ROW)

    assert [next(stream), stream.send("hi"), stream.throw(error)] == [1, 2, 3]
    with pytest.raises(StopIteration) as stopped:
        next(stream)
    assert stopped.value.value == "done"
    assert heard == ["hi", error]


def test_an_async_generator_is_recorded_when_it_is_exhausted() -> None:
    class Tokens:
        async def predict(self, rows: Any) -> AsyncIterator[float]:
            yield 0.5
            yield 1.5

    recorder = Recorder()

    async def read() -> list[float]:
        return [item async for item in watched(Tokens(), recorder).predict(ROW)]

    assert asyncio.run(read()) == [0.5, 1.5]
    call = recorded(recorder)
    assert call.prediction is not None
    assert call.prediction.data == (0.5, 1.5)


def test_an_async_generator_that_breaks_is_a_failed_call() -> None:
    class Tokens:
        async def predict(self, rows: Any) -> AsyncIterator[float]:
            yield 0.5
            raise ValueError("midway")

    recorder = Recorder()

    async def read() -> list[float]:
        return [item async for item in watched(Tokens(), recorder).predict(ROW)]

    with pytest.raises(ValueError, match="midway"):
        asyncio.run(read())
    assert recorded(recorder).error == "ValueError"


def two(rows: Any) -> Iterator[float]:
    yield 0.5
    yield 1.5


async def two_async(rows: Any) -> AsyncIterator[float]:
    yield 0.5
    yield 1.5


TWO_ROWS = np.array([[0.5, 1.5], [2.5, 3.5]])


def test_a_generator_forgotten_early_leaves_its_rows_without_predictions() -> None:
    recorder = Recorder()
    answer = watched(two, recorder)(TWO_ROWS)
    next(answer)

    del answer

    call = recorded(recorder)
    assert call.features.rows == 2
    assert call.prediction is None
    assert call.error is None


def test_a_generator_forgotten_after_its_last_item_leaves_its_predictions() -> None:
    recorder = Recorder()
    answer = watched(two, recorder)(TWO_ROWS)
    next(answer), next(answer)

    del answer

    call = recorded(recorder)
    assert call.prediction is not None
    assert call.prediction.data == (0.5, 1.5)


def test_a_generator_closed_early_is_recorded_once() -> None:
    recorder = Recorder()
    answer = watched(two, recorder)(TWO_ROWS)
    next(answer)

    answer.close()
    del answer

    call = recorded(recorder)
    assert call.features.rows == 2
    assert call.prediction is None


@pytest.mark.parametrize("is_closed", [True, False])
def test_an_async_generator_left_early_leaves_its_rows(*, is_closed: bool) -> None:
    recorder = Recorder()

    async def read() -> None:
        answer = watched(two_async, recorder)(TWO_ROWS)
        await anext(answer)
        if is_closed:
            await answer.aclose()

    asyncio.run(read())

    call = recorded(recorder)
    assert call.features.rows == 2
    assert call.prediction is None
    assert call.error is None
