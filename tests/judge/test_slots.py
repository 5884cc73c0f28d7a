"""Stages are judged in places that the first to run take, and keep."""

import numpy as np
from numpy.typing import NDArray

from servewatch.config import Config
from servewatch.judge.judge import Judge
from servewatch.judge.learning import calibrate
from servewatch.judge.slots import PLACES, Slots, tails_of
from servewatch.judge.state import pack_judge, unpack_judge
from servewatch.judge.stream import Block
from servewatch.judge.summary import verdicts
from servewatch.judge.verdict import Verdict
from servewatch.sketch import stages
from servewatch.sketch.latency import bucket_counts

CONFIG = Config(latency_reference_rows=1000)
RNG = np.random.default_rng(7)


def judge() -> Judge:
    return Judge([], 0, CONFIG, slots=Slots(0, CONFIG.tolerance_quality))


def runs(
    count: int,
    *,
    seconds: float = 0.002,
    failed: int = 0,
    retried: int = 0,
    rng: np.random.Generator = RNG,
) -> NDArray[np.int64]:
    cells = stages.empty()
    took = seconds * rng.lognormal(0.0, 0.3, count)
    cells[stages.DURATIONS] = bucket_counts(took)
    cells[stages.OK] = count - failed
    cells[stages.FAILED], cells[stages.RETRIED] = failed, retried
    return cells


def block(number: int, **by_name: NDArray[np.int64]) -> Block:
    return Block(
        number,
        10.0 * number,
        10.0 * number + 10,
        np.zeros(0, dtype=np.int64),
        rows=0,
        stages=by_name,
    )


def found(judge: Judge) -> dict[str, Verdict]:
    return {verdict.name: verdict for verdict in verdicts(judge)}


def healthy(judge: Judge, blocks: int = 40) -> None:
    for number in range(blocks):
        judge.observe(block(number, encode=runs(100), scale=runs(100, retried=2)))


def test_a_stage_has_streams_once_it_has_run() -> None:
    one = judge()
    assert not [name for name in found(one) if name.startswith("stage")]
    one.observe(block(0, encode=runs(100)))
    assert {"stage:encode", "stage:encode/errors", "stage:encode/retries"} <= {
        *found(one)
    }


def test_thresholds_do_not_depend_on_how_many_stages_there_are() -> None:
    bare = Judge([], 0, CONFIG, slots=Slots(0, CONFIG.tolerance_quality))
    many = judge()
    many.observe(block(0, **{f"s{k}": runs(10) for k in range(PLACES)}))
    assert many.height == bare.height
    assert many.panel.gating == 1


def test_stages_that_stay_as_they_are_stay_ok() -> None:
    one = judge()
    healthy(one, 400)
    told = found(one)
    assert {told[name].status for name in told if name.startswith("stage:")} == {"ok"}


def test_a_slow_stage_is_drift_and_the_others_are_not() -> None:
    one = judge()
    healthy(one, 60)
    for number in range(60, 64):
        slow = runs(100, seconds=0.03)
        one.observe(block(number, encode=slow, scale=runs(100, retried=2)))
    told = found(one)
    assert told["stage:encode"].status == "drift"
    assert told["stage:scale"].status == "ok"
    cause = told["stage:encode"].cause
    assert cause is not None
    assert cause.startswith("stage encode: slower than 0.0")
    assert "of runs since 1970-01-01 00:10:00 UTC" in cause


def test_a_failing_stage_and_one_that_retries_are_told_apart() -> None:
    one = judge()
    healthy(one, 60)
    for number in range(60, 66):
        one.observe(
            block(number, encode=runs(100, failed=20), scale=runs(100, retried=40))
        )
    told = found(one)
    assert told["stage:encode/errors"].status == "drift"
    assert told["stage:encode/retries"].status == "ok"
    assert told["stage:scale/retries"].status == "drift"
    assert told["stage:scale/errors"].status == "ok"


def test_names_that_come_together_take_places_in_their_order() -> None:
    one, other = judge(), judge()
    one.observe(block(0, b=runs(10), a=runs(10)))
    other.observe(block(0, a=runs(10), b=runs(10)))
    assert one.slots is not None
    assert other.slots is not None
    assert one.slots.names == other.slots.names == ["a", "b"]


def test_a_stage_too_many_is_not_judged_and_harms_no_other() -> None:
    one = judge()
    names = [f"s{k:02}" for k in range(PLACES)]
    one.observe(block(0, **{name: runs(10) for name in names}))
    one.observe(block(1, late=runs(10), **{name: runs(10) for name in names}))
    assert "stage:late" not in found(one)
    assert "stage:s15" in found(one)


def test_a_judge_that_comes_back_knows_its_stages() -> None:
    one, other = judge(), judge()
    healthy(one, 60)
    unpack_judge(other, pack_judge(one))
    assert pack_judge(other) == pack_judge(one)
    slow = runs(100, seconds=0.03)
    for each in (one, other):
        for number in range(60, 64):
            each.observe(block(number, encode=slow, scale=runs(0)))
    assert found(one) == found(other)
    assert found(other)["stage:encode"].status == "drift"


