"""Two sizes of one experiment: quick for every change, full for the nights."""

from __future__ import annotations

import pytest
from _pytest.mark.structures import ParameterSet

MOST_SECONDS = 3600


def sizes(quick: object, full: object) -> list[ParameterSet]:
    """Give the parameters of both; the full one is marked `nightly`."""
    marks = [pytest.mark.nightly, pytest.mark.timeout(MOST_SECONDS)]
    return [
        pytest.param(*_several(quick), id="quick"),
        pytest.param(*_several(full), id="full", marks=marks),
    ]


def _several(size: object) -> tuple[object, ...]:
    return size if isinstance(size, tuple) else (size,)
