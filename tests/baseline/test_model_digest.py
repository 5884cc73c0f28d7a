from __future__ import annotations

import copy
import functools
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    StackingRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeRegressor

from servewatch.baseline.model_digest import fingerprint, model_digest

RNG = np.random.default_rng(5)
X = RNG.normal(size=(120, 4))
Y = X @ [1.0, 2.0, 0.0, -1.0] + RNG.normal(size=120)
CLASSES = np.where(Y > 0, "high", "low")
FRAME = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "city": RNG.choice(["x", "y"], 120)})
TEXTS = np.array([f"word{n % 7} other{n % 3}" for n in range(120)])


def columns() -> Any:
    return ColumnTransformer(
        [("scale", StandardScaler(), ["a", "b"]), ("hot", OneHotEncoder(), ["city"])]
    )


MODELS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "logistic": lambda: (LogisticRegression().fit(X, CLASSES), X),
    "sgd": lambda: (SGDClassifier(random_state=1).fit(X, CLASSES), X),
    "tree": lambda: (DecisionTreeRegressor(random_state=1).fit(X, Y), X),
    "forest": lambda: (
        RandomForestClassifier(20, random_state=1).fit(X, CLASSES),
        X,
    ),
    "boosting": lambda: (
        GradientBoostingRegressor(n_estimators=9, random_state=1).fit(X, Y),
        X,
    ),
    "histogram boosting": lambda: (
        HistGradientBoostingRegressor(max_iter=9, categorical_features="from_dtype")
        .set_params(random_state=1)
        .fit(FRAME.astype({"city": "category"}), Y),
        FRAME.astype({"city": "category"}),
    ),
    "isolation": lambda: (IsolationForest(n_estimators=9, random_state=1).fit(X), X),
    "svc": lambda: (SVC().fit(X, CLASSES), X),
    "sparse svc": lambda: (SVC().fit(sparse.csr_matrix(X), CLASSES), X),
    "neighbours": lambda: (
        KNeighborsClassifier(algorithm="kd_tree").fit(X, CLASSES),
        X,
    ),
    "network": lambda: (
        MLPRegressor(hidden_layer_sizes=(5,), max_iter=2000, random_state=1).fit(X, Y),
        X,
    ),
    "bayes": lambda: (GaussianNB().fit(X, CLASSES), X),
    "process": lambda: (
        GaussianProcessRegressor(RBF() + WhiteKernel(), random_state=1).fit(X, Y),
        X,
    ),
    "means": lambda: (KMeans(3, n_init=1, random_state=1).fit(X), X),
    "pipeline": lambda: (make_pipeline(StandardScaler(), PCA(2), Ridge()).fit(X, Y), X),
    "columns": lambda: (make_pipeline(columns(), Ridge()).fit(FRAME, Y), FRAME),
    "texts": lambda: (
        make_pipeline(TfidfVectorizer(stop_words=["word1"]), LogisticRegression()).fit(
            TEXTS, CLASSES
        ),
        TEXTS,
    ),
    "calibrated": lambda: (
        CalibratedClassifierCV(GaussianNB(), cv=3).fit(X, CLASSES),
        X,
    ),
    "stacking": lambda: (
        StackingRegressor([("r", Ridge()), ("t", DecisionTreeRegressor())]).fit(X, Y),
        X,
    ),
    "target": lambda: (
        TransformedTargetRegressor(Ridge(), func=np.tanh, inverse_func=np.arctanh).fit(
            X, np.tanh(Y / 9)
        ),
        X,
    ),
    "search": lambda: (GridSearchCV(Ridge(), {"alpha": [1, 2]}).fit(X, Y), X),
}


@functools.cache
def made(name: str) -> tuple[Any, Any]:
    return MODELS[name]()