def test_going_back_to_a_state_forgets_names_that_came_later() -> None:
    one = judge()
    healthy(one, 2)
    before = pack_judge(one)
    one.observe(block(2, third=runs(10)))
    unpack_judge(one, before)
    assert "stage:third" not in found(one)
    assert pack_judge(one) == before


def test_informational_stages_do_not_gate() -> None:
    slots = Slots(0, CONFIG.tolerance_quality, ["stage:encode/retries"])
    one = Judge([], 0, CONFIG, slots=slots)
    one.observe(block(0, encode=runs(10)))
    told = found(one)
    assert told["stage:encode"].gates
    assert not told["stage:encode/retries"].gates


def test_the_event_loop_is_known_after_two_minutes_of_looks() -> None:
    one = judge()
    for number in range(20):
        one.observe(block(number, **{"event loop": runs(10, seconds=0.0002)}))
    assert found(one)["stage:event loop"].reason != "learning"
    for number in range(20, 40):
        one.observe(block(number, **{"event loop": runs(10, seconds=0.15)}))
    assert found(one)["stage:event loop"].status == "drift"


def test_tails_are_those_nearest_to_the_quantiles() -> None:
    counts = np.array([50, 40, 5, 4, 1])
    assert tails_of(counts, least=0).sum(axis=1).tolist() == [4, 3, 2, 1, 1]


def test_a_stage_that_stays_under_a_millisecond_is_not_slow() -> None:
    one = judge()
    for number in range(60):
        one.observe(block(number, encode=runs(100, seconds=0.00005)))
    for number in range(60, 100):
        one.observe(block(number, encode=runs(100, seconds=0.0004)))
    assert found(one)["stage:encode"].status == "ok"
    for number in range(100, 104):
        one.observe(block(number, encode=runs(100, seconds=0.004)))
    assert found(one)["stage:encode"].status == "drift"


def test_a_few_slow_runs_are_no_alarm() -> None:
    one = judge()
    healthy(one, 60)
    rng = np.random.default_rng(4)
    for number in range(60, 160):
        cells = runs(100, rng=rng)
        if number % 2:  # one in two hundred, as collectors of garbage do it
            cells[stages.DURATIONS] += bucket_counts(np.array([0.02]))
            cells[stages.OK] += 1
        one.observe(block(number, encode=cells, scale=runs(100, retried=2)))
    assert found(one)["stage:encode"].status == "ok"


def test_calibrated_stages_are_judged_by_those_runs_at_once() -> None:
    one = judge()
    assert calibrate(one, {"encode": runs(2000)}) == ["encode"]
    for number in range(8):
        one.observe(block(number, encode=runs(100, seconds=0.03)))
    assert found(one)["stage:encode"].status == "drift"
    # What was slow is normal now: nothing is held against it any more.
    calibrate(one, {"encode": runs(2000, seconds=0.03)})
    assert found(one)["stage:encode"].status != "drift"
    for number in range(8, 60):
        one.observe(block(number, encode=runs(100, seconds=0.03)))
    assert found(one)["stage:encode"].status == "ok"
    other = judge()
    unpack_judge(other, pack_judge(one))
    assert other.slots is not None
    assert other.slots.calibrated == {"encode"}


def test_a_step_that_becomes_slow_is_a_change_and_no_dependence() -> None:
    one = judge()
    for number in range(45):  # warm for half of what unordered data takes
        one.observe(block(number, encode=runs(50)))
    for number in range(45, 48):
        one.observe(block(number, encode=runs(50, seconds=0.03)))
    verdict = found(one)["stage:encode"]
    assert verdict.status == "drift"
    assert verdict.design_effect < 16


def test_no_two_streams_are_called_alike_whatever_stages_are() -> None:
    one = judge()
    odd = ["x", "x/errors", "x%2Ferrors", "x%252Ferrors", "x/errors/errors"]
    one.observe(block(0, **{name: runs(10) for name in odd}))
    names = [verdict.name for verdict in verdicts(one)]
    assert len(names) == len({*names})


def test_a_state_from_before_learning_was_complete_is_one_of_learning() -> None:
    one, fresh = judge(), judge()
    healthy(one, 5)
    before = pack_judge(one)
    healthy(one, 20)
    for each in (one, fresh):
        unpack_judge(each, before)
    assert found(one) == found(fresh)
    assert found(one)["stage:encode"].reason == "learning"


def test_a_place_that_is_taken_again_gates_by_its_own_stage() -> None:
    slots = Slots(0, CONFIG.tolerance_quality, ["stage:encode"])
    one = Judge([], 0, CONFIG, slots=slots)
    before = pack_judge(one)
    one.observe(block(0, encode=runs(10)))
    unpack_judge(one, before)
    one.observe(block(0, scale=runs(10)))
    assert found(one)["stage:scale"].gates


def test_what_was_seen_before_a_calibration_counts_no_more() -> None:
    one = judge()
    healthy(one, 60)
    calibrate(one, {"encode": runs(2000)})
    assert found(one)["stage:encode"].rows == 0


def test_runs_of_stages_too_many_are_no_stage() -> None:
    one = judge()
    one.observe(block(0, encode=runs(10), other=runs(10)))
    assert "stage:other" not in found(one)
