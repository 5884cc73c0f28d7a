"""Twelve single faults: the first line of the first card names the right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from servewatch.pipeline.process import Usage
from tests.embed.shop import HEALTHY_BLOCKS, Model, Rows, Shop


class Fault(NamedTuple):
    """What to break, what the first line must say, and the blocks it may take."""

    breaks: Callable[[Shop], Callable[[Rows], Rows] | None]
    says: str
    blocks: int = 12


def missing(_: Shop) -> Callable[[Rows], Rows]:
    return lambda rows: rows.assign(price=np.nan)


def in_cents(_: Shop) -> Callable[[Rows], Rows]:
    return lambda rows: rows.assign(price=100 * rows["price"])


def renamed(_: Shop) -> Callable[[Rows], Rows]:
    return lambda rows: rows.assign(land=rows["land"].replace("France", "FR"))


def swapped(_: Shop) -> Callable[[Rows], Rows]:
    return lambda rows: rows.assign(price=rows["age"], age=rows["price"])


def stale_model(shop: Shop) -> None:
    shop.watch.model.__wrapped__.version = 2


def slow_stage(shop: Shop) -> None:
    shop.slower["encode"] = 0.03


def failing_stage(shop: Shop) -> None:
    shop.failing["encode"] = 0.3


def retry_storm(shop: Shop) -> None:
    shop.retrying["fetch"] = 3.0


def leak(shop: Shop) -> None:
    process = shop.watch._around.resources._process
    began, usual = shop.now, process.usage()

    def usage() -> Usage:
        held = (usual.resident_bytes or 0.0) + 10e6 * (shop.now - began) / 60
        return usual._replace(resident_bytes=held)

    process.usage = usage  # type: ignore[method-assign]


def blocked_loop(shop: Shop) -> None:
    shop.lag = 0.2


def duplicates(shop: Shop) -> None:
    shop.duplicated = 0.2


def no_labels(shop: Shop) -> None:
    shop.has_labels = False


FAULTS = {
    "one column missing": Fault(missing, "price: missing values: 0 % -> "),
    "unit x 100": Fault(in_cents, "price: its values look multiplied by 100"),
    "category renamed": Fault(renamed, "land: category 'France' "),
    "two columns swapped": Fault(swapped, "price and age look swapped"),
    "stale model": Fault(
        stale_model, "predictions moved and no input is known to have"
    ),
    "slow stage": Fault(slow_stage, "stage encode: slower than "),
    "failing stage": Fault(failing_stage, "stage encode: failed: 0 % -> "),
    "retry storm": Fault(retry_storm, "stage fetch: tried again: "),
    "memory leak": Fault(leak, "memory grows by 10 MB/min since ", 80),
    "blocked event loop": Fault(blocked_loop, "stage event loop: slower than "),
    "duplicates": Fault(duplicates, "duplicates: rows equal to an earlier one: "),
    "labels stop": Fault(no_labels, "labels have stopped: none since ", 80),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_first_line_names_the_fault(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = FAULTS[name]
    shop = Shop(monkeypatch)
    healthy = shop.serve(HEALTHY_BLOCKS)
    assert [i.streams for i in healthy.incidents] == []

    change = fault.breaks(shop)
    shop.serve(fault.blocks, change)

    assert shop.headline().startswith(fault.says), [c.lines() for c in shop.cards()]
    shop.watch.close()


def test_errors_that_were_large_by_chance_before_a_fault_are_no_incident_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = Shop(monkeypatch)
    shop.round_losses(24)  # evidence of error/clipped then begins 40 s before the fault
    shop.serve(HEALTHY_BLOCKS)
    fault = FAULTS["one column missing"]
    shop.serve(fault.blocks, fault.breaks(shop))
    assert len(shop.cards()) == 1
    assert shop.headline().startswith(fault.says)
    shop.watch.close()


def test_a_healthy_shop_has_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(monkeypatch)
    report = shop.serve(2 * HEALTHY_BLOCKS)
    assert report.incidents == []
    assert report.status == "ok"
    shop.watch.close()


def test_another_version_than_the_baselines_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = Shop(monkeypatch, Model(2), model_version="2")
    shop.serve(12)
    assert shop.headline().startswith(
        "the model that serves is version 2, the baseline's is 3"
    )
    shop.watch.close()
