import os
import signal
from typing import Any

import numpy as np
import pytest

from servewatch.baseline import Baseline
from servewatch.judge.state import pack_judge
from servewatch.record.observation import Call
from servewatch.record.snapshot import snapshot_features
from servewatch.store.memory import MemoryStore
from tests.monitor.world import World, normal_baseline, normal_rows


def test_a_block_is_judged_after_its_end_and_the_grace() -> None:
    world = World(normal_baseline())
    world.serve(normal_rows(100, seed=3))
    world.tick()

    world.tick(11.9)
    assert world.monitor.latest.blocks == 0
    world.tick(0.1)
    assert world.monitor.latest.blocks == 1


def test_blocks_with_few_rows_join_the_next() -> None:
    world = World(normal_baseline())
    world.serve_blocks(4, rows=20)

    sealed = world.monitor.blocks(0)
    assert [block.window.rows for block in sealed] == [60]


def test_no_rows_make_no_block() -> None:
    world = World(normal_baseline())
    for _ in range(30):
        world.tick(10.0)

    assert world.monitor.latest.blocks == 0


def test_one_batch_is_one_block_whatever_its_size() -> None:
    world = World(normal_baseline())
    world.serve_blocks(1, rows=5000)

    assert [block.window.rows for block in world.monitor.blocks(0)] == [5000]


def test_without_a_shift_the_status_becomes_ok_and_the_gate_passes() -> None:
    world = World(normal_baseline())
    world.serve_blocks(8)
    report = world.monitor.latest

    assert report.status == "ok"
    assert report.gate.verdict == "pass"
    assert report.gate.ok is True


def test_before_enough_rows_the_report_says_what_it_waits_for() -> None:
    world = World(normal_baseline())
    world.serve_blocks(1)
    report = world.monitor.latest

    assert report.status == "insufficient_data"
    assert "more rows" in str(report.reason)
    assert report.gate.verdict == "inconclusive"
    assert report.gate.rows_needed > 0


def test_a_shift_is_drift_with_the_column_and_its_share_in_the_cause() -> None:
    world = World(normal_baseline())
    world.serve_blocks(5, shift=1.5)
    stream = world.monitor.latest.stream("a")

    assert stream.status == "drift"
    assert str(stream.cause).startswith("a ")
    assert "% of rows since 1970-01-01" in str(stream.cause)
    assert world.monitor.latest.gate.verdict == "fail"


def test_the_public_cause_names_no_value() -> None:
    world = World(normal_baseline())
    world.serve_blocks(5, shift=1.5)
    stream = world.monitor.latest.stream("a")

    assert stream.cause_public is not None
    assert stream.cause_public.startswith("a: ")
    assert "<" not in stream.cause_public.split(":")[1]


def test_since_is_the_block_in_which_the_shift_began() -> None:
    world = World(normal_baseline())
    world.serve_blocks(10)
    began = world.now - world.now % 10
    world.serve_blocks(5, shift=1.5)

    assert world.monitor.latest.stream("a").since == pytest.approx(began, abs=10.0)


def test_drift_ends_after_the_shift_does() -> None:
    world = World(normal_baseline())
    world.serve_blocks(5, shift=1.5)
    world.serve_blocks(40)

    assert world.monitor.latest.stream("a").status == "ok"
    assert world.monitor.latest.status == "ok"


def test_listeners_hear_each_change_once() -> None:
    world = World(normal_baseline())
    world.serve_blocks(5, shift=1.5)
    told = [change for change in world.changes if change.stream == "a"]

    assert [change.status for change in told][-1] == "drift"
    assert len({(c.status, c.previous) for c in told}) == len(told)


def test_a_listener_that_fails_silences_no_other() -> None:
    world = World(normal_baseline())

    def fail(_: object) -> None:
        raise RuntimeError

    world.monitor._changes.listeners.insert(0, fail)
    world.serve_blocks(5, shift=1.5)

    assert world.changes
    assert world.recorder.totals.internal_errors["listener"] > 0


def test_health_is_degraded_by_a_fault_and_recovers_after_five_minutes() -> None:
    world = World(normal_baseline())
    world.recorder.totals.fault("drain")
    world.tick()
    degraded = world.monitor.health()
    world.tick(301.0)

    assert degraded["status"] == "degraded"
    assert degraded["reasons"] == ["internal errors at drain"]
    assert world.monitor.health()["status"] == "ok"


