"""Retries as the real tenacity and stamina tell of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import stamina
import tenacity
from stamina.instrumentation import set_on_retry_hooks

from servewatch.capture.stage import Stage
from servewatch.pipeline.retry_hooks import stamina_hook, tenacity_hook
from servewatch.record.recorder import Recorder
from servewatch.record.stage_runs import StageRuns, fold_stages
from servewatch.sketch.layout import NO_COLUMNS
from servewatch.sketch.stages import DURATIONS, FAILED, OK, RETRIED
from servewatch.sketch.window import Window

Fetch = Callable[[], str]


class Flaky:
    """Fails so many times before it answers."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.calls = 0

    def __call__(self, *_: Any, **__: Any) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise ConnectionError("canary")
        return "there"


class Broken(StageRuns):
    """Runs of stages that cannot be told of a retry."""

    def retried(self, stage: object, n: int = 1) -> None:
        raise RuntimeError(stage, n)


def broken() -> Recorder:
    recorder = Recorder()
    recorder.stage_runs = Broken(recorder.totals, lambda: True)
    return recorder


def retries(recorder: Recorder) -> dict[str, int]:
    """Give the retries of each stage, none of which ran."""
    window = Window.empty(NO_COLUMNS, 0.0, 1.0)
    fold_stages(recorder.stage_runs.take(), window, recorder.totals)
    assert not recorder.totals.internal_errors
    found = Counter[str]()
    for name, cells in window.stages.items():
        assert cells[DURATIONS].sum() == cells[OK] == cells[FAILED] == 0
        found[name] = int(cells[RETRIED])
    return found


def tried(times: int, attempts: int = 5, **settings: Any) -> tuple[Flaky, Fetch]:
    """Give what fails *times* times, and what tries it again by tenacity."""
    flaky = Flaky(times)
    retry = tenacity.retry(stop=tenacity.stop_after_attempt(attempts), **settings)
    return flaky, retry(flaky)


@pytest.fixture
def hooked() -> Iterator[Recorder]:
    """A recorder that stamina tells of retries."""
    recorder = Recorder()
    set_on_retry_hooks([stamina_hook(recorder)])
    yield recorder
    set_on_retry_hooks(None)


again = partial(
    stamina.retry, on=ConnectionError, wait_initial=0, wait_max=0, wait_jitter=0
)


def test_tenacity_counts_a_retry_before_each_sleep() -> None:
    recorder = Recorder()
    flaky, fetch = tried(3, before_sleep=tenacity_hook(recorder, "fetch"))

    assert fetch() == "there"
    assert flaky.calls == 4
    assert retries(recorder) == {"fetch": 3}


def test_the_last_attempt_that_tenacity_gives_up_on_is_no_retry() -> None:
    recorder = Recorder()
    _, fetch = tried(9, 3, before_sleep=tenacity_hook(recorder, "fetch"), reraise=True)

    with pytest.raises(ConnectionError, match="canary"):
        fetch()
    assert retries(recorder) == {"fetch": 2}


def test_after_each_attempt_tenacity_counts_the_last_one_too() -> None:
    recorder = Recorder()
    _, fetch = tried(9, 3, after=tenacity_hook(recorder, "fetch"))

    with pytest.raises(tenacity.RetryError):
        fetch()
    assert retries(recorder) == {"fetch": 3}


def test_tenacity_tells_of_coroutines_too() -> None:
    recorder, flaky = Recorder(), Flaky(2)

    @tenacity.retry(before_sleep=tenacity_hook(recorder, "fetch"))
    async def fetch() -> str:
        return flaky()

    assert asyncio.run(fetch()) == "there"
    assert retries(recorder) == {"fetch": 2}


def test_stamina_counts_for_the_stage_called_like_the_function(
    hooked: Recorder,
) -> None:
    flaky = Flaky(2)

    @again()
    def fetch(order: str) -> str:
        return flaky(order)

    assert fetch("canary") == "there"
    assert retries(hooked) == {"fetch": 2}


def test_stamina_tells_of_methods_and_coroutines(hooked: Recorder) -> None:
    class Prices:
        left = Flaky(1)

        @again()
        async def load(self) -> str:
            return self.left()

    assert asyncio.run(Prices().load()) == "there"
    assert retries(hooked) == {"load": 1}


def test_a_block_that_stamina_tries_again_has_no_name(hooked: Recorder) -> None:
    flaky = Flaky(1)
    for attempt in stamina.retry_context(on=ConnectionError, wait_initial=0):
        with attempt:
            flaky()

    assert retries(hooked) == {"other": 1}


def test_all_that_stamina_tries_again_may_belong_to_one_stage() -> None:
    recorder = Recorder()
    set_on_retry_hooks([stamina_hook(recorder, "upstream")])
    try:
        again()(Flaky(2))()
    finally:
        set_on_retry_hooks(None)

    assert retries(recorder) == {"upstream": 2}


def test_retries_and_runs_of_a_stage_are_counted_together(hooked: Recorder) -> None:
    flaky = Flaky(2)

    @again()
    def fetch() -> str:
        with Stage(hooked, "fetch"):
            return flaky()

    fetch()

    window = Window.empty(NO_COLUMNS, 0.0, 1.0)
    fold_stages(hooked.stage_runs.take(), window, hooked.totals)
    cells = window.stages["fetch"]
    assert (cells[OK], cells[FAILED], cells[RETRIED]) == (1, 2, 2)
    assert cells[DURATIONS].sum() == 3


def test_a_fault_of_ours_leaves_tenacity_as_it_is() -> None:
    recorder = broken()
    flaky, fetch = tried(3, before_sleep=tenacity_hook(recorder, "fetch"))

    assert fetch() == "there"
    assert flaky.calls == 4
    assert recorder.totals.internal_errors == {"retries": 3}


def test_a_fault_of_ours_leaves_stamina_as_it_is() -> None:
    recorder, flaky = broken(), Flaky(3)
    set_on_retry_hooks([stamina_hook(recorder)])
    try:
        assert again()(flaky)() == "there"
    finally:
        set_on_retry_hooks(None)

    assert flaky.calls == 4
    assert recorder.totals.internal_errors == {"retries": 3}


@pytest.mark.parametrize("n", [0, -1, 1 << 41, 2.5, None, "two"])
def test_what_is_no_number_of_retries_counts_nothing(n: Any) -> None:
    recorder = Recorder()
    recorder.stage_runs.retried("fetch", n)

    assert retries(recorder) == {}


def test_the_hooks_import_neither_library() -> None:
    code = (
        "import sys, servewatch.pipeline.retry_hooks;"
        "print({'stamina', 'tenacity'} & set(sys.modules))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == "set()"
