"""From rows to a baseline's content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.dependence_on_inputs import influences, loss_model
from servewatch.baseline.gather import Gathered, Group, Progress, take
from servewatch.baseline.kinds import choose_bins, convert, kind_of
from servewatch.baseline.outcomes import Wanted
from servewatch.baseline.own_replay import NO_BLOCKS, BlockCounts, temper
from servewatch.baseline.performance import (
    Compared,
    block_counts,
    compare_outcomes,
    profile_outcomes,
)
from servewatch.baseline.profile import (
    ColumnProfile,
    Content,
    Dependence,
    Duplicates,
    Segment,
)
from servewatch.baseline.roles import Roles
from servewatch.baseline.sample import first_half, keep_codes
from servewatch.baseline.segments import segment_counts
from servewatch.baseline.summary import measure_novelty, summarise
from servewatch.baseline.table import RawColumn
from servewatch.baseline.tap_grain import grain_of
from servewatch.baseline.taps import Between, SeenTap
from servewatch.baseline.timeline import Blocks
from servewatch.baseline.worst import explain
from servewatch.config import Config
from servewatch.errors import DataError
from servewatch.judge.dependence import DISJOINT_WINDOWS, design_effect
from servewatch.schema import Column, Kind, Role, Schema
from servewatch.sketch.bins import cell, width
from servewatch.sketch.duplicates import repeats, row_hashes
from servewatch.sketch.encode import encode
from servewatch.sketch.layout import Layout
from servewatch.sketch.taps import Tap, rounded_values

MANY_FEATURES = 500
FEW_BINS = 10


@dataclass(frozen=True, eq=False)
class Profiled:
    """A column's profile, its rows as cells in time order, and hashes of its values."""

    profile: ColumnProfile
    codes: NDArray[np.uint8]
    hashes: NDArray[np.uint64]
    group: Group


@dataclass(frozen=True, eq=False)
class Build:
    """Rows with the parts their columns play, and what the user wants of them.

    `between` is what was seen of the same rows between the steps of the pipeline.
    """

    gathered: Gathered
    roles: Roles
    kinds: Mapping[str, Kind]
    segments: Sequence[str]
    wanted: Wanted
    config: Config
    progress: Progress
    between: Between

    def content(self) -> tuple[Content, tuple[str, ...]]:
        """Profile every column, then measure how blocks depend on each other.

        The same rows give the same content, whatever they came in. Beside it comes what
        there is to say of labels that cannot be compared with predictions, and of taps.
        """
        gathered, roles, bins = self.gathered, self.roles, self.config.bins
        if len(roles.features) > MANY_FEATURES:
            bins = min(bins, FEW_BINS)
        coded: list[Profiled] = []
        for place, name in enumerate(gathered.columns):
            self.progress(f"profiling {name}", place / len(gathered.columns))
            coded.append(self._profile(name, bins))
        tapped = self.between.read(roles, gathered, self.progress)
        taps = [self._tap(seen, bins) for seen in tapped.taps]
        between = [column for columns, _, _ in taps for column in columns]
        served = [c for c in coded if c.profile.role != "target"]
        self.progress("counting", 1.0)
        profiles = {c.profile.name: c.profile for c in coded}
        codes = {c.profile.name: c.codes for c in served}
        compared = compare_outcomes(
            gathered,
            roles,
            profiles,
            codes,
            segments=self.segments,
            wanted=self.wanted,
            bins=bins,
        )
        performance, outcomes = None, NO_BLOCKS
        said: tuple[str, ...] = (compared,) if isinstance(compared, str) else ()
        if isinstance(compared, Compared):
            performance = profile_outcomes(
                compared, loss_model(compared, profiles, codes, roles.features)
            )
            outcomes = block_counts(compared)
            said = compared.notes
        content = Content(
            columns=tuple(c.profile for c in [*coded, *between]),
            ignored=_ignored(roles),
            order=gathered.order,
            blocks=len(gathered.everything.timeline.names),
            prediction_blocks=len(gathered.held.timeline.names),
            block_seconds=self.config.block_seconds,
            first=gathered.first,
            last=gathered.last,
            in_sample=not roles.held_out,
            duplicates=_duplicates(served, gathered.everything),
            reservoir=keep_codes(
                [_everywhere(c, gathered.everything) for c in served],
                gathered.everything.places.size,
            ),
            segments=self._segments(served),
            performance=performance,
            influence=influences(gathered, profiles, codes, roles),
            stages=tapped.stages,
            taps=tuple(tap for columns, tap, _ in taps if columns),
        )
        said = *said, *tapped.notes, *(n for _, _, notes in taps for n in notes)
        return self._tempered(content, [*served, *between], outcomes), said

    def _profile(self, name: str, bins: int) -> Profiled:
        gathered, wanted = self.gathered, self.kinds.get(name)
        role = _role(name, self.roles)
        group = gathered.groups[name]
        return _profile(
            name, gathered.columns[name], group, bins, role=role, wanted=wanted
        )

    def _tap(self, seen: SeenTap, bins: int) -> tuple[list[Profiled], Tap, list[str]]:
        """Profile a tap; what cannot be judged is left out, and said to be.

        Nobody chose these columns, so an identifier among them must not end the build.
        """
        tap, group = seen.tap, seen.group
        coded: list[Profiled] = []
        kept: list[tuple[int, float]] = []
        notes: list[str] = []
        self.progress(f"profiling tap {tap.name}", 1.0)
        for place, (name, column) in zip(tap.places, seen.columns, strict=True):
            grain = grain_of(column)
            raw = replace(column, values=rounded_values(column.values, grain))
            try:
                found = _profile(name, raw, group, bins, role="tap")
            except DataError as error:
                notes.append(f"Tap {tap.name}, left out: {error}")
                continue
            # Equal rows are told by features alone: hashes of taps would be for nobody.
            coded.append(replace(found, hashes=found.hashes[:0]))
            kept.append((place, grain))
        places, grains = zip(*kept, strict=True) if kept else ((), ())
        return coded, Tap(tap.name, tap.width, places, grains), notes

    def _segments(self, served: Sequence[Profiled]) -> tuple[Segment, ...]:
        everything = self.gathered.everything
        columns = {
            c.profile.name: (c.profile.bins, _everywhere(c, everything), c.group.places)
            for c in served
        }
        return segment_counts(self.segments, columns)

    def _tempered(
        self,
        content: Content,
        served: Sequence[Profiled],
        outcomes: Mapping[str, BlockCounts],
    ) -> Content:
        """Measure how deaf each stream has to be, and which blocks made it so."""
        parts = {
            c.profile.name: (c.profile.bins, c.codes, c.group.timeline) for c in served
        }
        blocks = Blocks(parts)
        tempered = temper(
            content,
            layout_of(content),
            blocks,
            self.config,
            progress=self.progress,
            outcomes=outcomes,
        )
        return explain(tempered, blocks)


