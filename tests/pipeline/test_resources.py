from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servewatch.config import Config
from servewatch.expose.resource_families import RESOURCE_FAMILIES
from servewatch.pipeline.cgroup import Cgroup, Container
from servewatch.pipeline.cost import Spent
from servewatch.pipeline.gc_pauses import GcPauses
from servewatch.pipeline.gpu import GPUS, THROTTLES, Gpu
from servewatch.pipeline.process import Process, Usage
from servewatch.pipeline.resource_readings import all_readings
from servewatch.pipeline.resources import Resources
from servewatch.record.stage_runs import StageRun
from servewatch.record.totals import Totals
from servewatch.sketch.stages import EVENT_LOOP

AT = 1_290_000_000.0
MB = 1e6

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
Make = Callable[..., Resources]


@pytest.fixture
def totals() -> Totals:
    return Totals()


@pytest.fixture
def runs() -> list[StageRun]:
    return []


@pytest.fixture
def make(totals: Totals, runs: list[StageRun]) -> Iterator[Make]:
    made: list[Resources] = []

    def make(process: Process | None = None, **settings: float | str) -> Resources:
        config = Config(**settings)  # type: ignore[arg-type]
        made.append(Resources(config, totals, append=runs.append, process=process))
        return made[-1]

    yield make
    for each in made:
        each.close()


class Growing(Process):
    """A process that grows by 10 MB a minute with every look of five seconds."""

    looks = 0

    def usage(self) -> Usage:
        self.looks += 1
        grown = 300 * MB + self.looks * 10 * MB / 12
        return super().usage()._replace(resident_bytes=grown)

    def available_bytes(self) -> float:
        return 2000 * MB


def test_nothing_is_known_before_the_first_look(make: Make) -> None:
    resources = make()

    assert resources.described() == {"process": None}
    assert resources.readings() == ()
    assert resources.gpus_off is None


@linux
def test_a_look_is_described_as_json(make: Make) -> None:
    resources = make()
    resources.sample(AT)
    found = json.loads(json.dumps(resources.described()))

    assert found["at"] == AT
    assert found["process"]["resident_bytes"] > MB
    assert set(found["process"]["switches"]) == {"voluntary", "involuntary"}
    assert len(found["gc"]["collections"]) == 3
    assert set(found["container"]) == set(Container._fields)
    assert found["gpu"]["devices"] == []
    assert found["gpu"]["off"].startswith("GPU metrics are off")
    assert found["leaks"] == {}
    assert found["cost"]["currency"] == "USD"


def test_slow_things_are_looked_at_when_it_is_time(make: Make) -> None:
    process = Growing()
    resources = make(process, resource_seconds=5.0)
    for beat in range(11):
        resources.sample(AT + beat)

    assert process.looks == 3


def test_readings_stay_the_same_object_between_looks(make: Make) -> None:
    resources = make()
    resources.sample(AT)
    first = resources.readings()
    resources.sample(AT + 1)
    between = resources.readings()
    resources.sample(AT + 5)

    assert between is first
    assert resources.readings() is not first


def test_a_clock_that_is_set_back_does_not_stop_the_looks(make: Make) -> None:
    process = Growing()
    resources = make(process)
    resources.sample(AT)
    resources.sample(AT - 3600)

    assert process.looks == 2


def test_a_leak_is_told_within_ten_minutes(make: Make) -> None:
    resources = make(Growing())
    for look in range(120):
        resources.sample(AT + 5.0 * look)

    assert resources.leaks["memory"].per_second * 60 == pytest.approx(10 * MB, rel=0.01)
    assert resources.words["memory"].startswith(
        "memory grows by 10 MB/min since 2010-11-17"
    )
    told = resources.described()["leaks"]["memory"]
    assert told["words"] == resources.words["memory"]
    pace = {
        each.labels["resource"]: each.value
        for each in resources.readings()
        if each.family == "leak_per_second"
    }
    assert pace["memory"] == resources.leaks["memory"].per_second
    assert pace["threads"] == 0.0


