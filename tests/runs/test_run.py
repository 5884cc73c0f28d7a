"""A run as a job has it: what it tells, whatever becomes of it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prometheus_client.parser import text_string_to_metric_families

import servewatch as sw
from servewatch.config.current_run import current_run

Told = list[dict[str, Any]]


def told(capsys: pytest.CaptureFixture[str]) -> Told:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def named(events: Told, name: str) -> Told:
    return [each for each in events if each["event"] == name]


def samples(path: Path) -> dict[str, float]:
    """Give the values of a text by name, and stage where there is one."""
    found = {}
    for family in text_string_to_metric_families(path.read_text("utf-8")):
        for sample in family.samples:
            stage = sample.labels.get("stage")
            name = sample.name.removeprefix("servewatch_run_")
            found[name if stage is None else f"{name}/{stage}"] = sample.value
    return found


def test_a_run_tells_of_its_stages_and_of_its_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with sw.run("train", job="demand", id="7", code_version="a1b2") as run:
        with run.stage("ingest") as stage:
            stage.rows(300)
        run.metric("accuracy", 0.93)
        run.rows(300)
        run.fallback("yesterday's file")
        run.event("late", files=2)
    events = told(capsys)

    assert [each["event"] for each in events] == [
        *("run.started", "run.stage", "run.noted", "run.finished")
    ]
    assert {(e["job"], e["kind"], e["run_id"], e["model"]) for e in events} == {
        ("demand", "train", "7", "demand")
    }
    stage_told, last = events[1], events[-1]
    assert (stage_told["stage"], stage_told["rows"]) == ("ingest", 300)
    assert (last["status"], last["code_version"]) == ("ok", "a1b2")
    assert (last["rows"], last["metrics"]) == (300, {"accuracy": 0.93})
    assert last["fallbacks"] == {"yesterday's file": 1}
    assert last["stages"]["ingest"]["runs"] == 1
    assert events[2]["facts"] == {"files": 2}


def test_an_exception_goes_on_unchanged_and_fails_the_run_and_its_open_stages(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    raised = ValueError("row 17 of Jane Doe")
    with (
        pytest.raises(ValueError, match="row 17") as caught,
        sw.run("train", job="demand", textfile=tmp_path / "a.prom") as run,
        run.stage("outer"),
        run.stage("inner"),
    ):
        raise raised
    events = told(capsys)

    assert caught.value is raised
    assert run.facts().status == "failed"
    (last,) = named(events, "run.failed")
    assert (last["status"], last["error"], last["level"]) == (
        *("failed", "ValueError", "error"),
    )
    for name in ("outer", "inner"):
        assert last["stages"][name]["errors"] == {"ValueError": 1}
    assert "Jane" not in json.dumps(events) + (tmp_path / "a.prom").read_text("utf-8")
    found = samples(tmp_path / "a.prom")
    assert (found["status"], found["errors_total"]) == (2, 1)
    assert found["stage_errors_total/inner"] == 1


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_or_an_exit_aborts_the_run(
    kind: type[BaseException], tmp_path: Path
) -> None:
    with (
        pytest.raises(kind),
        sw.run("train", job="demand", textfile=tmp_path / "a.prom") as run,
    ):
        raise kind

    assert run.facts().status == "aborted"
    assert samples(tmp_path / "a.prom")["status"] == 3


def test_while_it_runs_the_textfile_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    with sw.run("train", job="demand", textfile=path) as run:
        found = samples(path)

    assert (found["status"], "end_time_seconds" in found) == (0, False)
    facts = run.facts()
    found = samples(path)
    assert found["status"] == 1
    assert found["start_time_seconds"] == facts.started
    assert facts.ended is not None
    assert found["duration_seconds"] == facts.ended - facts.started > 0


GROWING = """
import os, sys
import servewatch as sw

with sw.run("train", job="demand", textfile=sys.argv[1]) as run:
    with run.stage("grow"):
        grown = bytearray(os.urandom(64 * 2**20))
    with run.stage("rest"):
        del grown
