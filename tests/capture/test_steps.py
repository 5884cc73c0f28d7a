"""Pipelines are called step by step, and neither they nor their answers are changed."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import warnings
import weakref
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from servewatch.capture.step import CALLS
from servewatch.capture.steps import staged
from tests.capture.pipelines import (
    FRAME,
    HOLED,
    MADE,
    X,
    Y,
    names_of,
    recording,
    same,
)

NAMES = {
    "clusters": ["scale", "cluster"],
    "columns alone": ["numbers/impute", "numbers/scale", "numbers", "names"],
    "nested": [
        "prepare/numbers/impute",
        "prepare/numbers/scale",
        "prepare/numbers",
        "prepare/names",
        "prepare",
        "model",
    ],
    "passthrough": ["scale"],
    "pipelines in pipelines": [
        "inner/scale",
        "inner/pca",
        "inner",
        "again/model",
        "again",
    ],
    "plain": ["impute", "scale", "model"],
    "searched": ["scale", "model"],
    "slotted": ["centre", "model"],
    "text union": ["words/one", "words/two", "words", "model"],
    "union": ["union/pca", "union/best", "union/same", "union", "model"],
}


def parts_of(model: Any) -> Iterator[tuple[str, int]]:
    """Give the identity of all that a model and its steps have as attributes."""
    for name, value in getattr(model, "__dict__", {}).items():
        if name != "_transformers_feature_names_out":  # set anew by every call
            yield name, id(value)
        if isinstance(value, list):
            for each in value:
                yield name, id(each)
                if isinstance(each, tuple):
                    yield from parts_of(each[1])
        elif hasattr(value, "get_params"):
            yield from parts_of(value)


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("rows", [1, None], ids=["a row", "all rows"])
def test_answers_are_alike_to_the_last_bit(kind: str, rows: int | None) -> None:
    model, given = MADE[kind]()
    given = given[:rows]
    recorder = recording()
    taken = staged(model, recorder)
    methods = sorted(name for name in CALLS if hasattr(model, name))

    assert methods == sorted(name for name in CALLS if hasattr(taken, name))
    for name in methods:
        expected = getattr(model, name)(given)
        recorder.stage_runs.take()
        assert same(getattr(taken, name)(given), expected)
        runs = recorder.stage_runs.take()
        assert {run[2] for run in runs} == {len(given)}
        assert all(run[1] > 0 and run[3] is None for run in runs)
    assert not recorder.totals.internal_errors


@pytest.mark.parametrize("kind", NAMES)
def test_each_step_is_a_stage_of_its_name(kind: str) -> None:
    model, given = MADE[kind]()
    recorder = recording()
    taken = staged(model, recorder)
    call = taken.predict if hasattr(model, "predict") else taken.transform

    call(given)

    assert [n for n in names_of(recorder) if "remainder" not in n] == NAMES[kind]


@pytest.mark.parametrize("kind", sorted(set(MADE) - {"own"}))
def test_the_model_is_not_changed_by_being_called(kind: str) -> None:
    model, given = MADE[kind]()
    methods = sorted(name for name in CALLS if hasattr(model, name))
    for name in methods:
        getattr(model, name)(given)
    before, saved = list(parts_of(model)), pickle.dumps(model)
    taken = staged(model, recording())

    for name in methods:
        getattr(taken, name)(given)

    assert list(parts_of(model)) == before
    assert pickle.dumps(model) == saved


def test_what_a_method_of_the_users_own_sets_is_set_on_the_model() -> None:
    model, given = MADE["own"]()
    taken = staged(model, recording())

    taken.predict(given)
    taken.predict(given)

    assert (model.asked, vars(model)["asked"]) == (2, 2)


def failure(call: Any, given: Any) -> tuple[type, str, list[tuple[type, str]]]:
    """Give the error that *call* raises, and what it warned of."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        try:
            call(given)
        except Exception as error:  # noqa: BLE001 - it is what is compared
            told = [(each.category, str(each.message)) for each in found]
            return type(error), str(error), told
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("kind", "given", "stage"),
    [
        ("refusing", np.full((2, 4), np.inf), "check"),
        ("plain", X[:, :2], "impute"),
        ("plain", "no table", "impute"),
        ("nested", FRAME.drop(columns="shop"), "prepare"),
        ("nested", FRAME.assign(weight="x"), "prepare/numbers/impute"),
        ("text", [1, 2], "count"),
    ],
)
def test_an_error_is_the_same_and_fails_its_stage(
    kind: str, given: Any, stage: str
) -> None:
    model, _ = MADE[kind]()
    recorder = recording()

    kept = failure(model.predict, given)

    assert failure(staged(model, recorder).predict, given) == kept
    runs = recorder.stage_runs.take()
    assert runs[0][0] == stage
    assert {run[3] for run in runs} == {kept[0].__name__}


