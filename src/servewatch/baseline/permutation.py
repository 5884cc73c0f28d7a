"""How much the prediction depends on each feature, told by asking the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.frame import known_column, names_of, read_table
from servewatch.baseline.sample import shuffled
from servewatch.errors import BaselineError, DataError
from servewatch.sketch.truth import Task

MOST_ROWS = 2_000
REPEATS = 3
Places = NDArray[np.int64]


def permutation_influence(
    predict: Callable[[Any], Any],
    data: Any,
    features: Sequence[str],
    *,
    task: Task,
    most_rows: int = MOST_ROWS,
) -> tuple[float, ...]:
    """Give each feature's share in [0, 1] of how far predictions move without it.

    *data* is a table as `Baseline.build` takes it, but no file; *predict* is asked with
    tables of the same sort that hold the *features* only, in that order. It gives a
    number, a class or a row of numbers for every row. The shares add up to 1, or are
    all 0 where no feature moves a prediction.

    A feature's values are dealt out anew among the rows, `REPEATS` times in an order
    that is always the same, and what moves is the mean of |f(x) - f(x')|, summed over
    outputs, or for classes the share of rows whose class changes (Breiman 2001, with
    the change of the prediction in place of that of the loss, so that no label is
    needed). Of two features that say the same, a model may use either: each then shows
    as much as the model uses it. Dealt-out rows may be such as never occur (Hooker,
    Mentch and Zhou 2021).

    Costs 1 + d calls of *predict* with up to *most_rows* and `REPEATS` times as many
    rows. Raises `DataError` for what is no table, `BaselineError` where *predict* does
    not answer with one prediction a row; what *predict* raises passes through.

    >>> rows = {"a": np.arange(4.0), "b": np.arange(4.0)}
    >>> permutation_influence(
    ...     lambda rows: 2 * rows["a"], rows, ["a", "b"], task="regression"
    ... )
    (1.0, 0.0)
    """
    if isinstance(data, str | Path):
        raise DataError(
            "a model cannot be asked about a file",
            where=str(data),
            remedy="read it and give the table",
        )
    names = names_of(data)
    for name in features:
        known_column(name, names)
    everything = read_table(data, features[:1]).rows
    rows = min(everything, most_rows)
    drawn = np.sort(shuffled(everything)[:rows])
    whole = _outputs(predict(_rows(data, names, features, drawn)), rows)
    kept, again = np.tile(drawn, REPEATS), np.tile(whole, (REPEATS, 1))
    dealt = drawn[_permutations(rows)]
    moved = np.zeros(len(features))
    for place, name in enumerate(features):
        asked = _rows(data, names, features, kept, {name: dealt})
        found = _outputs(predict(asked), kept.size)
        moved[place] = _change(again, found, task)
    total = moved.sum()
    return tuple((moved / total if total > 0 else moved).tolist())


def _permutations(rows: int) -> Places:
    """Give `REPEATS` permutations of 0 ... rows - 1 one after another."""
    order = shuffled(REPEATS * rows)
    return np.concatenate(
        [order[order // rows == repeat] % rows for repeat in range(REPEATS)]
    )


def _outputs(answer: Any, rows: int) -> NDArray[Any]:
    """Give the predictions as (rows, m)."""
    found = np.asarray(answer)
    if found.ndim == 0 or found.shape[0] != rows:
        raise BaselineError(
            "predict must give one prediction a row",
            found=f"an answer of shape {found.shape}",
            expected=f"{rows:,} rows",
            remedy="give the function that the model is served by",
        )
    return found.reshape(rows, -1)


def _change(before: NDArray[Any], after: NDArray[Any], task: Task) -> float:
    is_class = task == "classification" and before.dtype.kind != "f"
    if is_class:
        return float((before != after).any(axis=1).mean())
    moved = np.abs(after.astype(np.float64) - before.astype(np.float64)).sum(axis=1)
    finite = np.isfinite(moved)
    return float(moved[finite].mean()) if finite.any() else 0.0


def _rows(
    data: Any,
    names: Sequence[str],
    features: Sequence[str],
    rows: Places,
    dealt: Mapping[str, Places] | None = None,
) -> Any:
    """Give *rows* of the features; those named in *dealt* take theirs from there."""
    dealt = dealt or {}
    if isinstance(data, np.ndarray) and data.dtype.names is None:
        taken = data[rows][:, [names.index(name) for name in features]]
        for name, others in dealt.items():
            taken[:, features.index(name)] = data[others, names.index(name)]
        return taken
    if isinstance(data, np.ndarray):
        taken = data[list(features)][rows]
        for name, others in dealt.items():
            taken[name] = data[name][others]
        return taken
    if isinstance(data, Mapping):
        columns = {str(name): values for name, values in data.items()}
        return {name: _take(columns[name], dealt.get(name, rows)) for name in features}
    return _frame_rows(data, names, features, rows, dealt)


def _take(values: Any, rows: Places) -> Any:
    if isinstance(values, np.ndarray):
        return values[rows]
    listed = list(values)
    return [listed[row] for row in rows.tolist()]


def _frame_rows(
    data: Any,
    names: Sequence[str],
    features: Sequence[str],
    rows: Places,
    dealt: Mapping[str, Places],
) -> Any:
    import narwhals as nw

    frame = nw.from_native(nw.to_native(data, pass_through=True), eager_only=True)
    taken = frame[rows.tolist(), [names.index(name) for name in features]]
    for name, others in dealt.items():
        place = names.index(name)
        taken = taken.with_columns(frame[others.tolist(), place])
    return taken.to_native()
