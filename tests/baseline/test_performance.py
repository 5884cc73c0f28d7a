from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servewatch.baseline import Baseline, package
from servewatch.baseline.build import layout_of
from servewatch.baseline.performance_streams import performance_streams
from servewatch.config import Config
from servewatch.errors import BaselineError
from servewatch.judge.stream import Stream
from servewatch.sketch.truth import REGRESSION_SUMS, TruthCells
from tests.baseline.forged import sealed
from tests.baseline.test_outcomes import COLUMNS, ROWS, built, performance, rows

CONFIG = Config()


def streams(baseline: Baseline, config: Config = CONFIG) -> dict[str, Stream]:
    found = performance_streams(baseline.content, layout_of(baseline.content), config)
    return {stream.name: stream for stream in found}


BINARY = built("flag", ["said", "p"], segments=["city"], ordered=True)
AMOUNT = built("amount", "guess", segments=["city"], ordered=True)


def test_evaluation_rows_are_counted_as_live_ones_are() -> None:
    data = rows()
    known = BINARY.content.performance
    assert known is not None
    cells = TruthCells(known.truth)
    counts = np.array(known.counts)

    assert known.rows == ROWS
    table = cells.of("confusion", counts)
    assert table[1, 1] == np.sum((data["flag"] == 1) & (data["said"] == 1))
    assert cells.of("served_class", counts).sum() == ROWS
    by_city = cells.of("group:city", counts)[:2, 1].sum(axis=1)
    assert by_city.tolist() == [np.sum(data["city"] == c) for c in ("A", "B")]


def test_only_rows_with_a_prediction_and_a_label_are_compared() -> None:
    train, held = rows(), rows(flag=[None] * 100 + [1] * (ROWS - 100))

    baseline = Baseline.build(
        train, evaluation=held, features=COLUMNS, target="flag", prediction="said"
    )

    known = baseline.content.performance
    assert known is not None
    assert known.rows == ROWS - 100
    matrix = TruthCells(known.truth).of("confusion", np.array(known.counts))
    assert matrix[2].sum() == 0


def test_time_order_decides_and_not_the_order_of_rows() -> None:
    data = rows(week=np.arange(ROWS) * 100.0)
    mixed = np.random.default_rng(0).permutation(ROWS)
    shuffled = {name: np.asarray(column)[mixed] for name, column in data.items()}

    first, second = (
        Baseline.build(
            part,
            evaluation=part,
            features=COLUMNS,
            target="flag",
            prediction=["said", "p"],
            timestamp="week",
        )
        for part in (data, shuffled)
    )

    assert first.content.performance == second.content.performance


def test_a_file_gives_the_same_back(tmp_path: Path) -> None:
    for baseline in (BINARY, AMOUNT):
        baseline.save(tmp_path / "b.json")

        assert Baseline.load(tmp_path / "b.json").content == baseline.content


def test_classes_have_an_error_calibration_and_the_rates_of_groups() -> None:
    found = streams(BINARY)

    assert set(found) == {
        "error",
        "calibration/bias",
        "calibration/confidence",
        *(
            f"group:city#{number}/{rate}"
            for number in (1, 2)
            for rate in ("true_positive", "false_positive", "positive")
        ),
    }
    known = BINARY.content.performance
    assert known is not None
    matrix = TruthCells(known.truth).of("confusion", np.array(known.counts))
    wrong = (matrix.sum() - np.trace(matrix)) / ROWS
    assert found["error"].shares.tolist() == [wrong]
    assert found["error"].known_rows.tolist() == [ROWS]
    assert all(stream.gates and not stream.can_hold for stream in found.values())


def test_numbers_have_tails_of_errors_and_a_bounded_loss() -> None:
    found = streams(AMOUNT)

    assert {
        "error/relative",
        "error/absolute",
        "error/residual",
        "error/clipped",
    } <= set(found)
    upper = found["error/absolute"].members
    assert (np.diff(upper.astype(int), axis=1) >= 0).all()  # each an upper tail
    outward = found["error/residual"]
    assert (outward.shares <= 0.5 + 2 / ROWS).all()
    assert outward.words(0)[0].endswith(outward.words(0)[0].split()[-1])
    assert "under" in outward.words(0)[0]
    assert "over" in outward.words(len(outward.weights) - 1)[0]


def test_the_bound_on_a_mean_loss_uses_its_own_variance() -> None:
    stream = streams(AMOUNT)["error/clipped"]
    known = AMOUNT.content.performance
    assert known is not None
    sums = TruthCells(known.truth).sum_of("error", np.array(known.sums))
    squares = sums[REGRESSION_SUMS.index("loss2")] / ROWS

    mean = stream.shares[0]
    gain = mean * (1 - mean) / (squares - mean**2)
    assert stream.known_rows[0] == pytest.approx(ROWS * gain)
    assert gain > 2
    assert stream.known_hits[0] / stream.known_rows[0] == pytest.approx(mean)


def test_rows_that_trained_the_model_gate_nothing() -> None:
    data = rows()
    flattered = Baseline.build(
        data, features=COLUMNS, target="flag", prediction=["said", "p"]
    )

    assert flattered.content.performance is not None
    assert not any(stream.gates for stream in streams(flattered).values())


def test_a_stream_can_be_left_informational() -> None:
    found = streams(BINARY, Config(informational=("error",)))

    assert not found["error"].gates
    assert found["calibration/bias"].gates


