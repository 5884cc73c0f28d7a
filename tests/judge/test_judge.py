from __future__ import annotations

from math import log

import numpy as np
import pytest

from servewatch.config import Config
from servewatch.judge.judge import Judge
from servewatch.judge.panel import DRIFT, SEVERE, WARN
from servewatch.judge.stream import Stream
from tests.judge.made import block, share_stream, value_stream, watched_column

CONFIG = Config()
EVEN = [50_000, 50_000]
CALM, MOVED = [50, 50], [75, 25]


def judge_of(*streams: Stream, config: Config = CONFIG) -> Judge:
    return Judge(streams, 2 * len(streams), config)


def serve(judge: Judge, cells: list[int], blocks: int = 1) -> Judge:
    for _ in range(blocks):
        judge.observe(block(cells, judge.blocks))
    return judge


def test_the_threshold_is_log_c_plus_log_d() -> None:
    streams = [value_stream(EVEN, name=str(k), start=2 * k) for k in range(3)]

    assert judge_of(*streams).height == pytest.approx(log(864_000) + log(3))


def test_informational_streams_do_not_raise_the_threshold() -> None:
    streams = value_stream(EVEN), value_stream(EVEN, start=2, gates=False)

    assert judge_of(*streams).height == pytest.approx(log(864_000))


def test_longer_blocks_lower_the_threshold() -> None:
    judge = judge_of(value_stream(EVEN), config=Config(block_seconds=3600))

    assert judge.height == pytest.approx(log(24 / 0.01))


def test_a_large_change_turns_every_severity_on() -> None:
    judge = serve(judge_of(value_stream(EVEN)), [95, 5], 3)

    assert judge.on[:, 0].all()


def test_severe_is_only_watched_while_drift_is_on() -> None:
    judge = judge_of(value_stream(EVEN))
    serve(judge, CALM, 20)

    assert judge.levels[SEVERE].sums()[0] == 0.0


def test_severe_evidence_is_forgotten_when_drift_ends() -> None:
    judge = serve(judge_of(value_stream(EVEN)), [95, 5], 5)

    while judge.on[DRIFT, 0]:
        serve(judge, CALM)

    assert judge.levels[SEVERE].sums()[0] == 0.0
    assert not judge.on[SEVERE, 0]


def test_a_severity_turns_off_eight_nats_below_the_threshold() -> None:
    judge = serve(judge_of(value_stream(EVEN)), MOVED, 10)
    was_lower_and_on = False
    while judge.on[DRIFT, 0]:
        level = judge.logs(DRIFT)[0]
        was_lower_and_on |= judge.height - 8 <= level < judge.height
        serve(judge, CALM)

    assert was_lower_and_on
    assert judge.logs(DRIFT)[0] < judge.height - 8


def test_evidence_uses_the_design_effect_of_the_blocks_before() -> None:
    """Else a block could lower the very tempering it is judged with."""
    judge = judge_of(value_stream(EVEN))
    serve(judge, CALM)
    deff = judge.dependence.design_effects()[0]
    expected = judge_of(value_stream(EVEN))
    serve(expected, CALM)
    hits, rows = expected.panel.count(np.array(MOVED))

    serve(judge, MOVED)
    expected.levels[WARN].update(hits, rows, np.array([1 / deff]), at=0.0, block=2)

    assert judge.logs(WARN)[0] == expected.logs(WARN)[0]
    assert judge.dependence.design_effects()[0] > deff


def test_many_weak_shifts_are_drift_of_the_dataset_first() -> None:
    streams = [value_stream(EVEN, name=str(k), start=2 * k) for k in range(50)]
    judge = judge_of(*streams)
    while not judge.dataset_on[WARN]:
        serve(judge, [60, 40] * 50)
        assert judge.blocks < 1000

    assert not judge.on[WARN].all()


def test_informational_streams_do_not_move_the_dataset() -> None:
    judge = judge_of(value_stream(EVEN), value_stream(EVEN, start=2, gates=False))

    serve(judge, [50, 50, 95, 5], 20)

    assert judge.on[DRIFT, 1]
    assert not judge.dataset_on.any()
    assert not judge.has_drift


def test_a_stream_deaf_for_longer_than_its_baseline_is_not_judged() -> None:
    judge = judge_of(value_stream([500, 500], deff=50.0))

    serve(judge, [100, 0], 500)

    assert judge.not_judged[0]
    assert not judge.on.any()


def test_a_deaf_stream_with_a_long_baseline_is_judged() -> None:
    judge = judge_of(value_stream([50_000, 50_000], deff=50.0))

    serve(judge, [100, 0], 50)

    assert judge.on[DRIFT, 0]


def test_quality_streams_are_judged_by_shares() -> None:
    stream = share_stream(0, 10_000, (0.005, 0.01, 0.05))

    assert serve(judge_of(stream), [97, 3], 30).on[:, 0].tolist() == [True, True, False]


def test_the_gate_starts_again_after_a_drift() -> None:
    judge = serve(judge_of(value_stream(EVEN)), CALM, 10)
    assert judge.gate.latched

    serve(judge, [95, 5], 3)

    assert (judge.gate.latched, judge.gate.rows) == (False, 0)


def test_a_warning_does_not_end_a_pass() -> None:
    judge = serve(judge_of(value_stream(EVEN)), CALM, 10)

    serve(judge, [60, 40], 200)

    assert judge.on[WARN, 0]
    assert judge.gate.latched


def test_a_source_that_stays_down_is_drift() -> None:
    judge = Judge(
        [value_stream([5, 5], cells=4)], 4, CONFIG, columns=[watched_column()]
    )

    judge.observe(block([0, 100, 0, 0]))

    assert judge.has_drift


def test_an_informational_source_that_stays_down_is_not() -> None:
    columns = [watched_column(gates=False)]
    judge = Judge([value_stream([5, 5], cells=4)], 4, CONFIG, columns=columns)

    judge.observe(block([0, 100, 0, 0]))

    assert not judge.has_drift


def test_a_change_of_schema_is_drift() -> None:
    columns = [watched_column(missing_share=1.0)]
    judge = Judge([value_stream([5, 5], cells=4)], 4, CONFIG, columns=columns)

    judge.observe(block([0, 100, 0, 100]))

    assert judge.has_drift


def test_the_signature_changes_with_every_status() -> None:
    judge = serve(judge_of(value_stream(EVEN)), CALM, 20)
    calm = judge.signature()
    serve(judge, CALM)
    still_calm = judge.signature()

    serve(judge, [95, 5], 3)

    assert calm == still_calm != judge.signature()


def test_an_empty_block_changes_no_evidence() -> None:
    judge = serve(judge_of(value_stream(EVEN)), MOVED)
    before = judge.logs(WARN).tolist()

    serve(judge, [0, 0], 10)

    assert judge.logs(WARN).tolist() == before


def test_warnings_and_drift_have_tolerances_of_their_own() -> None:
    """A shift between the two is established as a warning and never as drift."""
    judge = serve(judge_of(value_stream([10**7, 10**7])), [60, 40], 500)

    assert judge.on[:, 0].tolist() == [True, False, False]