def test_health_says_when_rows_wait_and_nothing_ticks() -> None:
    world = World(normal_baseline())
    world.tick()
    world.now += 11.0
    idle = world.monitor.health()
    world.serve(normal_rows(10, seed=1))

    assert idle["status"] == "ok"
    assert world.monitor.health()["reasons"] == [
        "the background thread has not run for 11 s"
    ]


def test_missing_values_are_named_before_the_shape_they_change() -> None:
    world = World(normal_baseline())
    for block in range(4):
        rows = normal_rows(100, seed=block)
        rows[:, 0] = np.nan
        world.serve(rows)
        world.tick()
        world.now += 10.0
    world.tick(2.0)
    report = world.monitor.latest

    assert report.stream("a/missing").status == "drift"
    assert "missing values" in str(report.stream("a/missing").cause)
    assert report.incidents[0].streams[0] == "a/missing"


def test_an_absent_column_is_a_schema_change() -> None:
    world = World(normal_baseline())
    world.serve([{"a": 0.1} for _ in range(100)])
    world.tick()
    world.tick(12.0)

    schema = world.monitor.latest.stream("schema")
    assert schema.status == "drift"
    assert "column b is absent" in str(schema.cause)


def test_a_new_column_is_a_schema_change_that_ends_with_it() -> None:
    world = World(normal_baseline())
    world.serve([{"a": 0.1, "b": 0.2, "c": 1.0} for _ in range(100)])
    world.tick()
    world.tick(12.0)
    assert "new columns: c" in str(world.monitor.latest.stream("schema").cause)

    world.serve_blocks(1)
    assert world.monitor.latest.stream("schema").status == "ok"


def test_failed_requests_are_drift_of_the_error_rate() -> None:
    world = World(normal_baseline())
    for _ in range(4):
        world.answer(200, times=80)
        world.answer(503, times=20)
        world.tick()
        world.now += 10.0
    world.tick(2.0)

    errors = world.monitor.latest.stream("errors")
    assert errors.status == "drift"
    assert "failed requests: 0 % -> 20 % of requests" in str(errors.cause)


def test_latency_learns_its_reference_and_then_finds_slow_requests() -> None:
    world = World(None, latency_reference_rows=500)
    rng = np.random.default_rng(2)
    for block in range(150):
        for seconds in rng.gamma(4.0, 0.001, size=60):
            world.answer(200, seconds * (4.0 if block >= 60 else 1.0))
        world.tick()
        world.now += 10.0
        if block == 59:
            assert world.monitor.latest.stream("latency").status == "ok"
    latency = world.monitor.latest.stream("latency")

    assert latency.status == "drift"
    assert "slower than" in str(latency.cause)


def test_without_a_baseline_the_report_says_why_there_is_no_verdict() -> None:
    world = World(None)
    world.answer(200, times=100)
    world.tick()
    world.tick(12.0)
    report = world.monitor.latest

    assert report.status == "insufficient_data"
    assert "no baseline" in str(report.reason)
    assert report.latency["request"]["count"] == 100


def test_looking_often_changes_nothing() -> None:
    once, often = World(normal_baseline()), World(normal_baseline())
    once.serve_blocks(6, shift=0.5)
    for block in range(6):
        often.serve(normal_rows(100, seed=block + 17, shift=0.5))
        for _ in range(20):
            often.tick(0.5)
            often.monitor.report()
    often.tick(2.0)

    assert pack_judge(often.monitor.judge) == pack_judge(once.monitor.judge)


def test_a_restart_goes_on_with_the_evidence_of_the_store() -> None:
    store = MemoryStore()
    before = World(normal_baseline(), store)
    before.serve_blocks(5, shift=1.5)
    after = World(normal_baseline(), store)
    after.monitor.flush()

    assert pack_judge(after.monitor.judge) == pack_judge(before.monitor.judge)
    assert after.monitor.latest.stream("a").status == "drift"


def test_a_worker_without_the_lease_seals_nothing() -> None:
    store = MemoryStore()
    first, second = World(normal_baseline(), store), World(normal_baseline(), store)
    second.monitor._worker = "two"
    first.tick()
    second.serve(normal_rows(100, seed=3))
    second.tick()
    first.tick(8.0)
    second.tick(12.0)

    assert second.monitor.blocks(0) == []
    first.tick(4.0)
    assert [block.window.rows for block in first.monitor.blocks(0)] == [100]


