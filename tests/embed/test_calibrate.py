"""What `calibrate` takes, and what it refuses at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from servewatch import ConfigError, ServeWatch


class Counting:
    """A model that knows how often it was asked."""

    calls = 0

    def __call__(self, rows: Any) -> list[int]:
        self.calls += 1
        return [0 for _ in rows]


def clean(rows: Any) -> Any:
    return rows


async def fetch(rows: Any) -> Any:
    return rows


async def stream(rows: Any) -> Any:
    yield rows


def test_each_of_a_list_is_a_call() -> None:
    model = Counting()
    watch = ServeWatch(model, preprocess=clean, latency_reference_rows=50)

    assert "preprocess" in watch.calibrate([[1], [2]])
    assert model.calls == 50


@pytest.mark.parametrize(
    "rows",
    [
        pd.DataFrame({"x": [1.0, 2.0]}),
        np.zeros((2, 2)),
        (each for each in [[1]]),
        "text",
        None,
        [],
    ],
)
def test_what_is_no_list_of_calls_is_refused(rows: Any) -> None:
    watch = ServeWatch(Counting(), preprocess=clean)

    with pytest.raises(ConfigError, match="no rows to calibrate with") as refused:
        watch.calibrate(rows)
    assert "[rows[:1], rows[1:2]]" in str(refused.value)
    assert refused.value.found in {type(rows).__name__, "an empty list"}
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        (fetch, {}),
        (fetch, {"preprocess": clean}),
        (Counting(), {"preprocess": fetch}),
        (Counting(), {"postprocess": fetch}),
        (stream, {}),
    ],
)
def test_what_is_async_is_refused(
    model: Callable[[Any], Any], parts: dict[str, Any]
) -> None:
    watch = ServeWatch(model, **parts)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConfigError, match="async"):
            watch.calibrate([[1]])


def test_a_model_without_stages_is_asked_once() -> None:
    model = Counting()

    with pytest.raises(ConfigError, match="no stages"):
        ServeWatch(model).calibrate([[1]])
    assert model.calls == 1


def test_children_of_a_torch_module_are_not_calibrated() -> None:
    watch = ServeWatch(len, torch_stages=True)
    with pytest.raises(ConfigError, match="cannot be calibrated"):
        watch.calibrate([[1.0]])
    watch.close()
