from __future__ import annotations

import json
import os
import threading
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from servewatch import ServeWatch
from servewatch.judge.confidence import mean_interval
from servewatch.monitor.kpis import LARGEST, LONGEST, MOST_NAMES, Kpis
from tests.monitor.world import World, normal_baseline


def noted(*values: Any) -> Kpis:
    kpis = Kpis()
    for value in values:
        kpis.note("n", value)
    return kpis


def test_a_number_is_counted_added_up_and_remembered() -> None:
    kpi = noted(3.0, 5.0, 1.0).snapshot()["n"]
    assert (kpi.count, kpi.sum, kpi.mean, kpi.last) == (3, 9.0, 3.0, 1.0)


def test_the_mean_has_the_interval_of_its_values() -> None:
    values = np.random.default_rng(2).lognormal(3, 1, 5000)
    kpi = noted(*values.tolist()).snapshot()["n"]

    low, high = mean_interval(values.mean(), values.var(), values.size)
    assert (kpi.low, kpi.high) == pytest.approx((float(low), float(high)), rel=1e-9)


def test_a_large_mean_costs_the_spread_no_digits() -> None:
    values = 1e12 + np.random.default_rng(2).normal(size=5000)
    kpi = noted(*values.tolist()).snapshot()["n"]
    assert kpi.low is not None
    assert kpi.mean - kpi.low == pytest.approx(0.05, rel=0.2)


@pytest.mark.parametrize("values", [[1.0] * 99, [2.0] * 500])
def test_few_or_equal_values_have_no_interval(values: list[float]) -> None:
    kpi = noted(*values).snapshot()["n"]
    assert (kpi.low, kpi.high) == (None, None)


@pytest.mark.parametrize(
    "value", [1, True, np.float32(1), np.int64(1), Decimal(1), np.array(1.0)]
)
def test_whatever_counts_as_a_number_is_one(value: Any) -> None:
    assert noted(value).snapshot()["n"].sum == 1.0


@pytest.mark.parametrize(
    "value",
    [
        "1",
        b"1",
        None,
        float("nan"),
        float("inf"),
        -float("inf"),
        2 * LARGEST,
        10**400,
        [1.0],
        object(),
        1j,
    ],
)
def test_what_is_no_finite_number_is_refused_and_counted(value: Any) -> None:
    kpis = noted(value)
    assert (dict(kpis.snapshot()), kpis.refused) == ({}, 1)


@pytest.mark.parametrize("name", ["", "x" * (LONGEST + 1), None, 3, ["n"], b"n"])
def test_a_name_that_is_none_is_refused_and_counted(name: Any) -> None:
    kpis = Kpis()
    kpis.note(name, 1.0)
    assert (dict(kpis.snapshot()), kpis.refused) == ({}, 1)


def test_names_beyond_the_bound_are_refused_and_those_before_go_on() -> None:
    kpis = Kpis()
    for place in range(MOST_NAMES + 5):
        kpis.note(f"n{place}", 1.0)
    kpis.note("n0", 1.0)
    assert (len(kpis.snapshot()), kpis.refused) == (MOST_NAMES, 5)
    assert kpis.snapshot()["n0"].count == 2


def test_the_largest_values_stay_finite_all_the_way() -> None:
    kpi = noted(*[LARGEST, -LARGEST] * 200).snapshot()["n"]
    json.dumps(kpi.to_dict(), allow_nan=False)


def test_an_id_is_counted_and_not_looked_up() -> None:
    kpis = noted(1.0)
    kpis.note("n", 2.0, "order-7")
    kpis.note("n", 3.0, id="no such prediction")
    assert kpis.snapshot()["n"].linked == 2


def test_threads_lose_nothing() -> None:
    kpis = Kpis()

    def say() -> None:
        for _ in range(5000):
            kpis.note("n", 1.0)
            kpis.note("n", "none")  # type: ignore[arg-type]

    threads = [threading.Thread(target=say) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (kpis.snapshot()["n"].count, kpis.refused) == (20_000, 20_000)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_child_starts_at_nothing() -> None:
    kpis = noted(1.0)
    child = os.fork()
    if child == 0:
        os._exit(len(kpis.snapshot()) + kpis.refused)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_the_report_has_them_for_those_who_may_see_values() -> None:
    world = World(normal_baseline())
    world.monitor.kpis.note("revenue", 12.5)
    world.monitor.kpis.note("revenue", "much")  # type: ignore[arg-type]
    report = world.monitor.report()

    assert report.to_dict()["kpis"]["revenue"]["sum"] == 12.5
    assert report.to_dict(detail=False)["kpis"] == {}
    assert report.to_dict(detail=False)["kpis_refused"] == 1


def test_a_watch_takes_them_also_without_a_model() -> None:
    watch = ServeWatch()
    watch.kpi("clicks", 1, id="order-7")
    assert watch.report().kpis["clicks"].linked == 1
    watch.close()
