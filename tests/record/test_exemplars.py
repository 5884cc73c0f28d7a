from __future__ import annotations

import os

import pytest

from servewatch.record.exemplars import (
    DURATION_BOUNDS,
    HISTOGRAMS,
    Exemplar,
    Exemplars,
)
from servewatch.record.totals import LATENCIES, Totals
from servewatch.sketch.latency import BOUNDS

TRACE, OTHER = "0af7651916cd43dd8448eb211c80319c", "b" * 32


def noted(*given: tuple[float, str, float]) -> list[Exemplar | None]:
    exemplars = Exemplars()
    for seconds, trace_id, at in given:
        exemplars.note("request_seconds", seconds, trace_id, at)
    return list(exemplars.latest("request_seconds"))


def test_the_latest_of_a_bucket_is_kept() -> None:
    kept = noted((0.03, TRACE, 1.0), (0.04, OTHER, 2.0))
    assert [each for each in kept if each] == [Exemplar(OTHER, 0.04, 2.0)]


def test_an_earlier_one_does_not_replace_a_later() -> None:
    kept = noted((0.03, TRACE, 2.0), (0.04, OTHER, 1.0))
    assert [each for each in kept if each] == [Exemplar(TRACE, 0.03, 2.0)]


@pytest.mark.parametrize("place", range(len(DURATION_BOUNDS)))
def test_a_bound_belongs_to_its_own_bucket(place: int) -> None:
    kept = noted((DURATION_BOUNDS[place], TRACE, 1.0))
    assert [i for i, each in enumerate(kept) if each] == [place]


def test_what_is_beyond_the_last_bound_has_a_bucket() -> None:
    assert noted((60.0, TRACE, 1.0))[-1] == Exemplar(TRACE, 60.0, 1.0)


@pytest.mark.parametrize(
    "odd", ["", "ab", TRACE.upper(), TRACE + "0", '"' * 32, "é" * 32, TRACE[:-1] + "\n"]
)
def test_an_odd_trace_id_is_passed_over(odd: str) -> None:
    assert not any(noted((0.03, odd, 1.0)))


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -0.001])
def test_odd_seconds_are_passed_over(odd: float) -> None:
    assert not any(noted((odd, TRACE, 1.0)))


def test_histograms_do_not_share() -> None:
    exemplars = Exemplars()
    exemplars.note("request_seconds", 0.03, TRACE, 1.0)
    assert not any(exemplars.latest("inference_seconds"))


def test_every_duration_counted_has_exemplars() -> None:
    assert HISTOGRAMS == LATENCIES


@pytest.mark.parametrize("bound", DURATION_BOUNDS)
def test_every_exported_bound_is_one_we_count_in(bound: float) -> None:
    assert bound in BOUNDS


def test_a_forked_child_starts_without() -> None:
    totals = Totals()
    totals.exemplars.note("request_seconds", 0.03, TRACE, 1.0)
    child = os.fork()
    if child == 0:
        os._exit(any(totals.exemplars.latest("request_seconds")))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