def layout_of(content: Content) -> Layout:
    """Give the layout of the columns that are counted live.

    The target and the timestamp may come along and mean nothing.
    """
    counted = [c for c in content.columns if c.role != "target"]
    targets = {c.name for c in content.columns if c.role == "target"}
    return Layout(
        Schema(tuple(Column(c.name, c.kind, c.role) for c in counted)),
        tuple(c.bins for c in counted),
        frozenset({*content.ignored, *targets}),
        None if content.performance is None else content.performance.truth,
        content.taps,
    )


def _profile(
    name: str,
    raw: RawColumn,
    group: Group,
    count: int,
    *,
    role: Role,
    wanted: Kind | None = None,
) -> Profiled:
    kind = kind_of(name, raw, wanted)
    values = take(convert(name, raw, kind), group.order)
    bins = choose_bins(name, values, kind, count, is_said=wanted is not None)
    encoded = encode(bins, values, {})
    counts = np.bincount(encoded.codes, minlength=width(bins))
    counts[cell(bins, "out_of_range")] = encoded.beyond
    known = first_half(encoded.codes.size, in_time_order=bool(group.timeline.names))
    summary = None
    if kind == "numeric" and encoded.numbers is not None:
        summary = summarise(encoded.numbers, bins, encoded.codes)
    profile = ColumnProfile(
        name=name,
        kind=kind,
        role=role,
        bins=bins,
        rows=int(encoded.codes.size),
        counts=tuple(counts.tolist()),
        summary=summary,
        novelty=measure_novelty(values, bins, encoded.codes, known),
    )
    return Profiled(profile, encoded.codes, encoded.hashes, group)


def _ignored(roles: Roles) -> tuple[str, ...]:
    return tuple(sorted({*roles.ignored, *filter(None, [roles.timestamp])}))


def _role(name: str, roles: Roles) -> Role:
    if name == roles.target:
        return "target"
    return "prediction" if name in roles.predictions else "feature"


def _duplicates(served: Sequence[Profiled], everything: Group) -> Duplicates:
    rows = everything.places.size
    features = [c for c in served if c.profile.role == "feature"]
    marks = repeats(row_hashes((c.hashes for c in features), rows))
    starts = everything.timeline.starts
    dependence = None
    if starts.size >= DISJOINT_WINDOWS:
        hits = np.add.reduceat(marks.astype(float), starts)
        effect, one_block = design_effect(
            hits[:, None], np.diff(np.append(starts, rows)).astype(float)
        )
        dependence = Dependence(design_effect=effect, one_block=one_block)
    return Duplicates(
        repeats=int(np.count_nonzero(marks)), rows=rows, dependence=dependence
    )


def _everywhere(coded: Profiled, everything: Group) -> NDArray[np.uint8]:
    """Give a column's codes for all rows, missing where it was not profiled."""
    if coded.codes.size == everything.places.size:
        return coded.codes
    missing = cell(coded.profile.bins, "missing")
    codes = np.full(everything.places.size, missing, dtype=np.uint8)
    codes[coded.group.places] = coded.codes
    return codes
