"""The card on the page about causes, and in the README, is what a real watch writes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.embed.shop import HEALTHY_BLOCKS, Rows, Shop

ROOT = Path(__file__).parents[2]
CARD = re.compile(
    r"^```text\n(price: missing values: .*?)^```$", re.DOTALL | re.MULTILINE
)
STREAMS = ["price/missing", "stage:encode", "latency", "said"]


def card_in(document: str) -> str:
    (card,) = CARD.findall((ROOT / document).read_text("utf-8"))
    return str(card)


def nothing_from_france(rows: Rows) -> Rows:
    return rows.assign(price=rows["price"].where(rows["land"] != "France", np.nan))


def test_the_card_shown_is_the_one_written(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(
        monkeypatch,
        sources={"price": "warehouse.sales.net_price"},
        consumers=("pricing", "replenishment"),
    )
    shop.serve(HEALTHY_BLOCKS)
    shop.slower["encode"] = 0.03
    shop.watch.deployed("price service 2.4")

    (first,) = shop.serve(1, nothing_from_france).incidents
    assert list(first.streams) == STREAMS

    (later,) = shop.serve(2, nothing_from_france).incidents
    assert {*later.streams} > {*STREAMS, "error/absolute"}
    written = "".join(f"{line}\n" for line in later.card.lines())
    assert card_in("docs/causes.md") == written
    assert card_in("README.md") == written
    shop.watch.close()
