"""What each step of a fitted pipeline made of the training rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from servewatch.baseline.frame import known_column, names_of
from servewatch.errors import BaselineError

SKIPPED = (None, "passthrough")
FITTED = "give the fitted pipeline, or its data by taps="


class Output(NamedTuple):
    """What the step *name* gave for train, and for evaluation where there is one.

    `names` are those of its columns that it gives itself, None where it gives none.
    """

    name: str
    values: tuple[Any, ...]
    names: tuple[str, ...] | None


def step_names(pipeline: Any) -> tuple[str, ...]:
    """Name the steps of *pipeline* in order, the last one too.

    Raises `BaselineError` for what has no steps.

    >>> class Pipeline:
    ...     steps = [("scale", None), ("model", None)]
    >>> step_names(Pipeline())
    ('scale', 'model')
    """
    return tuple(name for name, _ in _steps(pipeline))


def outputs(
    pipeline: Any, data: Sequence[Any], features: Sequence[str]
) -> Iterator[Output]:
    """Give what every step but the last makes of each table in *data*, in turn.

    A table keeps the sort it is of; its columns are those that the pipeline was fitted
    with (`feature_names_in_`), else *features*. Steps that do nothing are left out, and
    those that change nothing but the number of rows while fitting.

    Raises `BaselineError` for rows that the pipeline cannot transform.
    """
    wanted = _fitted_with(pipeline)
    values = tuple(_inputs(each, wanted, features) for each in data)
    names = wanted or (*features,)
    for name, step in _steps(pipeline)[:-1]:
        if step in SKIPPED or not hasattr(step, "transform"):
            continue
        try:
            values = tuple(step.transform(each) for each in values)
        except Exception as error:
            raise BaselineError(
                f"step {name!r} of the pipeline cannot transform the rows",
                found=f"{type(error).__name__}: {error}",
                expected="the columns that it was fitted with",
                remedy=FITTED,
            ) from error
        given = _names_out(step, names)
        yield Output(name, values, given)
        names = given or ()


def _steps(pipeline: Any) -> list[tuple[str, Any]]:
    steps = getattr(pipeline, "steps", None)
    try:
        found = [(str(name), step) for name, step in steps or ()]
    except (TypeError, ValueError):
        found = []
    if not found:
        raise BaselineError(
            "this pipeline has no steps",
            found=type(pipeline).__name__,
            expected="a Pipeline of scikit-learn, or what has `steps` like one",
            remedy=FITTED,
        )
    return found


def _fitted_with(pipeline: Any) -> tuple[str, ...]:
    try:
        return tuple(str(name) for name in pipeline.feature_names_in_)
    except Exception:  # noqa: BLE001 - a property that asks a step that has none
        return ()


def _inputs(data: Any, wanted: Sequence[str], features: Sequence[str]) -> Any:
    if isinstance(data, str | Path | Mapping) or (
        isinstance(data, np.ndarray) and data.dtype.names is not None
    ):
        raise BaselineError(
            "a pipeline cannot transform this",
            found=type(data).__name__,
            expected="a data frame or a 2-D array",
            remedy="read it, and build from what the pipeline is called with",
        )
    names = names_of(data)
    if isinstance(data, np.ndarray):
        if not set(wanted) <= set(names):
            wanted = ()  # the array's columns have no names of their own
        return data[:, [names.index(name) for name in wanted or features]]
    chosen = [names.index(known_column(n, names)) for n in wanted or features]
    import narwhals as nw

    frame = nw.from_native(nw.to_native(data, pass_through=True), eager_only=True)
    return frame[:, chosen].to_native()


def _names_out(step: Any, names: Sequence[str]) -> tuple[str, ...] | None:
    """Ask a step for its columns' names: by those of its input, then by its own."""
    for given in ([np.array(names, dtype=object)] if names else [], []):
        try:
            return tuple(str(name) for name in step.get_feature_names_out(*given))
        except Exception:  # noqa: BLE001, S112 - many steps have none, or not these
            continue
    return None
