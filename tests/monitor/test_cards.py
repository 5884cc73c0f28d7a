"""The cause card says what the counts show of an incident, and nothing beyond it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from servewatch.config import Config
from servewatch.judge.verdict import Verdict
from servewatch.monitor.card import Card, Example
from servewatch.monitor.cards import Cards
from servewatch.monitor.judging import judge_of
from servewatch.monitor.markers import Markers
from servewatch.monitor.matter import Error
from servewatch.record.observation import NANO
from servewatch.sketch.layout import NO_COLUMNS
from servewatch.sketch.window import Window
from tests.embed.shop import Model, Rows, Shop
from tests.monitor.test_causes import verdict
from tests.monitor.world import World

ONSET = 10_000.0
PRICE = verdict(
    "price/missing", "feature", "missing", since=ONSET, column="price", cause="gone"
)
SOURCES = {"price": "the price service"}


def a_window(labels: int = 0) -> Window:
    window = Window.empty(NO_COLUMNS, ONSET + 10.0, ONSET + 20.0)
    window.labels = labels
    return window


class Kept:
    """One request to look at."""

    def of(self, column: str, cells: NDArray[np.bool_], since: float) -> list[Example]:
        return [Example(f"{column}{cells.size}", "order-7", None, since, 0.1)]


def card_of(
    first: Verdict = PRICE,
    *,
    windows: Sequence[Window] = (),
    markers: Markers | None = None,
    error: Error | None = None,
    delay: float | None = 0.0,
) -> Card:
    config = Config(block_seconds=10.0, sources=SOURCES, consumers=("stock",))
    cards = Cards(
        config,
        None,
        NO_COLUMNS,
        windows=lambda _: windows,
        steps=lambda: ["fetch", "encode"],
        markers=Markers() if markers is None else markers,
    )
    cards.requests = Kept()
    judge = judge_of(None, NO_COLUMNS, config)
    return cards.write([first], judge, verdicts=[first], error=error, delay=delay)


def run(world: World, blocks: int, slower: float) -> None:
    """Run two stages, whose names are not in the pipeline's order, 50 times a block."""
    rng = np.random.default_rng(7)
    for _ in range(blocks):
        for seconds in 0.002 * rng.lognormal(0.0, 0.2, 50) + slower:
            for stage in ("read", "encode"):
                took = round(NANO * float(seconds))
                run = (stage, took, 1, None, 0, -1, -1, 0)
                world.recorder.stage_runs.append(run)
        world.answer(200, times=50)
        world.tick()
        world.now += 10.0
    world.tick(2.0)


def test_slow_stages_are_listed_in_the_order_in_which_they_first_ended() -> None:
    world = World(None, latency_reference_rows=200)
    run(world, 20, slower=0.0)
    run(world, 20, slower=0.05)
    (incident,) = world.monitor.report().incidents
    assert {"stage:encode", "stage:read"} <= {*incident.streams}
    assert [each.stage for each in incident.card.slowed] == ["read", "encode"]
    assert "reaches read -> encode -> predictions" in incident.card.lines()


def test_what_was_deployed_shortly_before_or_after_the_onset_is_told() -> None:
    markers = Markers()
    for minutes in (-11, -5, 0.5, 1):
        markers.add(ONSET + 60 * minutes, f"{minutes} min")
    card = card_of(markers=markers)
    assert card.changes == ["-5 min", "0.5 min"]
    assert "at that time: -5 min" in card.lines()


def test_an_onset_that_nobody_knows_has_no_changes_and_no_examples() -> None:
    markers = Markers()
    markers.add(0.0, "long ago")
    unknown = verdict("price/missing", "feature", "missing", since=None)
    card = card_of(unknown, markers=markers)
    assert (card.since, card.changes, card.examples) == (None, [], ())


@pytest.mark.parametrize(("labels", "told"), [(199, None), (200, "held")])
def test_that_the_error_held_is_said_once_labels_can_have_shown_it(
    labels: int, told: str | None
) -> None:
    held = Error("held", "measured")
    card = card_of(windows=[a_window(labels)], error=held)
    assert card.performance == told
    is_said = "the model's error has not risen (by labels)" in card.lines()
    assert is_said == (told is not None)


@pytest.mark.parametrize("delay", [None, 3600.0])
def test_labels_of_rows_from_before_the_change_say_nothing_of_it(
    delay: float | None,
) -> None:
    held = Error("held", "measured")
    card = card_of(windows=[a_window(1000)], error=held, delay=delay)
    assert card.performance is None


def test_an_error_that_rose_or_is_estimated_needs_no_labels_since() -> None:
    for error in (Error("rose", "measured"), Error("held", "estimated")):
        assert card_of(windows=[a_window()], error=error).performance == error.moved
        assert card_of(error=error).performance == error.moved
    assert card_of(error=Error("held", "measured")).performance is None


def test_without_detail_a_card_names_nothing_from_outside() -> None:
    markers = Markers()
    markers.add(ONSET, "price service 2.4")
    card = card_of(markers=markers)
    outside = {
        "changes": ["price service 2.4"],
        "consumers": ["stock"],
        "source": "the price service",
    }
    full, public = card.to_dict(), card.to_dict(detail=False)
    assert {name: full[name] for name in outside} == outside
    assert full["examples"][0]["id"] == "order-7"
    assert [public[name] for name in outside] == [[], [], None]
    assert public["examples"] == []
    for told in ("price service 2.4", "the price service", "stock", "gone"):
        assert told in str(full)
        assert told not in str(public)


class Silent(Model):
    """A model that has no answer for France."""

    def predict(self, rows: Rows) -> np.ndarray:
        return np.where(rows["land"] == "France", np.nan, super().predict(rows))


def test_the_land_that_carries_a_feature_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = Shop(monkeypatch)
    shop.serve(4)
    shop.serve(
        8, lambda rows: rows.assign(price=rows["price"].mask(rows["land"] == "France"))
    )
    (card, *_) = shop.cards()
    assert card.headline.detail.startswith("price: missing values")
    (said,) = card.segments
    assert said.detail.startswith("land = 'France' carries it (")
    assert said.public.startswith("one value of land carries it (")
    shop.watch.close()


def test_segments_are_told_of_features_only(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(monkeypatch, Silent())
    shop.serve(12)
    (incident, *_) = shop.watch.report().incidents
    assert incident.streams[0] == "said/missing"
    assert incident.card.segments == []
    shop.watch.close()