def test_a_report_has_only_finite_numbers() -> None:
    world = World(normal_baseline())
    world.serve([{"a": float("inf"), "b": None}, {"a": "x", "b": 1e308}] * 50)
    world.tick()
    world.tick(12.0)
    text = repr(world.monitor.latest.to_dict())

    assert "inf" not in text.replace("inference", "").replace("influence", "")
    assert "nan" not in text


def test_stale_says_that_no_row_came_for_long() -> None:
    world = World(normal_baseline())
    world.serve_blocks(2)
    world.tick(301.0)

    assert world.monitor.latest.stale
    assert world.monitor.latest.stream("a").rows == 200


def test_distances_stand_beside_the_verdict_with_their_noise() -> None:
    world = World(normal_baseline())
    world.serve_blocks(5, shift=1.5)
    distances = world.monitor.latest.stream("a").distances

    assert {"psi", "js", "hellinger", "ks", "wasserstein"} <= set(distances)
    assert distances["js"].value > distances["js"].noise
    # values count at their bin's mean, so those beyond the baseline's fall short
    assert 1.2 < distances["wasserstein"].value < 1.5


def test_names_that_callers_made_up_are_not_public() -> None:
    world = World(normal_baseline())
    world.serve([{"a": 0.1, "b": 0.2, "alice@example.com": 1} for _ in range(40)])
    world.answer(200, times=40)
    world.serve_blocks(1)
    world.serve([{"a": 0.1, "b": 0.2, "alice@example.com": 1} for _ in range(90)])
    world.tick()
    world.tick(12.0)
    schema = world.monitor.latest.stream("schema")

    assert "alice@example.com" in str(schema.cause)
    assert str(schema.cause_public).startswith("new columns since")


def test_health_checks_do_not_close_a_block_of_few_rows() -> None:
    world = World(normal_baseline())
    for _ in range(4):
        world.serve([{"a": 0.1} for _ in range(15)])
        world.answer(200, times=60)
        world.tick()
        world.now += 10.0
    world.tick(2.0)

    assert [block.window.rows for block in world.monitor.blocks(0)] == [60]
    assert world.monitor.latest.stream("schema").status == "drift"


def test_an_ok_ends_when_no_value_came_within_the_horizon() -> None:
    values = normal_rows(3000, seed=1)
    known = Baseline.build(
        {"a": values[:, 0], "p": values[:, 1]},
        prediction="p",
        ordered=True,
    )
    world = World(known, horizon_seconds=60.0, slow_deff=3.0)
    for block in range(60):
        rows = normal_rows(100, seed=block + 5)
        answer = snapshot_features([{"p": p} for p in rows[:, 1].tolist()], 8192)
        asked = snapshot_features([{"a": a} for a in rows[:, 0].tolist()], 8192)
        prediction = answer if block < 12 else None
        world.recorder.record_call(Call(asked, prediction, "predict", 0.001))
        world.tick()
        world.now += 10.0
        if block == 12:
            assert world.monitor.latest.stream("p").status == "ok"
    world.tick(2.0)

    assert world.monitor.latest.stream("p").status == "insufficient_data"
    assert world.monitor.latest.stream("a").status == "ok"


def test_a_block_that_cannot_be_written_was_never_judged() -> None:
    class Failing(MemoryStore):
        is_broken = True

        def seal(self, *args: Any, **kwargs: Any) -> bool:
            if self.is_broken:
                raise OSError("full")
            return super().seal(*args, **kwargs)

    store = Failing()
    world = World(normal_baseline(), store)
    before = pack_judge(world.monitor.judge)
    world.serve(normal_rows(100, seed=3))
    world.tick()
    world.now += 12.0
    for _ in range(30):
        with pytest.raises(OSError, match="full"):
            world.monitor.tick()

    assert pack_judge(world.monitor.judge) == before
    store.is_broken = False
    world.tick()
    assert [block.window.rows for block in world.monitor.blocks(0)] == [100]