def test_a_pipeline_that_was_never_fitted_says_so() -> None:
    model = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())])

    kept = failure(model.predict, X)

    assert failure(staged(model, recording()).predict, X) == kept


def test_warnings_are_the_same() -> None:
    def warn(rows: Any) -> Any:
        warnings.warn("odd rows", UserWarning, stacklevel=1)
        return rows

    model = Pipeline([("odd", FunctionTransformer(warn)), ("model", Ridge())])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(FRAME[["weight"]], Y)
    told = []
    for call in (model.predict, staged(model, recording()).predict):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            call(FRAME[["weight"]].to_numpy())
        told.append(
            [(each.category, str(each.message), each.filename) for each in found]
        )

    assert told[0] == told[1]
    assert len(told[0]) == 2  # of no names, and of the function's own


def test_a_method_that_the_last_step_lacks_is_lacking_with_the_same_words() -> None:
    model, _ = MADE["regression"]()
    with pytest.raises(AttributeError) as bare:
        _ = model.predict_proba
    with pytest.raises(AttributeError) as taken:
        _ = staged(model, recording()).predict_proba

    assert str(taken.value) == str(bare.value)


def test_what_has_no_steps_is_given_back() -> None:
    model = LogisticRegression().fit(X, Y)

    assert staged(model, recording()) is model
    assert staged(Pipeline, recording()) is Pipeline
    assert staged(sklearn, recording()) is sklearn


def _refit(model: Any) -> None:
    model.fit(X[:30], Y[:30])


def _replace(model: Any) -> None:
    model.steps[1] = ("scale", MinMaxScaler().fit(X))


def _exchange_all(model: Any) -> None:
    model.steps = [("again", MinMaxScaler().fit(X)), *model.steps[2:]]


def _set_step(model: Any) -> None:
    model.set_params(scale=MinMaxScaler().fit(X))


def _set_parameter(model: Any) -> None:
    model.set_params(scale__with_mean=False)


def _drop(model: Any) -> None:
    model.set_params(scale="passthrough")


def _add(model: Any) -> None:
    model.steps.insert(1, ("more", MinMaxScaler().fit(X)))


def _learn_on(model: Any) -> None:
    model.named_steps["scale"].partial_fit(X[:10] * 50)


def _restore(model: Any) -> None:
    model.__dict__ = copy.deepcopy(model.__dict__)
    model.named_steps["scale"].mean_ += 1.0


def _patch(model: Any) -> None:
    model.named_steps["scale"].transform = lambda rows: rows * 3


@pytest.mark.parametrize(
    "change",
    [
        _refit,
        _replace,
        _exchange_all,
        _set_step,
        _set_parameter,
        _drop,
        _add,
        _learn_on,
        _restore,
        _patch,
    ],
)
def test_the_next_call_is_by_the_pipeline_as_it_is_then(change: Any) -> None:
    model, _ = MADE["plain"]()
    recorder = recording()
    call = staged(model, recorder).predict_proba
    call(X)
    recorder.stage_runs.take()

    change(model)

    expected = model.predict_proba(X)
    recorder.stage_runs.take()
    assert same(call(X), expected)
    steps = [name for name, each in model.steps if each != "passthrough"]
    assert names_of(recorder) == steps


def test_a_change_deep_inside_is_seen() -> None:
    model, given = MADE["nested"]()
    recorder = recording()
    call = staged(model, recorder).predict_proba
    call(given)
    numbers = model.named_steps["prepare"].named_transformers_["numbers"]
    numbers.steps[1] = ("smaller", MinMaxScaler().fit(X[:, :2]))
    recorder.stage_runs.take()

    assert same(call(given), model.predict_proba(given))
    assert "prepare/numbers/smaller" in names_of(recorder)


