"""Files written by earlier versions, kept for ever: each still loads as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servewatch.baseline import Baseline

FOLDER = Path(__file__).parent
DIGESTS = {
    "baseline-1.0.json": (
        "947db6d47ed025613a60522e1f1bf383"  # in two, or the line is too long
        "09e82d721b6550b1446e324f52282ded"
    ),
}


def rows() -> dict[str, Any]:
    """Give rows without chance: no generator's version can change them."""
    n = np.arange(1200)
    wave = (n * 37 % 101) / 7 - 5
    return {
        "at": n * 3600.0,
        "price": np.where(n % 19 == 0, np.nan, wave),
        "size": (n * n) % 4,
        "place": [None if k % 23 == 0 else f"p{k * k % 61 % 7}" for k in n.tolist()],
        "member": n % 3 == 0,
        "score": (n * 53 % 97) / 96,
    }


def part(start: int, stop: int) -> dict[str, Any]:
    return {name: values[start:stop] for name, values in rows().items()}


def build() -> Baseline:
    return Baseline.build(
        part(0, 800),
        evaluation=part(800, 1200),
        prediction="score",
        timestamp="at",
        segments=["member"],
        model="golden",
        version="1",
    )


@pytest.mark.parametrize("name", DIGESTS)
def test_a_file_of_an_earlier_version_loads_with_its_digest(name: str) -> None:
    assert Baseline.load(FOLDER / name).digest == DIGESTS[name]


def test_a_file_of_version_1_0_holds_what_it_held() -> None:
    found = Baseline.load(FOLDER / "baseline-1.0.json")

    price = found.profiles["price"]
    values = rows()["price"]
    finite = values[np.isfinite(values)]
    assert (found.model, found.version) == ("golden", "1")
    assert [column.name for column in found.schema.features] == [
        *("price", "size", "place", "member")
    ]
    assert price.summary is not None
    assert price.summary.mean == pytest.approx(finite.mean(), rel=1e-11)
    assert price.counts[-6] == np.count_nonzero(np.isnan(values))
    assert found.profiles["score"].rows == 400


def test_the_same_rows_still_give_the_same_counts() -> None:
    """Dependence may be measured better one day; what was counted may not change."""
    stored, built = Baseline.load(FOLDER / "baseline-1.0.json"), build()

    for name, profile in stored.profiles.items():
        assert built.profiles[name].bins == profile.bins
        assert built.profiles[name].counts == profile.counts
        assert built.profiles[name].summary == profile.summary
    assert built.content.reservoir == stored.content.reservoir
    assert built.content.segments == stored.content.segments