def test_a_block_that_cannot_be_judged_does_not_hold_up_the_next() -> None:
    class Forgetful(MemoryStore):
        """Takes no evidence of the first block."""

        def seal(self, *args: Any, **kwargs: Any) -> bool:
            if kwargs["after"] is None and kwargs["evidence"] != before:
                raise ValueError("odd evidence")
            return super().seal(*args, **kwargs)

    world = World(normal_baseline(), Forgetful())
    before = pack_judge(world.monitor.judge)
    world.serve(normal_rows(100, seed=3))
    world.tick()
    world.now += 12.0
    for _ in range(2):
        with pytest.raises(ValueError, match="odd evidence"):
            world.monitor.tick()
    world.tick()
    world.serve_blocks(1)

    assert [block.window.rows for block in world.monitor.blocks(0)] == [100, 100]
    assert world.monitor.judge.blocks == 1
    assert world.recorder.totals.internal_errors["judge"] == 1


def test_what_another_worker_sealed_is_followed_without_a_word() -> None:
    store = MemoryStore()
    first = World(normal_baseline(), store)
    second = World(normal_baseline(), store, worker="two")
    second.tick()
    first.now += 11.0
    first.serve_blocks(3, shift=2.0)
    second.now = first.now
    second.tick()

    assert pack_judge(second.monitor.judge) == pack_judge(first.monitor.judge)
    assert second.changes == []


def test_rows_after_the_end_of_a_replay_make_a_block_of_their_own() -> None:
    world = World(normal_baseline())
    world.serve(normal_rows(100, seed=3))
    world.monitor.flush()
    world.monitor.finish()
    world.serve(normal_rows(70, seed=4))
    world.monitor.flush()
    world.monitor.finish()

    assert world.monitor.judge.recent.rows == 170


def test_a_row_a_minute_is_not_stale() -> None:
    world = World(normal_baseline())
    for block in range(10):
        world.serve(normal_rows(1, seed=block))
        world.tick(60.0)
        assert not world.monitor.latest.stale


def test_an_informational_column_never_fails_the_gate() -> None:
    world = World(normal_baseline(), informational=("b",))
    world.serve([{"a": a} for a in normal_rows(500, seed=2)[:, 0].tolist()])
    world.tick()
    world.tick(12.0)
    report = world.monitor.latest

    assert "column b is absent" in str(report.stream("schema").cause)
    assert report.status != "drift"
    assert report.gate.verdict != "fail"


def test_the_gate_counts_from_the_end_of_the_last_drift() -> None:
    world = World(normal_baseline())
    world.serve_blocks(5, shift=1.5)
    ended = world.now
    world.serve_blocks(40)
    gate = world.monitor.latest.gate

    assert gate.since is not None
    assert gate.since >= ended - 10.0


def test_a_forked_child_starts_anew_while_the_parent_holds_the_lock() -> None:
    world = World(normal_baseline())
    world.serve_blocks(5, shift=1.5)
    with world.monitor.reading():
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            fresh = world.monitor.report()
            told = len(world.changes)
            world.serve_blocks(1)  # calm again: no end of what the parent saw
            ended = [c for c in world.changes[told:] if c.previous == "drift"]
            os._exit(0 if (fresh.blocks, fresh.rows, ended) == (0, 0, []) else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0


def test_columns_called_like_streams_keep_streams_of_their_own() -> None:
    names = ("a", "a/missing", "dataset", "latency", "column:a")
    values = np.random.default_rng(1).normal(size=(3000, len(names)))
    known = Baseline.build(dict(zip(names, values.T, strict=True)), ordered=True)
    world = World(known)
    rows = np.random.default_rng(2).normal(size=(900, len(names)))
    rows[:, 1] += 2.0
    world.serve([dict(zip(names, row, strict=True)) for row in rows.tolist()])
    world.tick()
    world.tick(12.0)
    report = world.monitor.latest
    streams = [stream.name for stream in report.streams]

    assert len(streams) == len(set(streams))
    assert report.stream("column:a/missing").status == "drift"
    assert report.stream("a/missing").status == "ok"
    assert report.stream("column:a/missing").distances


def test_a_stage_that_fails_before_the_model_is_judged_without_any_row() -> None:
    world = World(None, latency_reference_rows=100)
    for block in range(60):
        for _ in range(60):
            error = "OSError" if block >= 40 else None
            run = ("fetch", 2_000_000, 1, error, 0, -1, -1, 0)
            world.recorder.stage_runs.append(run)
        world.tick()
        world.now += 10.0
    world.tick(2.0)
    assert world.monitor.latest.stream("stage:fetch/errors").status == "drift"
