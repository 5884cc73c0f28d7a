"""Labels find the predictions they are of, whatever way these were asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from servewatch import Baseline, ServeWatch
from servewatch.errors import ConfigError
from tests.expose.asking import ask

ROWS = 400
Make = Callable[..., ServeWatch]


def rows() -> dict[str, Any]:
    rng = np.random.default_rng(8)
    x = rng.normal(size=ROWS)
    return {
        "x": x,
        "z": rng.normal(size=ROWS),
        "y": (x + rng.normal(size=ROWS) > 0).astype(int),
        "said": (x > 0).astype(int),
    }


BASELINE = Baseline.build(rows(), evaluation=rows(), target="y", prediction="said")


class Model:
    """Says whether the first feature is above 0."""

    def predict(self, data: Any) -> Any:
        return (np.asarray(data)[:, 0].astype(float) > 0).astype(int)


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[ServeWatch] = []

    def watch(model: Any = None, **settings: Any) -> ServeWatch:
        baseline = settings.pop("baseline", BASELINE)
        made.append(
            ServeWatch(
                model or Model(), baseline=baseline, block_seconds=3600, **settings
            )
        )
        return made[-1]

    yield watch
    for each in made:
        each.close()


def app_of(watch: ServeWatch) -> Starlette:
    async def predict(request: Request) -> JSONResponse:
        data = np.array(await request.json(), dtype=float)
        return JSONResponse(watch.predict(data).tolist())

    app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    watch.install(app)
    return app


def served_id(app: Starlette, features: Any, **headers: str) -> str:
    """Have rows predicted over HTTP; give the id of the answer."""
    answer = ask(app, "/predict", method="POST", json=features, headers=headers)
    assert answer.status_code == 200
    return answer.headers["x-prediction-id"]


def confusion(watch: ServeWatch) -> list[list[int]]:
    """Count labels (rows) by predictions (columns), as the report tells it."""
    performance = watch.report().performance
    assert performance is not None
    assert not watch.totals.internal_errors
    return [list(row[:2]) for row in performance.matrix[:2]]


def test_the_id_of_an_answer_is_that_of_its_label(make: Make) -> None:
    watch = make()
    app = app_of(watch)

    for features, label in (([[1.0, 0.0]], 1), ([[-1.0, 0.0]], 1)):
        name = served_id(app, features)
        assert watch.feedback(name, label).outcome == "accepted"

    assert confusion(watch) == [[0, 0], [1, 1]]


def test_rows_of_a_batch_have_labels_of_their_own(make: Make) -> None:
    watch = make()

    name = served_id(app_of(watch), [[1, 0], [-1, 0], [2, 0]])

    assert watch.feedback(f"{name}:2", 0).outcome == "accepted"
    assert watch.feedback(name, [1, 1, 0]).outcome == "accepted"
    assert watch.feedback(f"{name}:3", 0).outcome == "unknown"
    assert confusion(watch) == [[0, 1], [1, 1]]


def test_the_callers_own_request_id_serves(make: Make) -> None:
    watch = make(request_id_header="x-order")
    app = app_of(watch)

    served_id(app, [[1, 0]], **{"x-order": "order-7"})
    served_id(app, [[1, 0]], **{"x-request-id": "order-8"})

    assert watch.feedback("order-7", 1).outcome == "accepted"
    assert watch.feedback("order-8", 1).outcome == "unknown"


@pytest.mark.parametrize("id", ["order-7", "Bestellung-Ü-€", "x" * 128])
def test_a_key_of_ones_own_may_be_anything(make: Make, id: str) -> None:  # noqa: A002 - its name
    watch = make()

    with watch.request(id=id):
        watch.predict(np.array([[1.0, 0.0]]))
        watch.predict(np.array([[-1.0, 0.0], [1.0, 0.0]]))

    assert watch.feedback(id, [1, 0, 0]).outcome == "accepted"
    assert confusion(watch) == [[1, 1], [0, 1]]


@pytest.mark.parametrize(
    "keys",
    [["a", "b", "c"], [1, 2, 3], [1.0, None, 3.0], ["k" * 100, "ü", "c"]],
    ids=["texts", "numbers", "one missing", "long"],
)
def test_a_column_may_hold_the_keys(make: Make, keys: list[Any]) -> None:
    watch = make(id_from="order")
    frame = pd.DataFrame({"x": [1.0, -1.0, 1.0], "z": 0.0, "order": keys})

    watch.predict(frame)

    wanted = [key for key in frame["order"] if not pd.isna(key)]
    given = [str(int(k)) if isinstance(k, float | int) else k for k in wanted]
    outcomes = [watch.feedback(name, 1).outcome for name in given]
    assert outcomes == ["accepted"] * len(given)
    window = watch.report()
    assert window.rows == 3
    assert window.stream("schema").status != "drift"


def test_several_methods_on_the_same_rows_are_one_prediction(make: Make) -> None:
    class Both(Model):
        def predict_proba(self, data: Any) -> Any:
            return np.tile([0.4, 0.6], (len(data), 1))

    watch = make(Both())
    data = np.array([[1.0, 0.0], [-1.0, 0.0]])

    with watch.request(id="a"):
        watch.predict_proba(data)
        watch.predict(data)

    assert watch.feedback("a", [1, 0]).outcome == "accepted"
    assert watch.feedback("a:2", 1).outcome == "unknown"
    assert confusion(watch) == [[1, 0], [0, 1]]


def test_labels_of_sampled_rows_are_unknown_and_the_others_are_right(
    make: Make,
) -> None:
    watch = make(batch_rows=50)
    data = np.random.default_rng(3).normal(size=(500, 2))

    with watch.request(id="a"):
        said = watch.predict(data)
    answers = [watch.feedback(f"a:{k}", int(said[k])).outcome for k in range(500)]

    assert answers.count("accepted") == 50
    assert answers.count("unknown") == 450
    (no, _), (_, yes) = confusion(watch)
    assert no + yes == 50


def test_labels_outlive_the_process_with_a_state_dir(
    make: Make, tmp_path: Path
) -> None:
    first = make(state_dir=str(tmp_path / "state"))
    with first.request(id="a"):
        first.predict(np.array([[1.0, 0.0], [1.0, 0.0]]))
    first.feedback("a:0", 1)
    first.close()

    second = make(state_dir=str(tmp_path / "state"))

    assert second.feedback("a:0", 1).outcome == "duplicate"
    assert second.feedback("a:1", 0).outcome == "accepted"
    assert confusion(second) == [[0, 1], [0, 1]]


def test_without_labels_in_the_baseline_there_is_no_feedback(make: Make) -> None:
    data = rows()
    watch = make(baseline=Baseline.build(data, target="y", features=["x", "z"]))

    with pytest.raises(ConfigError, match="cannot be compared"):
        watch.feedback("a", 1)

    assert watch.report().performance is None
    assert watch.report().to_dict()["performance"] == {}
