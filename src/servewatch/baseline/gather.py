"""Train and evaluation rows as one set of rows in time order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.fingerprint import data_digest
from servewatch.baseline.frame import read_table
from servewatch.baseline.profile import Order
from servewatch.baseline.roles import Roles
from servewatch.baseline.table import RawColumn, Table, join
from servewatch.baseline.timeline import Timeline, by_rows, by_time, moment, unordered
from servewatch.baseline.times import read_times
from servewatch.config import Config
from servewatch.sketch.encode import Coded, Values

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Group:
    """The rows that a column was profiled on: which of all rows, in what order.

    `places` (n,) are their numbers among all rows in time order, `order` (n,) the rows
    of the column itself in time order.
    """

    places: NDArray[np.int64]
    order: NDArray[np.int64]
    timeline: Timeline


@dataclass(frozen=True, eq=False)
class Gathered:
    """Everything read: columns in the order of their rows, and which rows they have."""

    columns: Mapping[str, RawColumn]
    groups: Mapping[str, Group]
    everything: Group
    held: Group
    order: Order
    first: str | None
    last: str | None
    train_rows: int
    evaluation_rows: int
    data_digest: str


def gather(
    train: Any,
    evaluation: Any,
    roles: Roles,
    *,
    ordered: bool,
    config: Config,
    progress: Progress,
) -> Gathered:
    """Read what *roles* ask for and put it in time order."""
    progress("reading train", 0.0)
    parts = {"train": read_table(train, roles.wanted("train"))}
    if evaluation is not None:
        progress("reading evaluation", 0.5)
        parts["evaluation"] = read_table(evaluation, roles.wanted("evaluation"))
    progress("reading", 1.0)
    columns: dict[str, RawColumn] = {}
    for name in (*roles.features, *roles.predictions, *_some(roles.target)):
        found = [t.columns[name] for t in parts.values() if name in t.columns]
        columns[name] = reduce(partial(join, name), found)
    times = None
    if roles.timestamp:
        times = np.concatenate([_times(t, roles.timestamp) for t in parts.values()])
    train_rows = parts["train"].rows
    rows = sum(table.rows for table in parts.values())
    is_held = np.arange(rows) >= (train_rows if roles.held_out else 0)
    has_target = _rows_of(roles.target_in, train_rows, rows, parts)
    everything, held, targeted = (
        _group(mask, times, config, ordered=ordered)
        for mask in (np.ones(rows, dtype=np.bool_), is_held, has_target)
    )
    listed = list(columns.items())
    if times is not None and roles.timestamp:
        listed.append((roles.timestamp, RawColumn("time", times)))
    return Gathered(
        columns=columns,
        groups=dict.fromkeys(roles.features, everything)
        | dict.fromkeys(roles.predictions, held)
        | dict.fromkeys(_some(roles.target), targeted),
        everything=everything,
        held=held,
        order="timestamp" if roles.timestamp else "ordered" if ordered else "unordered",
        first=None if times is None else moment(float(times.min())),
        last=None if times is None else moment(float(times.max())),
        train_rows=train_rows,
        evaluation_rows=rows - train_rows,
        data_digest=data_digest(listed),
    )


def take(values: Values, order: NDArray[np.int64]) -> Values:
    """Give the rows of a column in another order."""
    if isinstance(values, Coded):
        return Coded(values.positions[order], values.distinct)
    return np.asarray(values)[order]


def _some(name: str | None) -> tuple[str, ...]:
    return () if name is None else (name,)


def _times(table: Table, name: str) -> NDArray[np.float64]:
    column = table.columns[name]
    values = column.values
    if column.form == "unsupported":
        values = np.full(table.rows, np.nan)
    return read_times(values, name=name, where=table.where)


def _rows_of(
    target_in: tuple[str, ...], train_rows: int, rows: int, parts: Mapping[str, Table]
) -> NDArray[np.bool_]:
    is_train = np.arange(rows) < train_rows
    marks = np.zeros(rows, dtype=np.bool_)
    for part in parts:
        if part in target_in:
            marks |= is_train if part == "train" else ~is_train
    return marks


def _group(
    mask: NDArray[np.bool_],
    times: NDArray[np.float64] | None,
    config: Config,
    *,
    ordered: bool,
) -> Group:
    rows = int(np.count_nonzero(mask))
    order = np.arange(mask.size)
    if times is not None:
        order = np.argsort(times, kind="stable")
    chosen = mask[order]
    own = (np.cumsum(mask) - 1)[order[chosen]]
    if rows == 0 or (times is None and not ordered):
        timeline = unordered(rows)
    elif times is None:
        timeline = by_rows(rows)
    else:
        timeline = by_time(
            times[order[chosen]], config.block_seconds, config.block_rows
        )
    return Group(np.flatnonzero(chosen), own, timeline)
