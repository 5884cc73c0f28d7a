"""Pipelines of every kind that scikit-learn has, each with rows to call it with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from servewatch.record.recorder import Recorder

Made = tuple[Any, Any]
ROWS = 60
RNG = np.random.default_rng(11)
X = RNG.normal(size=(ROWS, 4))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)
HOLED = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
FRAME = pd.DataFrame(
    {
        "price": HOLED[:, 0],
        "weight": X[:, 1],
        "shop": RNG.choice(["north", "south"], ROWS),
        "kind": RNG.choice(["a", "b", "c"], ROWS),
    }
)
TEXTS = [f"word{place % 7} word{place % 3} more" for place in range(ROWS)]


class Slotted:
    """A transformer of no class of scikit-learn's, without `__dict__`."""

    __slots__ = ("offset",)

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def fit(self, rows: Any, y: Any = None) -> Self:
        self.offset = float(np.mean(rows))
        return self

    def transform(self, rows: Any) -> Any:
        return rows - self.offset


class Refusing(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Raises for what is not finite, but only when it serves."""

    def fit(self, rows: Any, y: Any = None) -> Self:
        self.fitted_ = True
        return self

    def fit_transform(self, rows: Any, y: Any = None, **_: Any) -> Any:
        self.fit(rows)
        return rows

    def transform(self, rows: Any) -> Any:
        if not np.isfinite(rows).all():
            raise FloatingPointError("a row is not finite: 'quoted'\nand a line more")
        return rows


class Clipped(Pipeline):  # type: ignore[misc]
    """A pipeline of the user's own, which counts how often it was asked."""

    asked = 0

    def predict(self, rows: Any, **params: Any) -> Any:
        self.asked += 1
        return np.clip(super().predict(rows, **params), -1.0, 1.0)


def doubled(frame: Any) -> Any:
    """Give the numbers of a frame doubled."""
    return frame[["price", "weight"]].fillna(0.0) * 2


def prepared(**options: Any) -> ColumnTransformer:
    """Give a pipeline within a ColumnTransformer."""
    numbers = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
    return ColumnTransformer(
        [
            ("numbers", numbers, ["price", "weight"]),
            ("names", OneHotEncoder(handle_unknown="ignore"), ["shop"]),
            ("nothing", "drop", ["kind"]),
        ],
        **options,
    )


def _plain() -> Made:
    steps = [("impute", SimpleImputer()), ("scale", StandardScaler())]
    return Pipeline([*steps, ("model", LogisticRegression())]).fit(HOLED, Y), HOLED


def _regression() -> Made:
    return make_pipeline(StandardScaler(), Ridge()).fit(X, X[:, 2]), X


def _text() -> Made:
    model = Pipeline([("count", CountVectorizer()), ("model", LogisticRegression())])
    return model.fit(TEXTS, Y), TEXTS


def _text_union() -> Made:
    words = FeatureUnion([("one", CountVectorizer()), ("two", TfidfVectorizer())])
    return Pipeline([("words", words), ("model", SGDClassifier())]).fit(TEXTS, Y), TEXTS


def _nested() -> Made:
    model = Pipeline([("prepare", prepared()), ("model", LogisticRegression())])
    return model.fit(FRAME, Y), FRAME


def _nested_in_frames() -> Made:
    encode = OneHotEncoder(sparse_output=False)
    parts = [("names", encode, ["shop"]), ("same", "passthrough", ["weight"])]
    prepare = ColumnTransformer(parts, verbose_feature_names_out=False)
    model = Pipeline([("prepare", prepare), ("scale", StandardScaler())])
    return model.set_output(transform="pandas").fit(FRAME), FRAME


def _function() -> Made:
    double = FunctionTransformer(doubled)
    return Pipeline([("double", double), ("model", Ridge())]).fit(FRAME, Y), FRAME


def _passthrough() -> Made:
    steps = [("same", "passthrough"), ("scale", StandardScaler())]
    return Pipeline([*steps, ("end", "passthrough")]).fit(X), X


def _slotted() -> Made:
    centre = Slotted().fit(X)  # a Pipeline sets attributes of what it fits
    return Pipeline([("centre", centre), ("model", Ridge().fit(X, Y))]), X


def _union() -> Made:
    union = FeatureUnion(
        [("pca", PCA(2)), ("best", SelectKBest(k=1)), ("same", "passthrough")],
        transformer_weights={"pca": 2.0},
    )
    return Pipeline([("union", union), ("model", SVC())]).fit(X, Y), X


def _clusters() -> Made:
    kmeans = KMeans(3, n_init=1, random_state=0)
    return Pipeline([("scale", StandardScaler()), ("cluster", kmeans)]).fit(X), X


def _outliers() -> Made:
    forest = IsolationForest(n_estimators=5, random_state=0)
    return Pipeline([("scale", StandardScaler()), ("forest", forest)]).fit(X), X


def _columns_alone() -> Made:
    return prepared(remainder="passthrough").fit(FRAME), FRAME


def _union_alone() -> Made:
    return FeatureUnion([("pca", PCA(2)), ("scale", StandardScaler())]).fit(X), X


def _pipelines_in_pipelines() -> Made:
    inner = Pipeline([("scale", StandardScaler()), ("pca", PCA(2))])
    outer = Pipeline([("inner", inner), ("again", Pipeline([("model", Ridge())]))])
    return outer.fit(X, Y), X


def _own() -> Made:
    return Clipped([("scale", StandardScaler()), ("model", Ridge())]).fit(X, X[:, 2]), X


def _searched() -> Made:
    model = Pipeline([("scale", StandardScaler()), ("model", Ridge())])
    return GridSearchCV(model, {"model__alpha": [0.1, 1.0]}, cv=2).fit(X, Y), X


def _refusing() -> Made:
    return Pipeline([("check", Refusing()), ("model", Ridge())]).fit(X, Y), X


MADE: dict[str, Callable[[], Made]] = {
    "clusters": _clusters,
    "columns alone": _columns_alone,
    "function": _function,
    "nested": _nested,
    "nested in frames": _nested_in_frames,
    "outliers": _outliers,
    "own": _own,
    "passthrough": _passthrough,
    "pipelines in pipelines": _pipelines_in_pipelines,
    "plain": _plain,
    "refusing": _refusing,
    "regression": _regression,
    "searched": _searched,
    "slotted": _slotted,
    "text": _text,
    "text union": _text_union,
    "union": _union,
    "union alone": _union_alone,
}


def same(one: Any, other: Any) -> bool:
    """Whether two answers are alike to the last bit, and of one type."""
    if type(one) is not type(other):
        return False
    if isinstance(one, pd.DataFrame):
        return one.equals(other) and list(one) == list(other)
    kept = [
        (each.data, each.indices, each.indptr) if hasattr(each, "indptr") else (each,)
        for each in (one, other)
    ]
    return all(
        left.dtype == right.dtype and left.tobytes() == right.tobytes()
        for left, right in zip(*kept, strict=True)
    )


def names_of(recorder: Recorder) -> list[str]:
    """Name the stages that ran, in the order in which they ended."""
    return [run[0] for run in recorder.stage_runs.take()]


def recording() -> Recorder:
    """Give a recorder that keeps what it is told."""
    recorder = Recorder(on_full=lambda: None)
    recorder.stage_runs.make_room(is_open=True)
    return recorder
