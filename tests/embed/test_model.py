"""A watch passes for its model, but for the names that are its own."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from servewatch import ServeWatch
from servewatch.capture.stand_in import WatchedModel

Make = Callable[..., ServeWatch]
X = np.random.default_rng(7).normal(size=(60, 2))
Y = X[:, 0] > 0


class Named:
    """A model with names of its own that a watch has too."""

    config = "the model's"

    def __init__(self) -> None:
        self.n_jobs = 1

    def report(self) -> str:
        return "the model's"

    def predict(self, rows: Any) -> Any:
        return rows

    def fit(self, rows: Any) -> Named:
        return self


@pytest.fixture
def make() -> Iterator[Make]:
    """Give watches that are closed at the end."""
    made: list[ServeWatch] = []

    def watch(*args: Any, **settings: Any) -> ServeWatch:
        made.append(ServeWatch(*args, **settings))
        return made[-1]

    yield watch
    for each in made:
        each.close()


def fitted() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


def test_a_watch_is_an_instance_of_the_models_class_and_of_ours(make: Make) -> None:
    watch = make(fitted())

    assert isinstance(watch, Pipeline)
    assert isinstance(watch, ServeWatch)
    assert issubclass(type(watch), ServeWatch)
    assert not issubclass(type(watch), Pipeline)


def test_a_subclass_of_ours_stays_one(make: Make) -> None:
    class Ours(ServeWatch):
        def report(self) -> Any:
            return "ours"

    watch = Ours(Named())
    assert (isinstance(watch, Ours), watch.report()) == (True, "ours")


def test_an_attribute_is_set_on_the_model(make: Make) -> None:
    model = Named()
    watch = make(model)

    watch.n_jobs = 2
    watch.threshold = 0.5

    assert (model.n_jobs, watch.n_jobs) == (2, 2)
    assert vars(model) == {"n_jobs": 2, "threshold": 0.5}
    del watch.threshold
    assert vars(model) == {"n_jobs": 2}


def test_a_function_keeps_what_is_set(make: Make) -> None:
    def price(a: float) -> float:
        return a

    watch = make(price)
    watch.unit = "euro"

    assert (price.unit, watch.unit) == ("euro", "euro")  # type: ignore[attr-defined]


def test_a_watchs_own_attribute_is_set_on_the_watch(make: Make) -> None:
    model = Named()
    watch = make(model)
    other = watch.own_paths | {"/more"}

    watch.own_paths = other

    assert watch.own_paths == other
    assert not hasattr(model, "own_paths")


def test_names_that_both_have_are_the_watchs_and_reached_by_model(make: Make) -> None:
    watch = make(Named(), model="named")

    assert watch.config.model == "named"
    assert watch.report().model["name"] == "named"
    assert watch.model.config == "the model's"
    assert watch.model.report() == "the model's"


def test_model_is_the_stand_in_and_records(make: Make) -> None:
    watch = make(Named())

    watch.model.predict([[1.0]])

    assert isinstance(watch.model, WatchedModel)
    assert watch.report().rows == 1


def test_without_a_model_model_is_none(make: Make) -> None:
    watch = make()

    assert watch.model is None
    assert repr(watch) == "ServeWatch(None)"
    assert "record" in dir(watch)
    with pytest.raises(AttributeError, match="no model"):
        pickle.dumps(watch)


def test_the_model_itself_is_wrapped(make: Make) -> None:
    model = Named()

    assert make(model).__wrapped__ is model
    assert inspect.unwrap(make(model)) is model


def test_a_watch_can_be_called_only_if_its_model_can(make: Make) -> None:
    assert callable(make(len))
    assert not callable(make(Named()))


def test_a_watch_has_the_signature_of_its_function(make: Make) -> None:
    async def price(a: float, *, b: float = 1.0) -> float:
        """Give a price."""
        return a + b

    watch = make(price)

    assert inspect.signature(watch) == inspect.signature(price)
    assert (watch.__name__, inspect.getdoc(watch.model)) == ("price", "Give a price.")
    assert inspect.iscoroutinefunction(watch.__call__)
    assert inspect.iscoroutinefunction(watch.model)


def test_a_watch_is_itself_and_no_other(make: Make) -> None:
    model = Named()
    first, second = make(model), make(model)

    assert first != second
    assert len({first, second}) == 2


def test_dir_names_what_the_model_and_the_watch_have(make: Make) -> None:
    assert {"n_jobs", "fit", "report", "baseline"} <= set(dir(make(Named())))


def test_fit_gives_the_watch(make: Make) -> None:
    watch = make(Named())

    watch.fit(X).predict(X)

    assert watch.fit(X) is watch
    assert watch.report().rows == 60


@pytest.mark.parametrize(
    "way",
    [copy.copy, copy.deepcopy, clone, lambda each: pickle.loads(pickle.dumps(each))],  # noqa: S301
)
@pytest.mark.parametrize("get", [lambda w: w, lambda w: w.model])
def test_a_copy_is_the_bare_pipeline(
    make: Make, way: Callable[[Any], Any], get: Callable[[ServeWatch], Any]
) -> None:
    watch = make(fitted())

    twin = way(get(watch))

    assert type(twin) is Pipeline
    assert twin is not watch.__wrapped__


def test_steps_of_a_pipeline_are_reached_by_place_and_name(make: Make) -> None:
    watch = make(fitted())

    assert len(watch.model) == 2
    assert isinstance(watch.model[0], StandardScaler)
    assert isinstance(watch.model["logisticregression"], LogisticRegression)
    assert type(watch.model[:1]) is Pipeline
    assert len(watch) == 2


def test_an_estimator_has_no_length(make: Make) -> None:
    assert not hasattr(make(LinearRegression()), "__len__")


def test_scikit_learn_sees_what_is_fitted(make: Make) -> None:
    check_is_fitted(make(LogisticRegression().fit(X, Y)))
    with pytest.raises(NotFittedError):
        check_is_fitted(make(LogisticRegression()))


def test_scikit_learn_sees_the_models_tags(make: Make) -> None:
    watch = make(fitted())

    assert is_classifier(watch)
    assert get_tags(watch) == get_tags(watch.__wrapped__)


def test_parameters_are_the_models(make: Make) -> None:
    watch = make(LogisticRegression())

    assert watch.set_params(C=0.5) is watch
    assert watch.__wrapped__.C == 0.5
    assert watch.get_params() == LogisticRegression(C=0.5).get_params()


def test_a_pipeline_that_loses_its_scores_loses_them(make: Make) -> None:
    watch = make(fitted())
    assert watch.predict_proba(X).shape == (60, 2)

    watch.set_params(logisticregression=LinearSVC())

    assert not hasattr(watch, "predict_proba")


def test_cross_validation_works_and_is_not_traffic(make: Make) -> None:
    watch = make(fitted())

    assert cross_val_predict(watch, X, Y, cv=3).shape == (60,)
    assert watch.report().rows == 0


def test_a_watch_is_a_step_of_a_pipeline(make: Make) -> None:
    watch = make(LogisticRegression())
    pipeline = Pipeline([("scale", StandardScaler()), ("model", watch)])

    pipeline.fit(X, Y).predict(X)

    assert watch.report().rows == 60


def test_a_score_is_no_traffic(make: Make) -> None:
    watch = make(fitted())

    assert watch.score(X, Y) > 0.5
    assert watch.report().rows == 0
