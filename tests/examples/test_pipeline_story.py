"""From alarm to cause: a source empties a column, and a step becomes slow with it.

The demo's model as a Pipeline of three steps behind a real app, one request a row, in
the order of the weeks. What is read is `/drift`.
"""

from __future__ import annotations

import asyncio
import time
from functools import cache
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from fastapi import FastAPI
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

from servewatch import Baseline, ServeWatch
from servewatch.demo.retail import (
    EVALUATION_FROM,
    FAULT_FROM,
    FEATURES,
    KNOWN_FROM,
    PREDICTION,
    SERVING_FROM,
    TARGET,
    TIMESTAMP,
    between,
    read_rows,
)

EMPTIED = "units_mean4"
SLOWER_SECONDS = 0.03
WEEK = 250
BLOCK_ROWS = 50
ROW_SECONDS = 0.1  # by the watch's clock, which no load of this machine moves
ROSE = {"error": "rose", "basis": "measured"}
Answer = dict[str, Any]


class Broken:
    """What the steps below do wrong, and from when on."""

    step: str | None = None
    loses = False  # a column, besides being slow


class Step(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A step that gives its rows on."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def fit(self, rows: pd.DataFrame, y: object = None) -> Step:
        self.fitted_ = True
        return self

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        made = self.made(rows)
        if Broken.step == self.name:
            time.sleep(SLOWER_SECONDS)
            if Broken.loses:
                made = made.assign(**{EMPTIED: 0.0})
        return made

    def made(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows.copy()


class Ingest(Step):
    """What many do with what is missing."""

    def made(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows.fillna(0.0)


class Scale(Step):
    """The logarithm of what is counted."""

    def made(self, rows: pd.DataFrame) -> pd.DataFrame:
        counted = [name for name in rows.columns if name.startswith("units")]
        return rows.assign(**{name: np.log1p(rows[name]) for name in counted})


class Demand(Ridge):  # type: ignore[misc]
    """Next week's units, learned on their logarithm."""

    def fit(self, rows: pd.DataFrame, units: Any) -> Demand:
        super().fit(rows, np.log1p(units))
        return self

    def predict(self, rows: pd.DataFrame) -> Any:
        return np.expm1(super().predict(rows))


@cache
def trained() -> tuple[Any, Baseline]:
    rows = read_rows()
    train, held_out = (
        between(rows, KNOWN_FROM, EVALUATION_FROM),
        between(rows, EVALUATION_FROM, SERVING_FROM),
    )
    pipeline = Pipeline(
        [
            ("ingest", Ingest("ingest")),
            ("scale", Scale("scale")),
            ("demand", Demand()),
        ]
    )
    features = list(FEATURES)
    pipeline.fit(train[features], train[TARGET])
    baseline = Baseline.build(
        *(
            part.assign(**{PREDICTION: pipeline.predict(part[features])})
            for part in (train,)
        ),
        evaluation=held_out.assign(
            **{PREDICTION: pipeline.predict(held_out[features])}
        ),
        target=TARGET,
        prediction=PREDICTION,
        timestamp=TIMESTAMP,
        features=features,
        pipeline=pipeline,
        model="demand",
        version="1",
    )
    return pipeline, baseline


class Shop:
    """The app, its watch, and who asks it for one row after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_283_731_200.0
        monkeypatch.setattr(
            "servewatch.embed.watch.anchored_clock", lambda: lambda: self.now
        )
        monkeypatch.setattr(
            "servewatch.record.heartbeat.Heartbeat.start", lambda self: None
        )
        pipeline, baseline = trained()
        self.watch = ServeWatch(
            pipeline,
            baseline=baseline,
            block_seconds=BLOCK_ROWS * ROW_SECONDS,
            grace_seconds=0.0,
            latency_reference_rows=800,
            cpu_budget=1.0,
            consumers=("replenishment",),
            sources={EMPTIED: "warehouse.sales.units_mean4"},
        )
        app = FastAPI()
        self.watch.install(app)

        @app.post("/predict")
        def predict(row: dict[str, float | None]) -> float:
            frame = pd.DataFrame([row], columns=list(FEATURES), dtype=float)
            return float(self.watch.predict(frame)[0])

        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app, client=("127.0.0.1", 1)),
            base_url="http://shop",
        )
        self.asked: list[tuple[str, float]] = []
        self.rows = read_rows()

    async def ask(self, rows: pd.DataFrame, until: Any = None, every: int = 50) -> int:
        """Send *rows*, one a request, until *until* is true; tell how many were."""
        sent = 0
        for sent, (_, row) in enumerate(rows.iterrows(), 1):
            await self.ask_one(row)
            if until is not None and sent % every == 0 and until(await self.drift()):
                break
        return sent

    async def ask_one(self, row: pd.Series) -> None:
        body = {n: None if pd.isna(row[n]) else float(row[n]) for n in FEATURES}
        answer = await self.client.post("/predict", json=body)
        assert answer.status_code == 200
        self.now += ROW_SECONDS
        if len(self.asked) % 10 == 0:
            self.watch._tick()
        self.asked.append((answer.headers["x-prediction-id"], float(row[TARGET])))

    def label(self) -> None:
        """Give the labels of all that was asked: the weeks are over."""
        for name, units in self.asked:
            self.watch.feedback(name, units)
        self.asked.clear()

    async def drift(self) -> Answer:
        self.watch.flush()
        answer: Answer = (await self.client.get("/drift")).json()
        return answer

    async def close(self) -> None:
        await self.client.aclose()
        self.watch.close()


@pytest.fixture(autouse=True)
def _whole() -> Any:
    yield
    Broken.step, Broken.loses = None, False


def card_of(answer: Answer, stream: str) -> Answer:
    for incident in answer["incidents"]:
        if stream in incident["streams"]:
            card: Answer = incident["card"]
            return card
    return {"lines": [], "slowed": []}


def slowed(card: Answer) -> list[str]:
    return [each["stage"] for each in card["slowed"]]


def names(answer: Answer, status: str, role: str) -> set[str]:
    return {
        stream["name"]
        for stream in answer["streams"]
        if stream["role"] == role and stream["status"] == status
    }


async def before(shop: Shop) -> None:
    healthy = between(shop.rows, SERVING_FROM, FAULT_FROM)
    await shop.ask(healthy)
    shop.label()
    answer = await shop.drift()
    # Of the data, that is: what else this machine does may well slow a stage.
    data = names(answer, "drift", "feature") | names(answer, "drift", "tap")
    assert not data | names(answer, "drift", "prediction")


@pytest.mark.timeout(300)
def test_the_column_the_step_and_the_prediction_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        shop = Shop(monkeypatch)
        await before(shop)
        after = between(shop.rows, FAULT_FROM, "2010-11-15").assign(**{EMPTIED: np.nan})

        def is_found(answer: Answer) -> bool:
            card = card_of(answer, f"{EMPTIED}/missing")
            return "ingest" in slowed(card)

        Broken.step = "ingest"
        sent = await shop.ask(after, is_found)
        answer = await shop.drift()
        card = card_of(answer, f"{EMPTIED}/missing")
        assert sent <= 300
        assert card["headline"].startswith(f"{EMPTIED}: missing values: ")
        assert "it comes from warehouse.sales.units_mean4" in card["lines"]
        assert card["departs"] == "input"
        (step,) = [each for each in card["slowed"] if each["stage"] == "ingest"]
        assert step["p95_before"] < 0.03 < step["p95_after"]
        assert card["impacted"] == ["ingest", "scale", "demand", "predictions"]
        assert card["consumers"] == ["replenishment"]

        def has_moved(answer: Answer) -> bool:
            return card_of(answer, f"{EMPTIED}/missing").get("prediction") == "moved"

        sent += await shop.ask(after.iloc[sent:], has_moved)
        assert sent <= 1500

        card = {}
        while card.get("performance") != ROSE and sent < len(after):
            sent += await shop.ask(after.iloc[sent : sent + WEEK])
            shop.label()  # the week is over
            card = card_of(await shop.drift(), f"{EMPTIED}/missing")
        assert card["performance"] == ROSE
        assert {each["why"] for each in card["examples"]} >= {"culprit", "slowest"}
        await shop.close()

    asyncio.run(story())


@pytest.mark.timeout(300)
def test_the_step_where_the_data_first_departs_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        shop = Shop(monkeypatch)
        await before(shop)
        after = between(shop.rows, FAULT_FROM, "2010-11-15")
        Broken.step, Broken.loses = "scale", True

        def is_found(answer: Answer) -> bool:
            return "scale" in slowed(card_of(answer, f"tap:scale/{EMPTIED}"))

        sent = await shop.ask(after, is_found)
        answer = await shop.drift()
        card = card_of(answer, f"tap:scale/{EMPTIED}")
        assert sent <= 300
        assert card["departs"] == "scale"
        assert f"tap:ingest/{EMPTIED}" not in names(answer, "drift", "tap")
        assert not names(answer, "drift", "feature")
        assert "before it (input, ingest) it is as in the baseline" in " ".join(
            card["lines"]
        )
        assert card["impacted"] == ["scale", "demand", "predictions"]
        await shop.close()

    asyncio.run(story())
