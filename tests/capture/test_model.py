"""A watched model answers as before, whatever kind of model it is."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np
import pytest

from servewatch.capture.by_hand import record_by_hand
from servewatch.capture.stand_in import METHODS, watched
from servewatch.record.observation import Call
from servewatch.record.recorder import Recorder
from tests.capture.asked import lone_calls

ROW = np.array([[0.5, 1.5]])


class Model:
    """Sums its rows."""

    classes = ("no", "yes")

    def predict(self, rows: Any, **options: Any) -> Any:
        return np.sum(rows, axis=1)

    def fit(self, rows: Any) -> str:
        return "fitted"


def recorded(recorder: Recorder) -> Call:
    (call,) = lone_calls(recorder)
    return call


def test_the_answer_is_the_models_own_object() -> None:
    answer = object()

    class Fixed:
        def predict(self, rows: Any) -> object:
            return answer

    assert watched(Fixed(), Recorder()).predict(ROW) is answer


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_predicting_method_is_recorded(method: str) -> None:
    recorder = Recorder()
    model = type("Any", (), {method: lambda self, rows: [0.5]})()

    getattr(watched(model, recorder), method)(ROW)

    call = recorded(recorder)
    assert (call.method, call.features.rows) == (method, 1)
    assert call.prediction is not None
    assert call.seconds is not None
    assert call.seconds >= 0


def test_other_attributes_are_the_models() -> None:
    recorder = Recorder()
    model = watched(Model(), recorder)

    assert model.classes == ("no", "yes")
    assert model.fit(ROW) == "fitted"
    assert not recorder.calls
    with pytest.raises(AttributeError, match="'Model' object has no attribute 'score'"):
        _ = model.score


def test_an_attribute_set_is_set_on_the_model() -> None:
    model = Model()
    stand_in = watched(model, Recorder())
    stand_in.predict(ROW)

    stand_in.threshold = 3
    stand_in.predict = lambda rows: "replaced"

    assert model.threshold == 3  # type: ignore[attr-defined]
    assert stand_in.predict(ROW) == "replaced"


def test_a_model_that_is_not_callable_says_so_itself() -> None:
    with pytest.raises(TypeError, match="'Model' object is not callable"):
        watched(Model(), Recorder())()


def test_a_watched_model_can_be_copied() -> None:
    twin = copy.copy(watched(Model(), Recorder()))

    assert twin.predict(ROW).tolist() == [2.0]


def test_a_function_stays_a_function() -> None:
    def price(a: float, b: float) -> float:
        """Give a price."""
        return a + b

    recorder = Recorder()
    stand_in = watched(price, recorder)

    assert stand_in(0.5, b=1.5) == 2.0
    assert inspect.signature(stand_in) == inspect.signature(price)
    assert stand_in.__doc__ == "Give a price."
    features = recorded(recorder).features
    assert (features.names, features.data) == (("a", "b"), [(0.5, 1.5)])


def test_the_input_is_recorded_as_it_was_before_the_call() -> None:
    class Filling:
        def predict(self, rows: Any) -> Any:
            rows[:] = 9.0
            return rows[:, 0]

    recorder, rows = Recorder(), ROW.copy()

    watched(Filling(), recorder).predict(rows)

    assert recorded(recorder).features.data == ROW.tobytes()


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyboardInterrupt(), SystemExit(2), StopIteration()]
)
def test_a_models_exception_is_the_same_object_and_is_counted(
    error: BaseException,
) -> None:
    class Failing:
        def predict(self, rows: Any) -> Any:
            raise error

    recorder = Recorder()
    with pytest.raises(type(error)) as caught:
        watched(Failing(), recorder).predict(ROW)

    assert caught.value is error
    assert error.__context__ is None
    call = recorded(recorder)
    assert (call.error, call.prediction) == (type(error).__name__, None)
    assert call.features.rows == 1


@pytest.mark.parametrize("share", [1.0, 0.001])
def test_an_error_whose_types_name_raises_is_the_models(share: float) -> None:
    class Nameless(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise OSError

    class OddError(Exception, metaclass=Nameless):
        pass

    def fail(rows: Any) -> Any:
        raise OddError(rows)

    recorder = Recorder()
    recorder.keep(share)
    with pytest.raises(OddError):
        watched(fail, recorder)(ROW)

    if share == 1.0:
        assert recorded(recorder).error == "OddError"
    assert recorder.totals.internal_errors == {}


def test_features_may_come_by_keyword() -> None:
    recorder = Recorder()

    watched(Model(), recorder).predict(rows=ROW, verbose=True)

    assert recorded(recorder).features.rows == 1


def test_an_onnx_session_is_fed_second_and_answers_first() -> None:
    class Session:
        def run(self, names: Any, feed: Any) -> Any:
            return [np.array([1, 0]), [{0: 0.1, 1: 0.9}]]

    recorder = Recorder()

    watched(Session(), recorder).run(None, {"input": np.zeros((2, 3))})

    call = recorded(recorder)
    assert call.features.shape == (2, 3)
    assert call.prediction is not None
    assert call.prediction.shape == (2,)


class Hostile:
    """An input whose every method raises."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_an_input_whose_methods_raise_reaches_the_model_and_is_counted() -> None:
    class Accepting:
        def predict(self, rows: Any) -> Any:
            return 0.5

    recorder = Recorder()

    assert watched(Accepting(), recorder).predict(Hostile()) == 0.5
    assert recorded(recorder).features.form == "unsupported"


def test_an_answer_whose_methods_raise_is_handed_on() -> None:
    answer = Hostile()

    class Odd:
        def predict(self, rows: Any) -> Any:
            return answer

    recorder = Recorder()

    assert watched(Odd(), recorder).predict(ROW) is answer
    assert recorded(recorder).features.rows == 1


def test_a_call_by_hand_carries_its_own_latency_and_time() -> None:
    recorder = Recorder()

    record_by_hand(recorder, ROW, 0.5, latency_seconds=0.25, at=1_600_000_000.0)

    call = recorded(recorder)
    assert (call.seconds, call.at) == (0.25, 1_600_000_000.0)


def test_a_call_by_hand_without_latency_has_none() -> None:
    recorder = Recorder()

    record_by_hand(recorder, ROW)

    call = recorded(recorder)
    assert (call.seconds, call.prediction) == (None, None)