"""


def test_the_resources_of_a_stage_are_measured(tmp_path: Path) -> None:
    # In a process of its own: the peak of this one may be higher already.
    path = tmp_path / "a.prom"
    subprocess.run(
        [sys.executable, "-c", GROWING, path], check=True, capture_output=True
    )
    found = samples(path)

    assert found["stage_memory_growth_bytes/grow"] >= 64 * 2**20
    assert found["stage_memory_growth_bytes/rest"] == 0
    assert found["peak_memory_bytes"] > 64 * 2**20
    # The kernel draws the random bytes: some 100 ms of the thread. Clocks of wall and
    # processor differ by a tick or so.
    thread, process = (
        found[f"stage_{name}/grow"] for name in ("cpu_seconds", "process_cpu_seconds")
    )
    assert 0.01 < thread <= found["stage_duration_seconds/grow"] + 0.02
    assert thread <= process + 0.02
    assert process <= found["cpu_seconds"] + 0.02


def test_an_id_is_made_where_none_is_given() -> None:
    with sw.run("train", job="a") as first, sw.run("train", job="b") as second:
        assert first.id != second.id
    assert str(UUID(first.id)) == first.id


def test_code_inside_knows_the_innermost_run() -> None:
    with sw.run("outer", job="a", id="1"):
        with sw.run("inner", job="a", id="2", code_version="x"):
            assert current_run() == ("2", "x")
        found = current_run()
        assert found is not None
        assert found.id == "1"
    assert current_run() is None


def test_a_baseline_built_inside_names_the_run() -> None:
    with sw.run("train", job="demand", code_version="a1b2") as run:
        built = sw.Baseline.build({"x": [1.0, 2.0] * 50})

    assert (built.lineage.run_id, built.lineage.code_version) == (run.id, "a1b2")


def test_settings_come_from_the_environment_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SERVEWATCH_CODE_VERSION", "from-ci")
    with sw.run("train", job="demand") as run:
        assert run.facts().code_version == "from-ci"


def test_an_async_job_has_the_same_run(tmp_path: Path) -> None:
    async def job() -> sw.Run:
        async with sw.run("score", job="demand", textfile=tmp_path / "a.prom") as run:
            async with run.stage("fetch", rows=5):
                await asyncio.sleep(0)
            assert current_run() == (run.id, "")
        return run

    run = asyncio.run(job())

    assert run.facts().stages["fetch"].rows == 5
    assert samples(tmp_path / "a.prom")["status"] == 1


def test_a_cancelled_job_is_aborted_and_delivered(tmp_path: Path) -> None:
    async def job(started: asyncio.Event) -> None:
        async with sw.run("score", job="demand", textfile=tmp_path / "a.prom"):
            started.set()
            await asyncio.sleep(60)

    async def cancelled() -> None:
        started = asyncio.Event()
        task = asyncio.create_task(job(started))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())

    assert samples(tmp_path / "a.prom")["status"] == 3


def test_stages_of_many_threads_add_up() -> None:
    with sw.run("train", job="demand") as run:

        def work() -> None:
            for _ in range(200):
                with run.stage("part", rows=2):
                    pass

        threads = [threading.Thread(target=work) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    assert (run.facts().stages["part"].runs, run.facts().stages["part"].rows) == (
        *(800, 1600),
    )


def test_a_stage_in_a_loop_does_not_flood_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with sw.run("train", job="demand") as run:
        for _ in range(500):
            with run.stage("batch"):
                pass
    events = told(capsys)

    took = run.facts().seconds
    assert 1 <= len(named(events, "run.stage")) <= 1 + took
    assert named(events, "run.finished")[0]["stages"]["batch"]["runs"] == 500


def test_a_fork_that_leaves_the_block_delivers_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.prom"
    with sw.run("train", job="demand", textfile=path) as run:
        child = os.fork()
        if child == 0:
            try:
                run.__exit__(None, None, None)
                left = samples(path)["status"]
                os._exit(0 if left == 0 else 1)
            finally:
                os._exit(2)
        _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert samples(path)["status"] == 1


def test_a_run_is_entered_once() -> None:
    run = sw.run("train", job="demand")
    with run:
        pass
    with pytest.raises(sw.ConfigError, match="entered once"), run:
        pass


@pytest.mark.parametrize(
    "options",
    [
        {"job": ""},
        {"job": "a\nb"},
        {"job": "a", "id": "x" * 129},
        {"job": "a", "textfile": "metrics.txt"},
        {"job": "a", "textfile": "/no/such/folder/a.prom"},
        {"job": "a", "pushgateway": "127.0.0.1:9091"},
        {"job": "a", "pushgateway": "http://127.0.0.1:x"},
        {"job": "a", "textfile": 5},
        {"job": "a", "pushgateway": 5},
        {"job": "a", "no_such_setting": 1},
    ],
)
def test_what_cannot_be_used_is_said_before_the_job_starts(
    options: dict[str, Any],
) -> None:
    with pytest.raises(sw.ConfigError):
        sw.run("train", **options)


def test_a_kind_that_is_none_is_called_the_kind() -> None:
    kind: Any = None
    with pytest.raises(sw.ConfigError, match=r"kind cannot be used: .*\(None\)"):
        sw.run(kind, job="demand")


@pytest.mark.parametrize("name", [5, None, b"x"])
def test_a_tap_may_be_called_anything_and_the_run_is_delivered(
    name: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.prom"
    with sw.run("train", job="demand", textfile=path, strict=True) as run:
        run.tap(name, [[1.0]])

    assert run.facts().taps[str(name)].rows == 1
    assert f'job="demand",kind="train",tap="{name}"' in path.read_text("utf-8")


class Unprintable(str):
    """A name that no text can be made with."""

    __slots__ = ()

    def isascii(self) -> bool:
        raise RuntimeError("no text")


def test_a_text_that_cannot_be_made_is_told_as_undelivered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.prom"
    with sw.run("train", job="demand", textfile=path) as run:
        run.metric(Unprintable("a"), 1.0)

    (undelivered,) = named(told(capsys), "run.undelivered")
    assert undelivered["where"] == "textfile"
    assert undelivered["reason"] == "RuntimeError: no text"

    with (
        pytest.raises(sw.StoreError, match="no text"),
        sw.run("train", job="demand", textfile=path, strict=True) as strict,
    ):
        strict.metric(Unprintable("a"), 1.0)


def test_the_facts_of_an_event_may_be_called_anything(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with sw.run("train", job="demand") as run:
        run.event("late", name=1, self=2)

    (noted,) = named(told(capsys), "run.noted")
    assert (noted["name"], noted["facts"]) == ("late", {"name": 1, "self": 2})


def test_odd_values_harm_no_job() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

        __float__ = __int__ = __str__

    odd: Any = Odd()
    with sw.run("train", job="demand") as run:
        run.metric("a", odd)
        run.metric(odd, 1.0)
        run.metric("b", float("nan"))
        run.rows(odd)
        run.fallback(odd)
        run.retried(odd)
        run.event("e", fact=odd)
        run.tap("t", odd)
        with run.stage(odd, rows=odd):
            pass

    assert run.facts().status == "ok"
    assert run.facts().refused == 2


def test_the_names_of_a_run_are_bounded() -> None:
    with sw.run("train", job="demand") as run:
        for number in range(100):
            run.metric(f"m{number}", number)
            run.fallback(f"f{number}")
            run.tap(f"t{number}", [[1.0]])
            with run.stage(f"s{number}"):
                pass
    facts = run.facts()

    assert (len(facts.metrics), facts.refused) == (64, 36)
    for each in (facts.fallbacks, facts.taps, facts.stages):
        assert len(each) == 33
        assert "other" in each
    assert facts.stages["other"].runs == 68
    assert facts.taps["other"].rows == 68