@pytest.fixture(params=MODELS)
def fitted(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return copy.deepcopy(made(request.param))


def test_every_kind_of_model_has_a_digest(fitted: tuple[Any, Any]) -> None:
    assert fingerprint(fitted[0]).reason is None


def test_a_round_trip_changes_nothing(fitted: tuple[Any, Any], tmp_path: Path) -> None:
    model, _ = fitted
    digest = model_digest(model)

    joblib.dump(model, tmp_path / "model.joblib", compress=3)
    assert model_digest(joblib.load(tmp_path / "model.joblib")) == digest
    joblib.dump(model, tmp_path / "plain.joblib")
    assert model_digest(joblib.load(tmp_path / "plain.joblib", mmap_mode="r")) == digest
    assert model_digest(pickle.loads(pickle.dumps(model))) == digest  # noqa: S301
    assert model_digest(copy.deepcopy(model)) == digest


def test_to_use_a_model_changes_nothing(fitted: tuple[Any, Any]) -> None:
    model, rows = fitted
    digest = model_digest(model)

    model.predict(rows)

    assert model_digest(model) == digest


def nudged(value: Any, seen: set[int]) -> bool:
    """Change one number somewhere in the fitted attributes of *value*."""
    if id(value) in seen:
        return False
    seen.add(id(value))
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
        if not value.flags.writeable:
            return False
        value.flat[value.size // 2] += 1e-9 + abs(value.flat[value.size // 2]) * 1e-9
        return True
    if isinstance(value, list | tuple):
        return any(nudged(each, seen) for each in value)
    if isinstance(value, dict):
        return any(nudged(each, seen) for each in value.values())
    if hasattr(value, "tree_"):
        return nudged(value.tree_.threshold, seen) or nudged(value.tree_.value, seen)
    return hasattr(value, "__dict__") and any(
        nudged(each, seen) for each in vars(value).values()
    )


def test_any_coefficient_counts(fitted: tuple[Any, Any]) -> None:
    model, _ = fitted
    digest = model_digest(model)

    assert nudged(model, set())

    assert model_digest(model) != digest


def test_the_threshold_of_one_node_counts() -> None:
    forest = RandomForestClassifier(20, random_state=1).fit(X, CLASSES)
    digest = model_digest(forest)

    forest.estimators_[13].tree_.threshold[0] += 1e-12

    assert model_digest(forest) != digest


def test_the_seed_of_training_counts_and_the_workers_do_not() -> None:
    def forest(seed: int, **how: Any) -> str | None:
        model = RandomForestClassifier(5, random_state=seed, **how)
        return model_digest(model.fit(X, CLASSES))

    assert forest(1) == forest(1, n_jobs=2) == forest(1, verbose=0)
    assert forest(1) != forest(2)


def test_where_a_generator_stands_does_not_count() -> None:
    generator = np.random.RandomState(1)
    model = {"weights": [1.0], "random_state": generator}
    digest = model_digest(model)

    generator.normal()

    assert model_digest(model) == digest


ELSEWHERE = """
import sys, joblib
from servewatch.baseline.model_digest import model_digest

print(model_digest(joblib.load(sys.argv[1])))
"""


@pytest.mark.parametrize("seed", ["0", "1", "77"])
def test_another_process_finds_the_same_digest(tmp_path: Path, seed: str) -> None:
    model = {name: made(name)[0] for name in MODELS}
    model["sets"] = {"b", "a", "word", frozenset({"x", "y", "z"})}
    model["keys"] = {("a", 1): 1, "b": 2, None: {3: "c", 2.5: "d"}}
    joblib.dump(model, tmp_path / "model.joblib")

    found = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, tmp_path / "model.joblib"],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert found.stdout.strip() == model_digest(model)


plain = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters()),
        st.binary(max_size=5),
        arrays(st.sampled_from(["<f8", ">f8", "<i4", "?", "<U3"]), (2, 2)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers()), inner),
        st.sets(st.one_of(st.text(max_size=3), st.integers())),
    ),
)


