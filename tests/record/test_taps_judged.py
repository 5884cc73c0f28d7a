"""At which step data departs, told by the taps: everything real, on a clock of its own.

Three steps before the model; what each gives is tapped as it serves.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from servewatch.baseline import Baseline
from servewatch.capture.tap import tap
from servewatch.replay.replay import Replay
from tests.monitor.world import World

FEATURES = ["price", "weight", "age", "shop"]
STAGES = ("encode", "scale", "turn", "model")
BAD = ("warning", "drift")


def rows_of(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    price = np.where(random.random(rows) < 0.05, np.nan, random.normal(9, 2, rows))
    return pd.DataFrame(
        {
            "price": price,
            "weight": random.exponential(size=rows),
            "age": random.integers(0, 90, rows).astype(float),
            "shop": random.choice(["north", "south", "web"], rows),
        }
    )


@cache
def fitted() -> Pipeline:
    numbers = ["price", "weight", "age"]
    encode = ColumnTransformer(
        [("n", SimpleImputer(), numbers), ("s", OneHotEncoder(), ["shop"])],
        sparse_threshold=0.0,
    )
    rows = rows_of(5000, seed=1)
    steps = [("encode", encode), ("scale", StandardScaler()), ("turn", PCA(3))]
    pipe = Pipeline([*steps, ("model", LogisticRegression())])
    return pipe.fit(rows, (rows.weight > 1).astype(int))


@cache
def known() -> Baseline:
    return Baseline.build(rows_of(5000, seed=1), pipeline=fitted(), ordered=True)


def serve(world: World, pipe: Any, blocks: int, rows: int, seed: int = 100) -> None:
    """Serve a batch a block, tapping what each step gives."""
    for block in range(blocks):
        batch: Any = rows_of(rows, seed=seed + block)
        world.serve(batch)
        for name, step in pipe.steps[:-1]:
            batch = step.transform(batch)
            tap(world.recorder, name, batch)
        world.tick()
        world.now += 10.0
    world.tick(2.0)


def departed(world: World) -> Mapping[str, list[str]]:
    """The streams that are no longer what they were, by tap; features as ""."""
    found: dict[str, list[str]] = {}
    for stream in world.monitor.latest.streams:
        if stream.status in BAD and stream.role in ("feature", "tap"):
            tapped, column = "", stream.name
            if stream.role == "tap":
                tapped, _, column = column.removeprefix("tap:").partition("/")
            found.setdefault(tapped, []).append(column)
    return found


def test_without_drift_fifty_thousand_rows_raise_nothing() -> None:
    world = World(known())

    serve(world, fitted(), blocks=100, rows=500)

    assert not departed(world)
    assert world.changes == [] or {c.status for c in world.changes} <= {"ok"}
    totals = world.recorder.totals
    assert not totals.internal_errors
    assert (totals.taps_dropped, totals.taps_refused) == (0, {})
    assert totals.recorded == 50_000
    for name in ("tap:encode/n__price", "tap:turn/pca0"):
        cells = totals.lifetime.counts[known().layout.spans[name]]
        assert cells[:-2].sum() == 50_000


def test_a_fault_in_the_second_step_shows_there_and_not_before() -> None:
    broken = copy.deepcopy(fitted())
    broken[1].scale_[0] *= 3.0  # a scaler of another model version
    world = World(known())
    serve(world, fitted(), blocks=10, rows=100)
    assert not departed(world)

    serve(world, broken, blocks=10, rows=100, seed=500)

    found = departed(world)
    first = next(stage for stage in known().content.stages if stage in found)
    assert first == "scale"
    assert "" not in found
    assert "encode" not in found
    assert {column.partition("/")[0] for column in found["scale"]} == {"n__price"}
    assert world.monitor.latest.status == "drift"


def test_a_fault_of_the_source_shows_at_every_tap() -> None:
    world = World(known())
    serve(world, fitted(), blocks=10, rows=100)

    for block in range(10):
        batch: Any = rows_of(100, seed=700 + block).assign(weight=7.0)
        world.serve(batch)
        for name, step in fitted().steps[:-1]:
            batch = step.transform(batch)
            tap(world.recorder, name, batch)
        world.tick(10.0)
    world.tick(2.0)

    found = departed(world)
    assert {"", "encode", "scale", "turn"} <= set(found)
    assert {column.partition("/")[0] for column in found["encode"]} == {"n__weight"}


def test_where_nothing_is_tapped_taps_have_insufficient_data_and_hold_nothing() -> None:
    world = World(known())
    for block in range(80):
        world.serve(rows_of(200, seed=block))
        world.tick(10.0)
    world.tick(2.0)

    report = world.monitor.latest
    assert report.status == "ok"
    taps = [stream for stream in report.streams if stream.role == "tap"]
    assert taps
    assert {stream.status for stream in taps} == {"insufficient_data"}


def test_a_file_is_replayed_against_a_baseline_with_taps(tmp_path: Any) -> None:
    rows_of(3000, seed=44).to_csv(tmp_path / "rows.csv", index=False)

    replay = Replay(tmp_path / "rows.csv", known())
    changes = list(replay)

    statuses = {s.status for s in replay.report.streams if s.role == "tap"}
    assert statuses == {"insufficient_data"}
    assert not [change for change in changes if change.change.status in BAD]


def test_values_that_differ_in_their_last_digits_are_no_new_ones() -> None:
    random = np.random.default_rng(12)
    drawn = random.integers(0, 2, (4000, 1)).repeat(120, axis=1).astype(float)
    pipe = Pipeline([("scale", StandardScaler()), ("turn", PCA(1)), ("model", None)])
    made = Baseline.build(drawn, pipeline=pipe.fit(drawn), ordered=True)
    world = World(made)

    for block in range(20):
        world.serve(drawn[block * 100 : block * 100 + 100])
        for place in range(100):  # one request a row, which another kernel multiplies
            row = drawn[block * 100 + place : block * 100 + place + 1]
            scaled = row * (1 + 1e-15)
            tap(world.recorder, "scale", pipe[:1].transform(scaled))
            tap(world.recorder, "turn", pipe[:2].transform(scaled))
        world.tick(10.0)
    world.tick(2.0)

    assert not departed(world)


@pytest.mark.nightly
def test_a_tap_alarms_no_more_often_than_a_feature() -> None:
    alarms = 0
    for seed in range(20):
        world = World(known())
        serve(world, fitted(), blocks=500, rows=100, seed=10_000 * (seed + 1))
        alarms += bool(departed(world))

    # 28 hours of blocks, of which one hundredth of a false alarm a day is allowed for.
    assert alarms <= 1
