from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from servewatch.runs.meter import Meter


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_the_peak_rises_with_what_is_held_and_does_not_fall() -> None:
    meter = Meter()
    first = meter.read().peak_bytes
    assert first is not None
    held = bytearray(os.urandom(first))  # more than the process has ever had
    second = meter.read().peak_bytes
    del held
    third = meter.read().peak_bytes

    assert second is not None
    assert third is not None
    assert first < second <= third


def test_a_childs_processor_time_counts_once_it_was_waited_for() -> None:
    meter = Meter()
    before = meter.read().cpu_seconds
    subprocess.run([sys.executable, "-c", "sum(range(10**7))"], check=True)

    assert meter.read().cpu_seconds - before > 0.05


def test_collections_are_heard_of_only_between_begin_and_end() -> None:
    before = list(gc.callbacks)
    meter = Meter()
    gc.collect()
    assert meter.read().gc_seconds == 0.0
    meter.begin()
    gc.collect()
    meter.end()
    heard = meter.read().gc_seconds
    gc.collect()

    assert 0.0 < heard == meter.read().gc_seconds
    assert gc.callbacks == before