@given(plain)
def test_whatever_is_pickled_comes_back_with_its_digest(value: Any) -> None:
    assert model_digest(pickle.loads(pickle.dumps(value))) == model_digest(value)  # noqa: S301


@given(plain, plain)
def test_what_differs_has_another_digest(left: Any, right: Any) -> None:
    # numpy compares arrays value by value, pickle byte by byte: as we do.
    if pickle.dumps(left) != pickle.dumps(right) and repr(left) != repr(right):
        one, other = model_digest([left]), model_digest([right])
        is_reordered = sorted(repr(left)) == sorted(repr(right))
        assert one != other or is_reordered


DIFFERENT = [
    [1],
    (1,),
    {1},
    [1.0],
    [True],
    ["1"],
    [b"1"],
    [[1]],
    [1, None],
    [np.float32(1)],
    [np.float64(1)],
    np.array([1]),
    np.array([1.0]),
    np.array([[1.0]]),
    np.array(["1"]),
    np.array(["1"], dtype=object),
    np.ma.masked_array([1.0], [True]),
    sparse.csr_matrix([[1.0]]),
    sparse.csc_matrix([[1.0]]),
    sparse.csr_matrix([[2.0]]),
    {"a": 1},
    {"a": [1]},
    {"b": 1},
    StandardScaler(),
    StandardScaler(with_mean=False),
    np.log1p,
    np.expm1,
    len,
    StandardScaler,
    functools.partial(np.add, 1),
    functools.partial(np.add, 2),
    [].append,
    [1].append,
    pd.DataFrame({"a": [1, 2]}),
    pd.DataFrame({"a": [1, 3]}),
    pd.Series(["x", "y"]),
    pd.Categorical(["x", "y"]),
    np.datetime64("2026-01-01"),
    pd.Timestamp("2026-01-01"),
]


def test_no_two_of_these_are_alike() -> None:
    digests = [model_digest(each) for each in DIFFERENT]

    assert None not in digests
    assert len(set(digests)) == len(DIFFERENT)


def test_the_order_of_a_dict_and_of_memory_does_not_count() -> None:
    table = np.arange(6.0).reshape(2, 3)

    assert model_digest({"a": 1, "b": 2}) == model_digest({"b": 2, "a": 1})
    assert model_digest(table) == model_digest(np.asfortranarray(table))
    assert model_digest(table) == model_digest(np.repeat(table, 2, axis=0)[::2])
    assert model_digest(table) == model_digest(table.astype(">f8"))


def test_bytes_between_the_fields_of_an_array_do_not_count() -> None:
    kind = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    one = np.zeros(3, kind)
    other = np.frombuffer(bytearray(b"\xff" * one.nbytes), kind)  # a copy leaves gaps
    other["a"], other["b"] = 0, 0

    assert one.tobytes() != other.tobytes()
    assert model_digest(one) == model_digest(other)


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.children: list[Node] = []
        self.parent: Node | None = None

    def add(self, child: Node) -> Node:
        self.children.append(child)
        child.parent = self
        return self


def family(youngest: str) -> Node:
    return Node("top").add(Node("left").add(Node(youngest))).add(Node("right"))


def test_what_refers_to_itself_has_a_digest_that_counts_everything() -> None:
    assert model_digest(family("x")) == model_digest(family("x"))
    assert model_digest(family("x")) != model_digest(family("y"))
    ring: list[Any] = [1]
    ring.append(ring)
    assert fingerprint(ring).reason is None


def test_what_is_shared_counts_like_a_copy() -> None:
    shared = [1.0, 2.0]

    assert model_digest([shared, shared]) == model_digest([[1.0, 2.0], [1.0, 2.0]])


class Slotted:
    __slots__ = ("weight",)

    def __init__(self, weight: float) -> None:
        self.weight = weight


class Locked:
    def __init__(self, weight: float) -> None:
        self.weight = weight
        self.lock = threading.Lock()


class Uncopied:
    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __reduce_ex__(self, _: object) -> Any:
        raise TypeError("not to be copied")