def test_columns_fitted_only_after_wrapping_have_stages_too() -> None:
    model = ColumnTransformer([("scale", StandardScaler(), [0, 1])])
    recorder = recording()
    taken = staged(model, recorder)

    taken.fit(X)
    taken.transform(X)

    assert names_of(recorder) == ["scale"]


@pytest.mark.parametrize("kind", ["columns", "union"])
def test_parts_that_run_in_parallel_are_left_alone(kind: str) -> None:
    parts = [("scale", StandardScaler()), ("less", PCA(2))]
    inner: Any = FeatureUnion(parts, n_jobs=2)
    if kind == "columns":
        inner = ColumnTransformer([(*each, [0, 1, 2]) for each in parts], n_jobs=2)
    model = Pipeline([("inner", inner), ("model", Ridge())])
    recorder = recording()
    with joblib.parallel_config(backend="threading"):
        model.fit(X, Y)
        answer = staged(model, recorder).predict(X)

        assert same(answer, model.predict(X))
    assert names_of(recorder) == ["inner", "model"]


def test_a_step_that_is_sent_elsewhere_goes_without_us() -> None:
    model, _ = MADE["plain"]()
    steps: list[Any] = []
    look = FunctionTransformer(lambda rows: rows).fit(X)
    model.steps.insert(0, ("look", look))

    class Looking(Pipeline):  # type: ignore[misc]
        def predict(self, rows: Any, **params: Any) -> Any:
            steps.extend(each for _, each in self.steps)
            return super().predict(rows, **params)

    model.__class__ = Looking
    staged(model, recording()).predict(X)

    _, timed, *_ = steps
    own = model.named_steps["impute"]
    assert timed is not own
    assert isinstance(timed, type(own))
    assert type(pickle.loads(pickle.dumps(timed))) is type(own)  # noqa: S301 - ours
    assert type(copy.copy(timed)) is type(copy.deepcopy(timed)) is type(own)
    assert type(clone(timed)) is type(own)
    assert repr(timed) == repr(own)


def test_what_is_saved_is_the_bare_model() -> None:
    model, _ = MADE["plain"]()

    saved = pickle.dumps(staged(model, recording()))

    assert b"servewatch" not in saved
    assert type(pickle.loads(saved)) is Pipeline  # noqa: S301 - just saved


def test_caching_pipelines_answer_alike(tmp_path: Path) -> None:
    steps = [("scale", StandardScaler()), ("less", PCA(2)), ("model", Ridge())]
    model = Pipeline(steps, memory=str(tmp_path)).fit(X, Y)
    recorder = recording()

    assert same(staged(model, recorder).predict(X), model.predict(X))
    assert names_of(recorder) == ["scale", "less", "model"]


def test_metadata_is_routed_as_without_us() -> None:
    asked: list[float] = []

    class Weighing(StandardScaler):  # type: ignore[misc]
        def transform(self, X: Any, factor: float = 1.0) -> Any:
            asked.append(factor)
            return super().transform(X) * factor

    with sklearn.config_context(enable_metadata_routing=True):
        scale = Weighing().set_transform_request(factor=True)
        model = Pipeline([("scale", scale), ("model", Ridge())]).fit(X, Y)
        answer = staged(model, recording()).predict(X, factor=2.0)

        assert same(answer, model.predict(X, factor=2.0))
    assert asked[-2:] == [2.0, 2.0]


def test_eight_threads_lose_no_run_and_mix_no_answer() -> None:
    model, _ = MADE["plain"]()
    recorder = recording()
    call = staged(model, recorder).predict_proba
    rows = [HOLED[place : place + 1] for place in range(len(HOLED))]
    expected = [model.predict_proba(row) for row in rows]

    def ask(place: int) -> bool:
        at = place % len(rows)
        return same(call(rows[at]), expected[at])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(2000)))
    assert Counter(names_of(recorder)) == dict.fromkeys(
        ("impute", "scale", "model"), 2000
    )


