"""The page on detectors shows the benchmark's kept results and the names there are."""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import signature
from pathlib import Path

import pytest

from load_tests.detector_alarms import SUBJECTS, table
from load_tests.table import results
from servewatch.judge.detectors import from_river
from servewatch.judge.detectors.cusum import Cusum
from servewatch.judge.detectors.ddm import Ddm
from servewatch.judge.detectors.named import DETECTORS
from servewatch.judge.detectors.page_hinkley import PageHinkley

PAGE = (Path(__file__).parents[2] / "docs/detectors.md").read_text("utf-8")
METHODS: dict[str, Callable[..., object]] = {
    "adwin": from_river.adwin,
    "cusum": Cusum,
    "ddm": Ddm,
    "kswin": from_river.kswin,
    "page_hinkley": PageHinkley,
}


def test_the_measured_table_is_that_of_the_results() -> None:
    shown = re.search(r"<!-- detectors -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)

    assert shown
    assert shown[1] == table(results()["detector_alarms"])


def test_every_detector_is_measured() -> None:
    words = " ".join(words for words, _ in SUBJECTS.values())

    assert [name for name in DETECTORS if f"`{name}`" not in words] == []


@pytest.mark.parametrize("name", DETECTORS)
def test_every_setting_stands_there_with_its_default(name: str) -> None:
    line, *_ = re.findall(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)
    settings = signature(METHODS[name]).parameters.values()

    for each in settings:
        text = str(each.default).removesuffix(".0")
        assert re.search(rf'`{each.name}="?{re.escape(text)}"?`', line)
