"""A stand-in passes for its model, and what is copied or saved is the model."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable, Hashable, Iterator, Sized
from functools import partial
from pathlib import Path
from typing import Any, Self

import cloudpickle
import joblib
import numpy as np
import pytest

from servewatch.capture.stand_in import METHODS, WatchedModel, watched
from servewatch.record.recorder import Recorder
from tests.record.seen import NUMBERS, drained

ROW = np.array([[0.5, 1.5]])


class Model:
    """Sums its rows."""

    weight = 1.0

    def predict(self, rows: Any, *, scale: float = 1.0) -> Any:
        """Give a sum for each row."""
        return self.weight * scale * np.sum(rows, axis=1)

    def fit(self, rows: Any) -> Model:
        """Learn."""
        self.fitted_ = True
        return self


class Members(Model):
    """Has everything that Python asks a type for."""

    def __init__(self) -> None:
        self.members = ["first", "second"]

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, place: int) -> str:
        return self.members[place]

    def __setitem__(self, place: int, member: str) -> None:
        self.members[place] = member

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __contains__(self, member: object) -> bool:
        return member in self.members

    def __or__(self, other: object) -> str:
        return f"then {other}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.members = ["closed"]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self.members = ["closed later"]


class Module:
    """In the shape of a torch.nn.Module, whose `__call__` calls `forward`."""

    training = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def forward(self, rows: Any) -> Any:
        return np.sum(rows, axis=1)

    def eval(self) -> Module:
        self.training = False
        return self


def calls(recorder: Recorder) -> int:
    """Count the rows that were recorded."""
    return drained(recorder, NUMBERS).window.rows


def test_a_stand_in_is_an_instance_of_the_models_class_and_of_ours() -> None:
    stand_in = watched(Model(), Recorder())

    assert isinstance(stand_in, Model)
    assert isinstance(stand_in, WatchedModel)
    assert issubclass(type(stand_in), WatchedModel)
    assert not issubclass(type(stand_in), Model)


def test_a_watched_class_is_not_taken_for_a_class() -> None:
    assert not inspect.isclass(watched(Model, Recorder()))


@pytest.mark.parametrize(
    "special", ["__len__", "__getitem__", "__iter__", "__enter__", "__bool__", "__or__"]
)
def test_a_special_method_is_there_only_if_the_model_has_it(special: str) -> None:
    assert not hasattr(watched(Model(), Recorder()), special)
    assert hasattr(watched(Members(), Recorder()), special) is (special != "__bool__")


def test_what_the_model_cannot_do_fails_as_in_the_model() -> None:
    stand_in = watched(Model(), Recorder())

    with pytest.raises(TypeError, match="'Model' has no len"):
        len(stand_in)
    with pytest.raises(TypeError, match="'Model' object is not subscriptable"):
        stand_in[0]
    assert not callable(stand_in)
    assert not isinstance(stand_in, Sized)


def test_members_are_the_models() -> None:
    stand_in = watched(Members(), Recorder())

    stand_in[1] = "last"

    assert (len(stand_in), stand_in[0], list(stand_in)) == (
        2,
        "first",
        ["first", "last"],
    )
    assert "last" in stand_in
    assert stand_in | "more" == "then more"


def test_an_empty_model_is_false_as_it_was() -> None:
    empty = Members()
    empty.members = []

    assert not watched(empty, Recorder())
    assert watched(Model(), Recorder())


def test_a_context_is_the_models_and_gives_the_stand_in() -> None:
    model = Members()
    stand_in = watched(model, Recorder())

    with stand_in as inner:
        assert inner is stand_in

    assert model.members == ["closed"]


def test_an_asynchronous_context_is_the_models_and_gives_the_stand_in() -> None:
    import asyncio

    model = Members()
    stand_in = watched(model, Recorder())

    async def use() -> bool:
        async with stand_in as inner:
            return inner is stand_in

    assert asyncio.run(use())
    assert model.members == ["closed later"]


def test_attributes_are_read_set_and_deleted_on_the_model() -> None:
    model = Model()
    stand_in = watched(model, Recorder())

    stand_in.weight = 2.0
    assert (model.weight, stand_in.weight) == (2.0, 2.0)
    del stand_in.weight
    assert (model.weight, vars(model)) == (1.0, {})
    with pytest.raises(AttributeError):
        del stand_in.weight


def test_vars_are_the_models() -> None:
    assert vars(watched(Model().fit(ROW), Recorder())) == {"fitted_": True}


def test_a_method_set_anew_is_recorded_too() -> None:
    recorder = Recorder()
    stand_in = watched(Model(), recorder)
    stand_in.predict(ROW)

    stand_in.predict = lambda rows: [9.0]

    assert stand_in.predict(ROW) == [9.0]
    assert calls(recorder) == 2


def test_a_method_that_the_model_makes_up_is_looked_up_every_time() -> None:
    class Switching:
        scores = True

        def __getattr__(self, name: str) -> Callable[[Any], Any]:
            if name == "predict_proba" and self.scores:
                return lambda rows: [[0.5, 0.5]]
            raise AttributeError(name)

    model = Switching()
    stand_in = watched(model, Recorder())

    assert hasattr(stand_in, "predict_proba")
    model.scores = False
    assert not hasattr(stand_in, "predict_proba")


def test_a_recorded_method_is_one_and_the_same() -> None:
    stand_in = watched(Model(), Recorder())

    assert stand_in.predict is stand_in.predict


def test_a_recorded_method_describes_itself_as_the_models() -> None:
    model = Model()
    method = watched(model, Recorder()).predict

    assert inspect.signature(method) == inspect.signature(model.predict)
    assert (method.__name__, method.__doc__) == ("predict", "Give a sum for each row.")
    assert method.__qualname__ == model.predict.__qualname__
    assert method.__self__ is model
    assert method.__func__ is Model.predict
    assert inspect.unwrap(method) == model.predict


def test_a_recorded_coroutine_is_a_coroutine() -> None:
    class Later:
        async def predict(self, rows: Any) -> Any:
            return rows

        async def __call__(self, rows: Any) -> Any:
            return rows

    stand_in = watched(Later(), Recorder())

    assert inspect.iscoroutinefunction(stand_in.predict)
    assert inspect.iscoroutinefunction(stand_in.__call__)
    assert not inspect.iscoroutinefunction(watched(Model(), Recorder()).predict)


def test_a_method_that_answers_with_the_model_answers_with_the_stand_in() -> None:
    recorder = Recorder()
    stand_in = watched(Model(), recorder)

    fitted = stand_in.fit(ROW)

    assert fitted is stand_in
    assert inspect.signature(stand_in.fit) == inspect.signature(Model().fit)
    fitted.predict(ROW)
    assert calls(recorder) == 1


def test_a_coroutine_that_answers_with_the_model_answers_with_the_stand_in() -> None:
    import asyncio

    class Loading:
        async def load(self) -> Loading:
            return self

    stand_in = watched(Loading(), Recorder())

    assert asyncio.run(stand_in.load()) is stand_in


def test_a_module_that_calls_forward_is_recorded_once() -> None:
    recorder = Recorder()
    module = watched(Module(), recorder)

    assert module(ROW).tolist() == [2.0]
    assert calls(recorder) == 1


def test_a_module_is_still_watched_after_eval() -> None:
    recorder = Recorder()
    module = watched(Module(), recorder)

    assert module.eval() is module
    assert not module.training
    module.forward(ROW)
    assert calls(recorder) == 1


def test_a_model_that_calls_its_own_methods_is_recorded_once() -> None:
    class Deciding:
        def predict_proba(self, rows: Any) -> Any:
            return np.full((len(rows), 2), 0.5)

        def predict(self, rows: Any) -> Any:
            return self.predict_proba(rows).argmax(axis=1)

    recorder = Recorder()
    watched(Deciding(), recorder).predict(ROW)

    assert [recorder.lanes.whole(call).method for call in recorder.calls] == ["predict"]


def test_a_stand_in_equals_what_its_model_equals() -> None:
    model = Model()
    stand_in = watched(model, Recorder())

    assert stand_in == model
    assert model == stand_in
    assert stand_in == watched(model, Recorder())
    assert stand_in != watched(Model(), Recorder())
    assert {model: 1}[stand_in] == 1


def test_a_model_without_hash_has_none() -> None:
    with pytest.raises(TypeError, match="unhashable type: 'list'"):
        hash(watched([1.0], Recorder()))
    assert isinstance(watched(Model(), Recorder()), Hashable)


def test_dir_names_what_the_model_has() -> None:
    assert {"predict", "fit", "weight"} <= set(dir(watched(Model(), Recorder())))


def reloaded(model: Any, protocol: int | None = None) -> Any:
    return pickle.loads(pickle.dumps(model, protocol))  # noqa: S301 - our own


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": reloaded,
    "oldest pickle": lambda each: reloaded(each, 0),
    "cloudpickle": lambda each: cloudpickle.loads(cloudpickle.dumps(each)),
}


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_a_bare_model_of_its_own(way: str) -> None:
    model = Members()

    twin = COPIES[way](watched(model, Recorder()))

    assert type(twin).__name__ == "Members"
    assert not isinstance(twin, WatchedModel)
    assert twin is not model
    assert twin.predict(ROW).tolist() == [2.0]


def test_what_joblib_saves_is_the_bare_model(tmp_path: Path) -> None:
    joblib.dump(watched(Members(), Recorder()), tmp_path / "model")

    assert type(joblib.load(tmp_path / "model")) is Members


def test_a_saved_model_loads_without_servewatch(tmp_path: Path) -> None:
    place = tmp_path / "model.pickle"
    place.write_bytes(pickle.dumps(watched({"weights": [0.5]}, Recorder())))
    code = (
        "import pickle, sys\n"
        "sys.modules['servewatch'] = None\n"
        f"print(pickle.load(open({str(place)!r}, 'rb')))"
    )

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout.strip() == "{'weights': [0.5]}"


def test_a_model_saved_beside_its_stand_in_is_saved_once() -> None:
    model = Members()

    bare, other = reloaded((model, watched(model, Recorder())))

    assert other is bare


class Static:
    @staticmethod
    def price(a: float, b: float) -> float:
        return a + b

    @classmethod
    def cost(cls, a: float, b: float) -> float:
        return a + b

    def value(self, a: float, b: float) -> float:
        return a + b

    def __call__(self, a: float, b: float) -> float:
        return a + b


def scaled(scale: float, a: float, b: float) -> float:
    return scale * (a + b)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "lambda": lambda a, b: a + b,
    "static method": Static.price,
    "class method": Static.cost,
    "bound method": Static().value,
    "callable instance": Static(),
    "partial": partial(scaled, 1.0),
    "partial of a callable instance": partial(Static()),
}


@pytest.mark.parametrize("way", FUNCTIONS)
def test_a_function_of_scalars_takes_a_feature_each(way: str) -> None:
    recorder = Recorder()
    function = watched(FUNCTIONS[way], recorder)

    assert function(0.5, b=1.5) == 2.0

    counted = drained(recorder, NUMBERS)
    assert counted.ordinary("a") == [0, 1, 0, 0]
    assert counted.ordinary("b") == [0, 0, 1, 0]
    assert inspect.signature(function) == inspect.signature(FUNCTIONS[way])


def test_a_universal_function_is_recorded() -> None:
    recorder = Recorder()

    assert watched(np.abs, recorder)(ROW).tolist() == [[0.5, 1.5]]
    assert calls(recorder) == 1


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_stand_in_for_a_stand_in_records_at_both(name: str) -> None:
    inner, outer = Recorder(), Recorder()
    model = type("Any", (), {name: lambda self, rows: [0.5]})()

    getattr(watched(watched(model, inner), outer), name)(ROW)

    assert (calls(inner), calls(outer)) == (1, 1)
