"""What was seen between the steps of a pipeline at training time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from servewatch.baseline.steps import outputs, step_names
from servewatch.baseline.table import RawColumn
from servewatch.baseline.tap_parts import (
    Part,
    chosen_places,
    joined,
    names_for,
    part_of,
)
from servewatch.errors import BaselineError
from servewatch.sketch.taps import Tap

if TYPE_CHECKING:
    from servewatch.baseline.gather import Gathered, Group, Progress
    from servewatch.baseline.roles import Roles

MOST_TAPS = 32
NAME_BYTES = 128
NO_TAPS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class SeenTap:
    """One tap: its columns' full names and values, and which rows they are of."""

    tap: Tap
    columns: tuple[tuple[str, RawColumn], ...]
    group: Group


@dataclass(frozen=True, eq=False)
class Tapped:
    """All taps in the pipeline's order, its stages, and what there is to say."""

    taps: tuple[SeenTap, ...] = ()
    stages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Between:
    """What the user gives of the data between steps; see `Baseline.build`.

    `data` are train and evaluation, which may be None.
    """

    taps: Mapping[str, Any]
    pipeline: Any
    data: Sequence[Any]

    def read(self, roles: Roles, gathered: Gathered, progress: Progress) -> Tapped:
        """Read the taps, and what the steps of the pipeline make of the data.

        A tap has a row for each row of train and evaluation, in that order, or of
        evaluation alone, or is a tuple of both. Stages that only `taps` name come
        before those of the pipeline.

        Raises `BaselineError` for any other number of rows, for what is no table, and
        for names that are no names of taps.
        """
        steps = () if self.pipeline is None else step_names(self.pipeline)
        _refuse_both(steps, self.taps)
        found: list[SeenTap] = []
        notes: list[str] = []
        for name, value in self.taps.items():
            _check_name(name)
            progress(f"reading tap {name}", 0.0)
            found.append(_seen(name, value, None, gathered, notes))
        if self.pipeline is not None:
            given = [each for each in self.data if each is not None]
            for name, values, names in outputs(self.pipeline, given, roles.features):
                progress(f"reading step {name}", steps.index(name) / len(steps))
                try:
                    _check_name(name)
                    found.append(_seen(name, values, names, gathered, notes))
                except BaselineError as error:
                    notes.append(f"Step {name} has no tap: {error}")
        if len(found) > MOST_TAPS:
            raise BaselineError(
                "there are too many taps",
                found=f"{len(found):,}",
                expected=f"at most {MOST_TAPS}",
                remedy="name those where data may depart",
            )
        stages = (*(name for name in self.taps if name not in steps), *steps)
        return Tapped(tuple(found), stages, tuple(notes))


def _refuse_both(steps: Sequence[str], taps: Mapping[str, Any]) -> None:
    both = set(steps[:-1]) & set(taps)
    if both:
        raise BaselineError(
            f"tap {min(both)!r} is a step of the pipeline",
            expected="other names for what is seen elsewhere",
            remedy="leave one of the two out",
        )


def _check_name(name: object) -> None:
    fits = isinstance(name, str) and "/" not in name and name.isprintable()
    if fits and 0 < len(str(name).encode("utf-8", "replace")) <= NAME_BYTES:
        return
    raise BaselineError(
        "this cannot be the name of a tap",
        found=name,
        expected=f"a printable text of at most {NAME_BYTES} bytes, without a slash",
        remedy="rename it",
    )


def _seen(
    name: str,
    value: Any,
    given: Sequence[str] | None,
    gathered: Gathered,
    notes: list[str],
) -> SeenTap:
    pair = value if isinstance(value, tuple) else (value,)
    parts = [part_of(name, each) for each in pair]
    group = _group(name, parts, gathered)
    _check_same(name, parts)
    places = chosen_places(parts)
    names = names_for(parts, given)
    width = parts[0].width
    if len(places) < width:
        notes.append(
            f"Tap {name}: {len(places)} of {width:,} columns are watched, those that "
            "the others say least about."
        )
    tap = Tap(name, width, tuple(places))
    columns = [
        (tap.column(names[place]), joined(parts, place, names[place]))
        for place in places
    ]
    clash = [column for column, _ in columns if column in gathered.columns]
    if clash:
        raise BaselineError(
            f"a column is called like one of tap {name!r}",
            found=clash[0],
            remedy="rename either of them",
        )
    return SeenTap(tap, tuple(columns), group)


def _group(name: str, parts: Sequence[Part], gathered: Gathered) -> Group:
    """Tell which rows these are by how many there are."""
    train, evaluation = gathered.train_rows, gathered.evaluation_rows
    found = [part.rows for part in parts]
    if found in ([train + evaluation], [train, evaluation]):
        return gathered.everything
    if evaluation and found == [evaluation]:
        return gathered.held
    expected = f"{train + evaluation:,}, as in train"
    if evaluation:
        expected = (
            f"{train + evaluation:,}, as in train and evaluation, or {evaluation:,}, "
            f"as in evaluation, or a tuple of {train:,} and {evaluation:,}"
        )
    raise BaselineError(
        f"tap {name!r} has another number of rows than the data",
        found=" and ".join(f"{rows:,} rows" for rows in found),
        expected=expected,
        remedy="give what the step made of these very rows, in their order",
    )


def _check_same(name: str, parts: Sequence[Part]) -> None:
    first = parts[0]
    for part in parts[1:]:
        if (part.names, part.width) != (first.names, first.width):
            raise BaselineError(
                f"tap {name!r} has other columns in train than in evaluation",
                found=f"{first.width:,} and {part.width:,} columns",
                expected="the same columns in the same order",
                remedy="give both as the same step made them",
            )