class Pair(NamedTuple):
    weight: float


@pytest.mark.parametrize("kind", [Slotted, Locked, Uncopied, Pair])
def test_objects_count_by_their_attributes(kind: Callable[[float], Any]) -> None:
    assert model_digest(kind(1.0)) == model_digest(kind(1.0))
    assert model_digest(kind(1.0)) != model_digest(kind(2.0))


def test_a_function_counts_by_what_it_does() -> None:
    def scaled(by: float) -> Any:
        return FunctionTransformer(lambda rows: rows * by)

    assert model_digest(scaled(2)) == model_digest(scaled(2))
    assert model_digest(scaled(2)) != model_digest(scaled(3))
    assert model_digest(lambda rows: rows + 1) != model_digest(lambda rows: rows + 2)
    again = cloudpickle.loads(cloudpickle.dumps(scaled(2)))
    assert model_digest(again) == model_digest(scaled(2))


def test_an_ignored_name_that_holds_weights_counts() -> None:
    one, other = Node("x"), Node("x")
    one.memory, other.memory = np.ones(3), np.zeros(3)  # type: ignore[attr-defined]

    assert model_digest(one) != model_digest(other)


class Booster:
    """As xgboost's: its state is bytes of its own making."""

    def __init__(self, raw: bytes) -> None:
        self._raw = bytearray(raw)
        self.handle = object()

    def save_raw(self) -> bytearray:
        return self._raw


class Module:
    """As torch's: tensors by name, and layers in its repr."""

    def __init__(self, layers: str, weight: float) -> None:
        self.layers, self.weight = layers, weight

    def state_dict(self) -> dict[str, Any]:
        return {"0.weight": np.array([self.weight])}

    def __repr__(self) -> str:
        return f"Module({self.layers}, <function relu at {hex(id(self))}>)"


def test_a_model_with_bytes_of_its_own_counts_by_them() -> None:
    assert model_digest(Booster(b"1")) == model_digest(Booster(b"1"))
    assert model_digest(Booster(b"1")) != model_digest(Booster(b"2"))


def test_a_module_counts_by_tensors_and_layers() -> None:
    assert model_digest(Module("a", 1)) == model_digest(Module("a", 1))
    assert model_digest(Module("a", 1)) != model_digest(Module("a", 2))
    assert model_digest(Module("a", 1)) != model_digest(Module("b", 1))


def test_what_is_too_large_has_a_reason_and_no_digest() -> None:
    assert fingerprint(np.zeros(200), most_bytes=1000) == (
        None,
        "holds more than 1,000 bytes",
    )


def test_what_takes_too_long_has_a_reason_and_no_digest() -> None:
    found = fingerprint([[n] for n in range(10**6)], most_seconds=0.05)

    assert found == (None, "takes longer than 0.05 s")


def test_what_is_nested_too_deep_has_a_reason_and_no_digest() -> None:
    chain: list[Any] = []
    for _ in range(10**5):
        chain = [chain]

    assert fingerprint(chain) == (None, "nested too deep")
    while chain:  # or freeing it is a recursion as deep
        chain = chain[0]


class Broken:
    def __reduce_ex__(self, _: object) -> Any:
        raise ValueError("secret")


def test_what_shows_no_state_has_a_reason_and_no_digest() -> None:
    assert fingerprint([Broken()]) == (None, "ValueError in its state")
    assert fingerprint(x for x in "ab") == (
        None,
        "builtins.generator shows no state",
    )


def test_a_forest_of_usual_size_takes_a_fraction_of_a_second() -> None:
    rows = np.random.default_rng(1).normal(size=(2000, 10))
    forest = RandomForestClassifier(100, n_jobs=2, random_state=1)
    forest.fit(rows, rows[:, 0] > 0)

    started = time.perf_counter()
    assert model_digest(forest) is not None
    assert time.perf_counter() - started < 1.0