def test_changes_from_another_thread_never_mix_two_pipelines() -> None:
    model, _ = MADE["plain"]()
    call = staged(model, recording()).predict_proba
    scalers = [StandardScaler().fit(X), MinMaxScaler().fit(X)]
    possible = []
    for scaler in scalers:
        model.steps[1] = ("scale", scaler)
        possible.append(model.predict_proba(X[:1]).tobytes())
    found = set()

    def change(place: int) -> None:
        model.steps[1] = ("scale", scalers[place % 2])

    def ask(_: int) -> None:
        found.add(call(X[:1]).tobytes())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: change(n) if n % 5 == 0 else ask(n), range(500)))

    assert found <= set(possible)


def test_no_cycle_keeps_a_model_alive() -> None:
    model, given = MADE["nested"]()
    seen = [weakref.ref(model), weakref.ref(model.steps[0][1])]
    taken = staged(model, recording())
    taken.predict(given)
    gc.collect()
    gc.disable()
    try:
        del model, taken
        assert [each() for each in seen] == [None, None]
    finally:
        gc.enable()


def test_a_class_that_lists_its_subclasses_hears_nothing() -> None:
    heard: list[type] = []

    class Listing(Pipeline):  # type: ignore[misc]
        def __init_subclass__(cls, **options: Any) -> None:
            super().__init_subclass__(**options)
            heard.append(cls)

    model = Listing([("scale", StandardScaler())]).fit(X)
    recorder = recording()
    staged(model, recorder).transform(X)

    assert (heard, names_of(recorder)) == ([], ["scale"])


class Odd(int):
    """Has steps, but no object of ours can have its attributes."""

    named_steps = property(lambda self: dict(self.steps))

    def __init__(self) -> None:
        self.steps: list[Any] = []

    def fit(self, rows: Any, y: Any = None) -> Odd:
        return self

    def transform(self, rows: Any) -> Any:
        return rows


def test_what_cannot_be_staged_is_counted_once_and_called_all_the_same() -> None:
    model, _ = MADE["plain"]()
    recorder = recording()
    call = staged(model, recorder).predict
    model.steps[0] = ("inner", Odd())
    for _ in range(3):
        recorder.stage_runs.take()
        assert same(call(X), model.predict(X))
        assert names_of(recorder) == ["inner", "scale", "model"]
    assert recorder.totals.internal_errors == {"steps": 1}


def test_pairs_that_may_change_unseen_are_called_as_they_are() -> None:
    model, _ = MADE["plain"]()
    model.steps[1] = list(model.steps[1])
    recorder = recording()

    assert same(staged(model, recorder).predict(X), model.predict(X))
    assert names_of(recorder) == []


def test_what_fails_while_noting_is_counted_and_the_answer_goes_on() -> None:
    class Shapeless(list[Any]):
        def __len__(self) -> int:
            if sys._getframe(1).f_code.co_name == "rows_in":
                raise OSError("not now")
            return super().__len__()

    model = Pipeline([("same", FunctionTransformer())]).fit(X)
    recorder = recording()

    answer = staged(model, recorder).transform(Shapeless(X.tolist()))

    assert same(np.array(answer), X)
    assert recorder.totals.internal_errors == {"steps": 1}


def test_nothing_is_timed_while_the_breaker_is_open() -> None:
    model, _ = MADE["plain"]()
    recorder = recording()
    taken = staged(model, recorder)
    recorder.armed = False

    assert same(taken.predict(X), model.predict(X))
    assert names_of(recorder) == []


def test_a_step_that_learns_goes_on_from_where_it_was() -> None:
    model = Pipeline([("scale", StandardScaler()), ("model", SGDClassifier())])
    model.fit(X, Y)
    taken = staged(model, recording())
    taken.predict(X)

    model.named_steps["model"].partial_fit(X * -1, Y)

    assert same(taken.decision_function(X), model.decision_function(X))


def test_an_error_whose_types_name_raises_fails_its_stage() -> None:
    class Nameless(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise OSError

    class OddError(Exception, metaclass=Nameless):
        pass

    def fail(rows: Any) -> Any:
        raise OddError(rows)

    model = Pipeline([("fail", FunctionTransformer(fail))]).fit(X)
    recorder = recording()
    with pytest.raises(OddError):
        staged(model, recorder).transform(X)

    assert [run[3] for run in recorder.stage_runs.take()] == ["OddError"]
