import numpy as np
import pytest

from servewatch.config import Config
from servewatch.judge.evidence import Evidence, blocks_per_alarm
from servewatch.judge.panel import DRIFT, Panel
from tests.judge.made import value_stream

PATIENCE = 864_000.0
EVEN = [10**8, 10**8]


def detector(streams: int = 1, patience: float = PATIENCE) -> Evidence:
    made = [
        value_stream(EVEN, name=str(k), start=2 * k, bins=None) for k in range(streams)
    ]
    panel = Panel(made, 2 * streams, Config(), streams)
    return Evidence(panel, DRIFT, patience=patience, cap_nats=2.0)


def fold(
    evidence: Evidence, *cells: list[int], eta: float = 1.0, first: int = 0
) -> None:
    for number, block in enumerate(cells, first):
        hits, rows = evidence.panel.count(np.array(block))
        etas = np.full(rows.size, eta)
        evidence.update(hits, rows, etas, at=10.0 * number, block=number)


def test_a_false_alarm_in_a_hundred_days_is_864000_blocks_of_ten_seconds() -> None:
    assert blocks_per_alarm(10.0, 0.01) == pytest.approx(864_000)


def test_there_is_no_evidence_at_first() -> None:
    assert detector().sums().tolist() == [0.0]


def test_a_block_without_rows_changes_nothing() -> None:
    evidence = detector(2)
    fold(evidence, [80, 20, 50, 50])
    before = evidence.sums()

    fold(evidence, [0, 0, 50, 50])

    assert evidence.sums()[0] == before[0]


def test_streams_do_not_touch_one_another() -> None:
    alone, beside = detector(1), detector(2)
    fold(alone, [60, 40], [70, 30])
    fold(beside, [60, 40, 5, 95], [70, 30, 0, 100])

    # d = 1 and d = 2 differ in cap and confidence bound only, neither of which binds.
    assert beside.sums()[0] == pytest.approx(alone.sums()[0], rel=1e-9)


def test_evidence_stops_at_its_cap() -> None:
    evidence = detector()
    fold(evidence, *[[100, 0]] * 50)

    # Each of a set's five alternatives reaches c d e^2 / (w / 5), w = 1/2.
    assert evidence.ratios[0] == pytest.approx(
        np.full(5, PATIENCE * np.exp(2) / (0.5 / 5))
    )


def test_evidence_is_finite_however_large_a_block_is() -> None:
    evidence = detector()
    fold(evidence, [10**9, 0], [10**9, 0])

    assert np.isfinite(evidence.sums()).all()


def test_tempered_evidence_is_that_of_fewer_rows() -> None:
    tempered, fewer = detector(), detector()
    fold(tempered, [80, 20], eta=0.1)
    fold(fewer, [8, 2])

    np.testing.assert_allclose(tempered.ratios, fewer.ratios, rtol=1e-12)


def test_onset_is_the_block_after_the_last_calm_one() -> None:
    evidence = detector()
    fold(evidence, [50, 50], [50, 50], [80, 20], [80, 20])

    assert evidence.onset[0] == 20.0
    assert evidence.onset_block[0] == 2


def test_a_calm_set_has_no_onset() -> None:
    evidence = detector()
    fold(evidence, [80, 20], *[[50, 50]] * 200)

    assert np.isnan(evidence.onset[0])
    assert evidence.onset_block[0] == -1


def test_rows_and_hits_are_counted_from_the_onset() -> None:
    evidence = detector()
    fold(evidence, [50, 50], [80, 20], [81, 19])

    assert (evidence.hits[0], evidence.rows[0]) == (161.0, 200.0)


def test_contributions_add_up_to_the_streams_evidence() -> None:
    evidence = detector()
    fold(evidence, [80, 20])

    assert evidence.contributions().sum() == pytest.approx(evidence.sums()[0])


def test_contributions_of_a_span_are_those_of_the_whole() -> None:
    evidence = detector(2)
    fold(evidence, [80, 20, 30, 70])

    part = evidence.contributions(slice(2, 4))

    assert part.tolist() == evidence.contributions()[2:4].tolist()


def test_a_reset_forgets_the_marked_streams_only() -> None:
    evidence = detector(2)
    fold(evidence, [80, 20, 80, 20])

    evidence.reset(np.array([True, False]))

    assert evidence.sums()[0] == 0.0
    assert evidence.sums()[1] > 0.0
    assert np.isnan(evidence.onset[0])


def test_a_set_that_may_hold_everything_never_has_evidence() -> None:
    stream = value_stream([99_999_999, 1])
    evidence = Evidence(
        Panel([stream], 2, Config(), 1), DRIFT, patience=PATIENCE, cap_nats=2.0
    )

    fold(evidence, *[[100, 0]] * 20)

    assert evidence.ratios[0].tolist() == [0.0] * 5
