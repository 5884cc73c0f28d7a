from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import pytest

from servewatch.config import Config
from servewatch.judge.judge import Judge
from servewatch.judge.panel import DRIFT, WARN
from servewatch.judge.stream import Stream
from servewatch.judge.summary import NO_EVIDENCE, culprit, verdicts
from servewatch.judge.verdict import Verdict, overall
from tests.judge.made import block, share_stream, value_stream, watched_column

CONFIG = Config()
EVEN = [50_000, 50_000]


def judge_of(*streams: Stream, config: Config = CONFIG) -> Judge:
    return Judge(streams, 2 * len(streams), config)


def serve(judge: Judge, cells: list[int], blocks: int = 1) -> Judge:
    for _ in range(blocks):
        judge.observe(block(cells, judge.blocks))
    return judge


def first(judge: Judge) -> Verdict:
    return verdicts(judge)[0]


def test_nothing_seen_is_too_little_data() -> None:
    verdict = first(judge_of(value_stream(EVEN)))

    assert (verdict.status, verdict.reason) == ("insufficient_data", "few_rows")


def test_evidence_is_shown_as_finite() -> None:
    assert first(judge_of(value_stream(EVEN))).evidence == NO_EVIDENCE


def test_ok_takes_the_rows_that_would_have_shown_a_material_change() -> None:
    judge = judge_of(value_stream(EVEN))
    blocks = judge.n_min // 100
    serve(judge, [50, 50], blocks)
    before = first(judge).status

    serve(judge, [50, 50])

    assert (before, first(judge).status) == ("insufficient_data", "ok")


def test_rows_to_detect_grow_with_the_design_effect() -> None:
    judge = judge_of(value_stream(EVEN, deff=7.5))

    assert first(judge).rows_to_detect == ceil(judge.n_min * 7.5)


def test_drift_may_come_before_there_are_rows_enough_for_ok() -> None:
    judge = serve(judge_of(value_stream(EVEN)), [100, 0])

    assert first(judge).rows < judge.n_min
    assert first(judge).status == "drift"


def test_a_small_shift_is_a_warning() -> None:
    judge = serve(judge_of(value_stream([10**7, 10**7])), [60, 40], 500)

    assert (first(judge).status, first(judge).established) == ("warning", 0.05)


def test_the_largest_level_established_is_shown() -> None:
    judge = serve(judge_of(value_stream(EVEN)), [95, 5], 5)

    assert first(judge).established == 0.2


def test_a_quality_stream_establishes_a_share() -> None:
    judge = serve(judge_of(share_stream(0, 10_000, (0.005, 0.01, 0.05))), [97, 3], 30)

    assert first(judge).established == 0.01


def test_the_cause_says_what_moved_and_since_when() -> None:
    judge = serve(judge_of(value_stream(EVEN)), [50, 50], 6)
    serve(judge, [90, 10], 4)

    verdict = first(judge)

    assert verdict.cause == (
        "x: set 0: 50 % -> 90 % of rows since 1970-01-01 00:01:00 UTC"
    )
    assert (verdict.since, verdict.onset_block) == (60.0, 7)


def test_the_public_cause_names_no_value() -> None:
    judge = serve(judge_of(value_stream(EVEN)), [90, 10], 4)

    cause = first(judge).cause_public

    assert cause is not None
    assert cause.startswith("x: a set: ")


def test_a_calm_stream_has_no_cause() -> None:
    verdict = first(serve(judge_of(value_stream(EVEN)), [50, 50], 10))

    assert (verdict.cause, verdict.since, verdict.established) == (None, None, None)


def test_the_culprit_is_the_set_that_moved_furthest() -> None:
    judge = judge_of(value_stream([25_000] * 2), value_stream([25_000] * 2, start=2))

    serve(judge, [50, 50, 10, 90], 5)

    assert culprit(judge, 1, DRIFT) == 1


def test_a_slow_stream_never_prints_ok() -> None:
    judge = judge_of(value_stream([500_000] * 2, deff=30.0))

    serve(judge, [5000, 5000], 50)

    assert (first(judge).status, first(judge).reason) == ("insufficient_data", "slow")


def test_a_slow_stream_leaves_the_overall_status_alone() -> None:
    streams = value_stream([500_000] * 2, deff=30.0), value_stream(EVEN, start=2)

    judge = serve(judge_of(*streams), [50, 50, 50, 50], 10)

    assert overall(verdicts(judge)) == "ok"


def test_a_slow_stream_can_turn_red() -> None:
    judge = serve(judge_of(value_stream([500_000] * 2, deff=30.0)), [1000, 0], 5)

    assert first(judge).status == "drift"


