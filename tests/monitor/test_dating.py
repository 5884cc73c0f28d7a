"""When what is rare became frequent, told once and kept."""

import numpy as np
import pytest

from servewatch.config import Config
from servewatch.judge.judge import Judge
from servewatch.judge.slots import Slots
from servewatch.judge.summary import verdicts
from servewatch.judge.verdict import Verdict
from servewatch.monitor.dating import Dates, change_point
from servewatch.sketch.latency import bucket_counts
from servewatch.sketch.layout import NO_COLUMNS
from servewatch.sketch.stages import DURATIONS, OK, empty
from servewatch.sketch.window import Window
from tests.judge.test_slots import block

CONFIG = Config(latency_reference_rows=1000)
HUNDRED = np.full(8, 100.0)


@pytest.mark.parametrize("first", range(8))
def test_the_block_is_found_in_which_it_began(first: int) -> None:
    hits = np.where(np.arange(8) < first, 1.0, 40.0)
    assert change_point(hits, HUNDRED) == first


def test_the_end_of_it_is_no_beginning() -> None:
    hits = np.array([50.0, 50, 50, 50, 50, 0, 0, 0])
    assert change_point(hits, HUNDRED) == 0


def test_what_is_common_needs_more_than_chance_to_be_parted() -> None:
    hits = np.array([33.0, 35, 36, 35, 38, 34, 36, 37])  # of 100 each
    assert change_point(hits, HUNDRED) > 0
    assert change_point(hits, HUNDRED, least_nats=3.0) == 0
    hits[4:] = 96
    assert change_point(hits, HUNDRED, least_nats=3.0) == 4


class Slow:
    """A stage that a share of runs makes slow, its judge, and the sealed blocks."""

    def __init__(self) -> None:
        cells = NO_COLUMNS.size
        slots = Slots(cells, CONFIG.tolerance_quality)
        self.judge = Judge([], cells, CONFIG, slots=slots)
        self.windows: list[Window] = []
        self.dates = Dates()
        self.rng = np.random.default_rng(3)

    def run(self, blocks: int, share: float) -> Verdict:
        for _ in range(blocks):
            number = len(self.windows)
            is_slow = self.rng.random(100) < share
            cells = empty()
            cells[DURATIONS] = bucket_counts(np.where(is_slow, 0.05, 0.002))
            cells[OK] = 100
            seen = block(number, encode=cells)
            window = Window.empty(NO_COLUMNS, seen.start, seen.end)
            window.stages = seen.stages
            self.judge.observe(
                type(seen)(
                    number, seen.start, seen.end, window.counts, 0, 0, seen.stages
                )
            )
            self.windows.append(window)
            told = self.told()
        return told

    def told(self) -> Verdict:
        (found,) = [v for v in verdicts(self.judge) if v.name == "stage:encode"]
        return self.dates.of([found], self.judge, self.since)[0]

    def since(self, at: float) -> list[Window]:
        return [window for window in self.windows if window.end > at]


def test_a_date_stays_while_it_gets_worse_and_better() -> None:
    slow = Slow()
    slow.run(60, 0.0)
    dates = set()
    for share in (0.1, 0.1, 0.3, 0.8, 0.8, 0.3):
        for _ in range(6):
            told = slow.run(1, share)
            if told.status == "drift":
                dates.add((told.since, told.onset_block))
    assert dates == {(610.0, 62)}  # one block in ten slow ones more, and so uncertain


def test_the_share_that_is_told_is_the_one_of_now() -> None:
    slow = Slow()
    slow.run(60, 0.0)
    early = slow.run(6, 0.1).cause
    late = slow.run(12, 0.9).cause
    assert early != late
    assert late is not None
    assert late.endswith("since 1970-01-01 00:10:10 UTC")


def test_what_is_calm_again_is_dated_anew() -> None:
    slow = Slow()
    slow.run(60, 0.0)
    slow.run(6, 0.9)
    assert slow.run(200, 0.0).status == "ok"
    first = len(slow.windows)
    told = slow.run(6, 0.9)
    assert (told.since, told.onset_block) == (10.0 * first, first + 1)


def test_blocks_that_are_gone_tell_no_date() -> None:
    slow = Slow()
    slow.run(60, 0.0)
    slow.run(3, 0.9)
    (raw,) = [v for v in verdicts(slow.judge) if v.name == "stage:encode"]
    slow.windows = slow.windows[-1:]
    assert Dates().of([raw], slow.judge, slow.since) == [raw]