def test_small_groups_are_not_judged() -> None:
    data = rows(city=np.array(["A"] * (ROWS - 20) + ["B"] * 20))

    found = streams(built("flag", "said", data=data, segments=["city"]))

    assert "group:city#1/true_positive" in found
    assert not any(name.startswith("group:city#2") for name in found)


def test_a_group_is_named_to_those_with_rights_alone() -> None:
    words, public = streams(BINARY)["group:city#2/positive"].words(0)

    assert words == "group:city#2/positive (city = B): higher rate"
    assert public == "group:city#2/positive: higher rate"


def test_errors_that_come_in_bursts_are_tempered() -> None:
    rng = np.random.default_rng(5)
    rate = np.repeat(rng.choice([0.02, 0.4], 60), 100)
    flag = (rng.random(6000) < 0.5).astype(int)
    said = np.where(rng.random(6000) < rate, 1 - flag, flag)
    data = {"x": rng.normal(size=6000), "flag": flag, "said": said}

    baseline = Baseline.build(
        data, evaluation=data, target="flag", prediction="said", ordered=True
    )

    known = baseline.content.performance
    assert known is not None
    assert known.streams["confusion"].design_effect > 5
    assert streams(baseline)["error"].design_effect == (
        known.streams["confusion"].design_effect
    )


def test_a_group_that_comes_in_bursts_is_tempered_by_itself() -> None:
    rng = np.random.default_rng(5)
    rate = np.repeat(rng.choice([0.1, 0.9], 60), 100)
    city = rng.choice(["A", "B"], 6000)
    said = np.where(city == "B", rng.random(6000) < rate, rng.random(6000) < 0.5)
    data = {"x": rng.normal(size=6000), "city": city, "said": said * 1}
    data["y"] = np.where(rng.random(6000) < 0.1, 1 - data["said"], data["said"])

    baseline = Baseline.build(
        data,
        evaluation=data,
        target="y",
        prediction="said",
        ordered=True,
        segments=["city"],
    )

    found = streams(baseline)
    effect = found["group:city#2/positive"].design_effect
    assert effect is not None
    assert effect > 5
    assert (found["error"].design_effect or 0) < 2


def test_what_the_prediction_and_its_error_go_with_is_kept() -> None:
    rng = np.random.default_rng(6)
    x, z = rng.normal(size=2000), rng.normal(size=2000)
    data = {
        "x": x,
        "z": z,
        "p": 3 * x,
        "y": 3 * x + rng.normal(size=2000) * (1 + (z > 0)),
    }

    baseline = Baseline.build(
        data, evaluation=data, target="y", prediction="p", ordered=True
    )

    known = baseline.content.performance
    assert known is not None
    assert baseline.content.influence["x"] > 0.9
    assert baseline.content.influence["z"] < 0.05
    assert known.loss is not None
    assert known.loss.r2 > 0
    assert performance("flag", "said").loss is None


Tree = dict[str, Any]
RAWS = {
    name: json.loads(package.to_bytes(each.content, each.lineage))
    for name, each in (("classes", BINARY), ("numbers", AMOUNT))
}
CONTRADICTIONS: dict[str, tuple[str, Callable[[Tree], object], str]] = {
    "cells": ("classes", lambda p: p["counts"].append(0), "counts, sums: not"),
    "below 0": ("classes", lambda p: p["counts"].__setitem__(0, -1), "below 0"),
    "sums": ("numbers", lambda p: p["sums"].pop(), "sums"),
    "no number": ("numbers", lambda p: p["sums"].__setitem__(0, 1e300), "bounds"),
    "squares": ("numbers", lambda p: p["sums"].__setitem__(3, -1.0), "below 0"),
    "rows": ("classes", lambda p: p.update(rows=7), "do not add up"),
    "target": (
        "classes",
        lambda p: p["truth"].update(target="x"),
        "no column of labels",
    ),
    "prediction": (
        "classes",
        lambda p: p["truth"].update(prediction="x"),
        "no columns of predictions",
    ),
    "classes": (
        "classes",
        lambda p: p["truth"].update(classes=["0", "0"]),
        "different ones",
    ),
    "many classes": (
        "classes",
        lambda p: p["truth"].update(classes=[str(k) for k in range(10_000)]),
        "different ones",
    ),
    "segments": (
        "classes",
        lambda p: p["truth"]["segments"][0].update(column="x"),
        "one value for every bin",
    ),
    "edges": (
        "classes",
        lambda p: p["truth"]["score_edges"].reverse(),
        "do not ascend",
    ),
    "no edges": ("numbers", lambda p: p["truth"]["edges"].pop("relative"), "edges"),
    "clip": ("numbers", lambda p: p["truth"].update(clip=0.0), "not above 0"),
    "scale": ("numbers", lambda p: p["truth"].update(scale=-1.0), "not above 0"),
    "effect": (
        "classes",
        lambda p: p["streams"]["confusion"].update(design_effect=0.1),
        "below 1",
    ),
    "cells of streams": (
        "classes",
        lambda p: p["streams"].update(nothing=p["streams"]["confusion"]),
        "not there",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_contradictions_are_refused(name: str) -> None:
    which, change, words = CONTRADICTIONS[name]
    tree = json.loads(json.dumps(RAWS[which]))
    change(tree["content"]["performance"])

    with pytest.raises(BaselineError, match=words):
        package.from_bytes(sealed(tree), "b.json")