def test_the_lag_of_a_loop_becomes_a_run_of_a_stage(
    make: Make, runs: list[StageRun]
) -> None:
    resources = make()

    async def serve() -> None:
        resources.note_loop(asyncio.get_running_loop())
        resources.sample(AT)
        await asyncio.sleep(0)

    asyncio.run(serve())
    resources.sample(AT + 5)

    assert [run[0] for run in runs] == [EVENT_LOOP]
    assert runs[0][1] > 0


def test_cost_is_that_of_what_was_spent(make: Make, totals: Totals) -> None:
    totals.stage_tokens["generate"] = 5000.0
    totals.stage_cpu_seconds["generate"] = 0.5
    totals.recorded = 100
    resources = make(price_cpu_hour=3600.0, price_thousand_tokens=2.0, currency="EUR")
    resources.sample(AT)
    found = resources.described()["cost"]

    assert found["tokens"] == 5000.0
    assert found["total"] == pytest.approx(found["cpu_seconds"] + 10.0)
    stage = found["per_thousand_predictions"]["stages"]["generate"]
    assert stage == {"cpu_seconds": 5.0, "tokens": 50_000.0}
    labels = [
        each.labels for each in resources.readings() if each.family == "cost_total"
    ]
    assert labels == [{"currency": "EUR"}]


def listeners() -> int:
    return sum(isinstance(each, GcPauses) for each in gc.callbacks)


def test_closed_it_leaves_nothing_behind_and_may_begin_anew(make: Make) -> None:
    # Listened to once a process: a watch elsewhere that is open may do so already.
    before, threads = listeners(), threading.active_count()
    resources = make()
    resources.sample(AT)
    resources.sample(AT + 1)
    assert listeners() == 1
    resources.close()
    resources.close()

    assert listeners() == before
    assert threading.active_count() == threads
    resources.sample(AT + 60)
    assert listeners() == 1


def test_a_fault_is_counted_and_goes_no_further(make: Make, totals: Totals) -> None:
    class Broken(Process):
        def usage(self) -> Usage:
            raise RuntimeError

    make(Broken()).sample(AT)

    assert totals.internal_errors["resources"] == 1


def test_a_forked_child_knows_nothing_of_its_parent(make: Make) -> None:
    resources = make(Growing())
    for look in range(120):
        resources.sample(AT + 5.0 * look)
    assert resources.leaks
    child = os.fork()
    if child == 0:
        is_new = not resources.leaks and not resources.readings()
        resources.sample(AT + 601)
        os._exit(0 if is_new and resources.readings() else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def everything() -> list[tuple[str, dict[str, str]]]:
    gpus = [
        Gpu(k, f"GPU-{k}", "", 0.5, 1.0, 2.0, 1.0, 40.0, 70.0, ["power_cap"])
        for k in range(GPUS)
    ]
    found = all_readings(
        Usage(1.0, 1.0, (1, 1), 1.0, 1.0, 1.0, 1.0, 1.0),
        Container(*(1.0 for _ in Container._fields)),
        gpus=gpus,
        pauses=GcPauses(),
        lag_seconds=0.1,
        spent=Spent(1.0, 1.0, 1.0),
        cost=1.0,
        currency="USD",
        leaks={},
    )
    return [(each.family, dict(each.labels)) for each in found]


def test_there_are_at_most_a_hundred_and_twenty_six_series() -> None:
    found = everything()

    assert len(found) == 30 + GPUS * (6 + len(THROTTLES)) == 126
    assert len({(family, *labels.values()) for family, labels in found}) == 126


def test_every_family_is_read_with_the_labels_of_the_catalogue() -> None:
    labels = {name: set(own) for name, _, _, own in RESOURCE_FAMILIES}

    assert {family: set(own) for family, own in everything()} == labels


def test_where_nothing_is_known_only_what_is_counted_is_read(
    tmp_path: Path, totals: Totals
) -> None:
    nowhere = str(tmp_path)
    resources = Resources(
        Config(),
        totals,
        append=print,
        process=Process(proc=nowhere),
        cgroup=Cgroup(nowhere, nowhere),
    )
    resources.sample(AT)
    families = {each.family for each in resources.readings()}
    resources.close()

    assert "process_cpu_mode_seconds_total" in families
    assert not any(each.startswith(("container_", "gpu_m")) for each in families)
    assert "process_threads" not in families