def test_a_stream_that_is_not_judged_says_so() -> None:
    judge = serve(judge_of(value_stream([500, 500], deff=10.0)), [50, 50], 100)

    verdict = first(judge)

    assert (verdict.status, verdict.reason) == ("insufficient_data", "not_judged")
    assert not verdict.holds


def test_only_streams_that_can_hold_keep_the_overall_status_open() -> None:
    streams = value_stream(EVEN), value_stream(EVEN, start=2, can_hold=False)

    judge = serve(judge_of(*streams), [50, 50, 0, 0], 10)

    assert [v.status for v in verdicts(judge)[:2]] == ["ok", "insufficient_data"]
    assert overall(verdicts(judge)) == "ok"


def test_an_informational_stream_says_so() -> None:
    judge = serve(judge_of(value_stream(EVEN, gates=False)), [95, 5], 5)

    verdict = first(judge)

    assert (verdict.status, verdict.reason) == ("drift", "informational")
    assert overall(verdicts(judge)) != "drift"


def test_a_stream_that_is_calm_before_its_status_ends_says_so() -> None:
    """With weekly blocks the line to recover lies below a calm set's evidence."""
    streams = value_stream(EVEN), value_stream(EVEN, name="y", start=2)
    judge = judge_of(*streams, config=Config(block_seconds=7 * 86400))
    serve(judge, [50, 50, 95, 5], 3)
    serve(judge, [95, 5, 50, 50])
    while not np.isnan(judge.levels[WARN].onset[2:]).all():
        serve(judge, [95, 5, 50, 50])

    found = verdicts(judge)[1]

    assert found.status == "warning"
    assert (found.since, found.onset_block) == (None, None)
    assert found.cause == "y: as in the baseline again; its evidence still fades"


def test_the_dataset_has_a_verdict_of_its_own() -> None:
    judge = serve(judge_of(value_stream(EVEN)), [95, 5], 5)

    dataset = verdicts(judge)[-1]

    assert (dataset.name, dataset.status) == ("dataset", "drift")
    assert dataset.cause == "evidence over all streams together, most from x"


def test_the_datasets_threshold_is_log_c() -> None:
    judge = judge_of(*[value_stream(EVEN, name=str(k), start=2 * k) for k in range(4)])

    assert verdicts(judge)[-1].threshold == pytest.approx(np.log(864_000))


def guarded(*, longest_gap: int = 0) -> Judge:
    """A column over value, missing, type error and absent, as streams and guards."""
    missing = replace(
        share_stream(0, 10_000, (0.005, 0.01, 0.05), name="x/missing"),
        column="x",
        span=slice(0, 4),
        members=np.array([[False, True, False, False]]),
        base=np.array([True, True, True, False]),
    )
    columns = [watched_column(longest_gap=longest_gap)]
    return Judge([missing], 6, CONFIG, columns=columns, unknown=slice(4, 6))


def test_a_source_down_within_its_usual_gaps_is_a_warning_that_says_so() -> None:
    judge = guarded(longest_gap=5)
    judge.panel.bounds[:] = 1.0
    for evidence in judge.levels:
        evidence._live[:] = False  # as deaf as a seasonal column
    serve(judge, [0, 100, 0, 0, 100, 0], 2)

    verdict = first(judge)

    assert (verdict.status, verdict.reason) == ("warning", "source_down")
    assert verdict.cause == (
        "missing values: at least half of x in 2 blocks in a row since "
        "1970-01-01 00:00:00 UTC (the baseline's longest run: 5)"
    )


def test_the_schema_is_ok_as_long_as_nothing_changed() -> None:
    judge = serve(guarded(), [100, 0, 0, 0, 100, 0])

    (schema,) = [v for v in verdicts(judge) if v.name == "schema"]

    assert schema.status == "ok"


def test_a_change_of_schema_is_drift_with_its_reason() -> None:
    judge = serve(guarded(), [0, 0, 100, 0, 100, 0])

    (schema,) = [v for v in verdicts(judge) if v.name == "schema"]

    assert (schema.status, schema.reason) == ("drift", "schema")
    assert schema.cause is not None
    assert schema.cause.startswith("column x has another type since ")


def test_the_envelope_only_warns() -> None:
    largest = {1: np.array([0.6, 0.6])}
    stream = value_stream([5000, 5000], deff=20.0, envelope=largest)
    judge = serve(judge_of(stream), [9000, 1000])
    judge.on[:] = False

    verdict = first(judge)

    assert (verdict.status, verdict.reason) == ("warning", "envelope")
    assert verdict.cause is not None
    assert verdict.cause.endswith("(beyond every window of the baseline)")


def test_asking_changes_nothing() -> None:
    judge = serve(judge_of(value_stream(EVEN)), [70, 30], 5)

    assert verdicts(judge) == verdicts(judge)
