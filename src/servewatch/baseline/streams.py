"""The streams a baseline gives rise to, and the words for their witness sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.words import value_words
from servewatch.judge.guards import ENVELOPE_DEFF, Watched
from servewatch.judge.stream import Family, Stream, stream_name
from servewatch.judge.witness import WitnessSets, value_sets
from servewatch.sketch.bins import SPECIALS, CategoryBins, EdgeBins, cell, width

if TYPE_CHECKING:
    from servewatch.baseline.profile import ColumnProfile, Content, Dependence
    from servewatch.config import Config
    from servewatch.sketch.layout import Layout

Floats = NDArray[np.float64]
Words = Callable[[int], tuple[str, str]]
MOSTLY_VALID = 0.5


def streams(content: Content, layout: Layout, config: Config) -> tuple[Stream, ...]:
    """Give the streams of all columns: predictions first, quality before values.

    Those of taps come last, in the order of the pipeline.
    """
    judged = [c for c in content.columns if c.role != "target"]
    ranked = sorted(judged, key=lambda c: c.role != "prediction")
    found: list[Stream] = []
    for profile in ranked:
        found.extend(_ColumnStreams(profile, layout, config).all())
    return tuple(found)


def watched(content: Content, layout: Layout, config: Config) -> tuple[Watched, ...]:
    """Give the columns that the deterministic guards watch."""
    return tuple(
        Watched(
            name=profile.name,
            everything=slice(
                layout.spans[profile.name].start,
                layout.spans[profile.name].start
                + profile.bins.ordinary
                + len(SPECIALS),
            ),
            missing=_at(layout, profile, "missing"),
            type_error=_at(layout, profile, "type_error"),
            absent=_at(layout, profile, "absent"),
            missing_share=profile.counts[cell(profile.bins, "missing")]
            / max(profile.rows, 1),
            longest_gap=profile.longest_gap,
            gates=profile.name not in config.informational,
        )
        for profile in content.columns
        if profile.name in layout.spans
    )


def _at(layout: Layout, profile: ColumnProfile, name: str) -> int:
    return int(layout.spans[profile.name].start + cell(profile.bins, name))


class _ColumnStreams:
    """Builds the streams of one column."""

    def __init__(self, profile: ColumnProfile, layout: Layout, config: Config) -> None:
        self.profile, self.config = profile, config
        self.span = layout.spans[profile.name]
        self.cells = width(profile.bins)
        self.counts = np.array(profile.counts, dtype=np.int64)
        self.ordinary = profile.bins.ordinary
        self.everything = np.arange(self.cells) < self.ordinary + len(SPECIALS)

    def all(self) -> list[Stream]:
        found = [self.missing(), self.unseen(), self.invalid(), self.range()]
        found.append(self.values())
        return [stream for stream in found if stream is not None]

    def missing(self) -> Stream:
        mask = self._mask("missing")
        levels = np.full((3, 2), np.nan)
        levels[:, 0] = self.config.tolerance_quality
        return self._quality(
            "missing",
            np.array([mask, self.everything & ~mask]),
            levels,
            ("missing values", "values that are there"),
            dependence=self.profile.missing,
        )

    def invalid(self) -> Stream:
        levels = np.repeat(np.array(self.config.tolerance_quality)[:, None], 2, axis=1)
        return self._quality(
            "invalid",
            np.array([self._mask("nonfinite"), self._mask("type_error")]),
            levels,
            ("non-finite values", "values of a wrong type"),
        )

    def range(self) -> Stream | None:
        bins = self.profile.bins
        if not isinstance(bins, EdgeBins):
            return None
        limits = f"values outside [{bins.low:.6g}, {bins.high:.6g}]"
        return self._quality(
            "range",
            np.array([self._mask("out_of_range")]),
            np.array(self.config.tolerance_range)[:, None],
            (limits,),
            public=("values out of range",),
        )

    def unseen(self) -> Stream | None:
        """Judge new values by how often the baseline itself met new ones."""
        novelty = self.profile.novelty
        if novelty is None:
            return None
        stream = self._quality(
            "unseen",
            np.array([self._mask("unseen")]),
            np.array(self.config.tolerance_quality)[:, None],
            ("values the baseline never saw",),
        )
        rows = max(int(self.counts[: self.ordinary].sum()), 1)
        return replace(
            stream,
            shares=np.array([novelty.singletons / rows]),
            known_hits=np.array([float(novelty.fresh)]),
            known_rows=np.array([float(novelty.rows)]),
        )

    def values(self) -> Stream | None:
        """Judge the shape of the valid values, unless there is only one."""
        valid = int(self.counts[: self.ordinary].sum())
        if self.ordinary < 2 or valid == 0:
            return None
        sets = value_sets(self.profile.bins)
        members = np.zeros((len(sets.weights), self.cells), dtype=bool)
        members[:, : self.ordinary] = sets.members
        hits = members @ self.counts
        effect = self._effect(self.profile.values)
        one_block = self.profile.values.one_block if self.profile.values else 1.0
        gates = self._gates()
        known_hits, known_rows = self._known(sets, hits, valid)
        return Stream(
            name=stream_name(self.profile.name),
            role=self.profile.role,
            family="values",
            column=self.profile.name,
            span=self.span,
            members=members,
            weights=sets.weights,
            tails=sets.tails,
            base=np.arange(self.cells) < self.ordinary,
            shares=hits / valid,
            known_hits=known_hits,
            known_rows=known_rows,
            tolerances=np.full((3, len(hits)), np.nan),
            words=value_words(self.profile.name, self.profile.bins, sets.members),
            design_effect=effect,
            one_block=one_block,
            baseline_rows=valid,
            gates=gates,
            can_hold=gates
            and self.profile.role != "tap"  # nobody has to tap in order to be ok
            and valid >= MOSTLY_VALID * self.profile.rows
            and (effect or 1.0) <= self.config.slow_deff,
            envelope=self._envelope(effect),
        )

    def _known(
        self, sets: WitnessSets, hits: NDArray[np.int64], valid: int
    ) -> tuple[Floats, Floats]:
        """Give the counts behind each set's confidence bound.

        Which categories have a bin of their own was chosen by these very counts, so
        they say too much of the listed and too little of all others together (51 bins,
        400 even categories, 2000 rows: 79 % others, 87 % in truth). Both are bounded by
        how the first half's list did on the second half.
        """
        found = hits.astype(float), np.full(len(hits), float(valid))
        novelty, bins = self.profile.novelty, self.profile.bins
        if novelty is None or novelty.common is None or not novelty.rows:
            return found
        if not isinstance(bins, CategoryBins):
            return found
        listed = np.arange(self.ordinary) < len(bins.categories)
        others = (sets.members == ~listed).all(axis=1)
        found[0][others] = novelty.rows - novelty.common
        found[1][others] = novelty.rows
        among = (sets.members == listed).all(axis=1)
        found[0][among] = novelty.common
        found[1][among] = novelty.rows - novelty.fresh
        return found

    def _envelope(self, effect: float | None) -> dict[int, Floats] | None:
        if effect is None or effect <= ENVELOPE_DEFF or not self.profile.envelope:
            return None
        return {int(m): np.array(s) for m, s in self.profile.envelope.items()}

    def _quality(
        self,
        family: Family,
        members: NDArray[np.bool_],
        tolerances: Floats,
        words: Sequence[str],
        *,
        dependence: Dependence | None = None,
        public: Sequence[str] | None = None,
    ) -> Stream:
        """One group per set, all rows as denominator; only `missing` is tempered."""
        tempered = family == "missing"
        hits = members @ self.counts
        return Stream(
            name=stream_name(self.profile.name, family),
            column=self.profile.name,
            role=self.profile.role,
            family=family,
            span=self.span,
            members=members,
            weights=np.full(len(members), 1 / len(members)),
            tails=np.arange(len(members)) == 0,
            base=self.everything,
            shares=hits / max(self.profile.rows, 1),
            known_hits=hits.astype(float),
            known_rows=np.full(len(members), float(self.profile.rows)),
            tolerances=tolerances,
            words=_fixed_words(self.profile.name, words, public or words),
            design_effect=self._effect(dependence) if tempered else 1.0,
            tempered=tempered,
            baseline_rows=self.profile.rows,
            gates=self._gates(),
        )

    def _mask(self, name: str) -> NDArray[np.bool_]:
        return np.asarray(np.arange(self.cells) == cell(self.profile.bins, name))

    def _gates(self) -> bool:
        return self.profile.name not in self.config.informational

    def _effect(self, dependence: Dependence | None) -> float | None:
        return None if dependence is None else dependence.design_effect


def _fixed_words(name: str, words: Sequence[str], public: Sequence[str]) -> Words:
    def describe(index: int) -> tuple[str, str]:
        return f"{name}: {words[index]}", f"{name}: {public[index]}"

    return describe
