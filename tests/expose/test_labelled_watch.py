"""A real watch: labels that come by HTTP show wherever somebody looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import servewatch as sw
from tests.expose.asking import ELSEWHERE, ask

ROWS = 400


def loans(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    income = rng.normal(size=ROWS)
    return {
        "income": income,
        "city": np.where(rng.random(ROWS) < 0.5, "Bonn", "Köln"),
        "said": (income > 0).astype(int),
        "paid": (income + rng.normal(size=ROWS) > 0).astype(int),
    }


@pytest.fixture(scope="module")
def app() -> Iterator[Starlette]:
    """An app that has served 400 rows, and knows the labels of all but the last 40."""
    baseline = sw.Baseline.build(
        loans(1),
        evaluation=loans(2),
        target="paid",
        prediction="said",
        segments=["city"],
        ordered=True,
        model="loans",
    )
    watch = sw.ServeWatch(baseline=baseline)
    served = loans(3)

    async def predict(_: Request) -> JSONResponse:
        features = {name: served[name] for name in ("income", "city")}
        watch.record(features, served["said"])
        return JSONResponse(served["said"].tolist())

    app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    watch.install(app)
    id_ = ask(app, "/predict", method="POST").headers["x-prediction-id"]
    labels = served["paid"].tolist()[:-40]
    body = [{"id": id_, "label": labels}, {"id": "nobody's", "label": 1}]
    assert ask(app, "/feedback", method="POST", json=body).status_code == 207
    yield app
    watch.close()


def samples(app: Starlette) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(v for k, v in sample.labels.items() if k != "model")): (
            sample.value
        )
        for family in text_string_to_metric_families(ask(app, "/metrics").text)
        for sample in family.samples
    }


def accuracy(seed: int, rows: int) -> float:
    found = loans(seed)
    return float((found["said"] == found["paid"])[:rows].mean())


def test_metrics_are_those_of_the_labels_that_came(app: Starlette) -> None:
    found = samples(app)
    name = "servewatch_performance", "accuracy"
    assert found[*name, "since"] == pytest.approx(accuracy(3, ROWS - 40))
    assert found[*name, "baseline"] == pytest.approx(accuracy(2, ROWS))


def test_labels_and_predictions_are_accounted_for(app: Starlette) -> None:
    found = samples(app)
    assert found["servewatch_labels_total", "accepted"] == ROWS - 40
    assert found["servewatch_labels_total", "unknown"] == 1
    assert found["servewatch_waiting_predictions",] == 40
    assert found["servewatch_predictions_evicted_total",] == 0


def test_the_report_says_the_same(app: Starlette) -> None:
    found = ask(app, "/drift").json()["performance"]
    assert found["accuracy"]["value"] == pytest.approx(accuracy(3, ROWS - 40), abs=1e-6)
    assert found["labels"] == ROWS - 40
    assert found["fairness"][0]["column"] == "city"


def test_the_page_says_the_same(app: Starlette) -> None:
    text = ask(app, "/watch").text
    assert "Is the model still right?" in text
    assert f"{accuracy(3, ROWS - 40):.3f}" in text
    assert "Groups by city" in text


def test_strangers_are_told_no_group(app: Starlette) -> None:
    performance = ask(app, "/drift", peer=ELSEWHERE).json()["performance"]
    assert "accuracy" in performance
    assert "fairness" not in performance
