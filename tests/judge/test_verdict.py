from __future__ import annotations

from math import log

import pytest

from servewatch.config import Config
from servewatch.judge.verdict import Status, Verdict, overall, rows_to_detect

PATIENCE = 864_000


def verdict(status: Status, *, gates: bool = True, holds: bool = False) -> Verdict:
    return Verdict(
        name="x",
        role="feature",
        family="values",
        status=status,
        evidence=0.0,
        threshold=17.0,
        rows=0,
        rows_to_detect=385,
        design_effect=1.0,
        gates=gates,
        holds=holds,
    )


@pytest.mark.parametrize(
    ("streams", "bins", "golden"), [(30, 20, 385), (1000, 20, 443)]
)
def test_rows_to_detect_meet_the_published_values(
    streams: int, bins: int, golden: int
) -> None:
    height = log(PATIENCE) + log(streams)

    assert rows_to_detect(Config(bins=bins), height) == golden


def test_a_larger_material_change_takes_fewer_rows() -> None:
    height = log(PATIENCE)

    assert rows_to_detect(Config(material_js=0.4), height) < rows_to_detect(
        Config(material_js=0.25), height
    )


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("ok", "ok"), "ok"),
        (("ok", "warning"), "warning"),
        (("warning", "drift"), "drift"),
        (("ok", "insufficient_data"), "insufficient_data"),
        (("insufficient_data", "warning"), "warning"),
        (("insufficient_data", "drift"), "drift"),
    ],
)
def test_the_overall_status_is_the_worst(
    statuses: tuple[Status, ...], expected: Status
) -> None:
    assert overall(verdict(status, holds=True) for status in statuses) == expected


def test_a_stream_that_does_not_hold_leaves_nothing_open() -> None:
    found = [verdict("ok", holds=True), verdict("insufficient_data")]

    assert overall(found) == "ok"


@pytest.mark.parametrize("status", ["drift", "warning"])
def test_an_informational_stream_decides_nothing(status: Status) -> None:
    found = [verdict("ok", holds=True), verdict(status, gates=False)]

    assert overall(found) == "ok"


def test_without_a_stream_that_could_be_ok_nothing_is_known() -> None:
    assert overall([verdict("ok")]) == "insufficient_data"


def test_no_stream_is_not_fine() -> None:
    assert overall([]) == "insufficient_data"
