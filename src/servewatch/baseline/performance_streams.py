"""The streams that late labels feed: whether the model got worse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.profile import Content, Performance
from servewatch.config import Config
from servewatch.judge.stream import Family, Stream
from servewatch.sketch.layout import Layout
from servewatch.sketch.truth import OUTCOMES, REGRESSION_SUMS, SegmentColumn

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]
Words = Callable[[int], tuple[str, str]]
FEW_ROWS = 50  # evaluation rows of a group: below, its rates say nothing
POSITIVE = 1
TWO_SIDES = 2
UNLIKE_A_DRAW = "labels unlike a draw at their probability"
UNITS = {
    "error": "its labelled rows",
    "positive": "its rows",
    "true_positive": "its labels of that class",
    "false_positive": "its labels of the other class",
}


def performance_streams(
    content: Content, layout: Layout, config: Config
) -> tuple[Stream, ...]:
    """Give the streams of rows whose label came; none without evaluation labels.

    They never hold up a verdict, and gate only where evaluation rows were held out.
    """
    if content.performance is None or layout.truth is None:
        return ()
    return tuple(_Streams(content, content.performance, layout, config).all())


@dataclass(frozen=True)
class _Sets:
    """Witness sets over one block of cells, of which `base` (cells,) are counted."""

    members: Marks
    base: Marks
    words: Words
    tolerances: Floats | None = None
    unit: str = "labelled rows"


class _Streams:
    def __init__(
        self, content: Content, known: Performance, layout: Layout, config: Config
    ) -> None:
        self.content, self.known, self.layout, self.config = (
            content,
            known,
            layout,
            config,
        )
        self.truth = known.truth
        assert layout.truth_cells is not None
        self.cells = layout.truth_cells
        self.counts = np.array(known.counts, dtype=np.int64)

    def all(self) -> Iterator[Stream]:
        if self.truth.task == "regression":
            yield from self._errors()
            for segment in self.truth.segments:
                yield from self._group_losses(segment)
            return
        kinds = len(self.truth.classes) + 1
        wrong = ~np.eye(kinds, dtype=bool).ravel()
        everything = np.ones(kinds * kinds, dtype=bool)
        sets = _Sets(wrong[None, :], everything, _words("error: wrong predictions"))
        yield self._stream("error", "confusion", self._tolerated(sets))
        if self.truth.scores:
            yield from self._calibration()
        for segment in self.truth.segments:
            yield from self._groups(segment)

    def _errors(self) -> Iterator[Stream]:
        """Larger errors: by size relative to the numbers, by sign, and by size."""
        for name, words in (
            ("relative", "errors over {:.4g} of label and prediction together"),
            ("absolute", "errors over {:.6g}"),
        ):
            edges = self.truth.edges[name]
            if edges:
                upper = _upper(len(edges) + 1)
                sets = _Sets(upper, _all(upper), _edge_words(name, words, edges))
                yield self._stream(f"error/{name}", name, sets)
        edges = self.truth.edges["residual"]
        if edges:
            yield self._stream("error/residual", "residual", self._outward(edges))
        loss = np.array([[False, True]])
        words = f"error/clipped: mean error, clipped at {self.truth.clip:.6g}"
        sets = _Sets(loss, _all(loss), _words(words, "error/clipped: mean error"))
        stream = self._stream("error/clipped", "clipped", self._tolerated(sets))
        yield self._with_own_variance(stream)

    def _with_own_variance(self, stream: Stream) -> Stream:
        """Take the bound on the mean loss from its own variance.

        A loss between 0 and 1 varies less than rows that are all hit or miss, so that
        it tells as much of its mean as more of such rows would: p (1 - p) / variance
        times as many.
        """
        sums = self.cells.sum_of("error", np.array(self.known.sums))
        rows, squares = (
            float(sums[REGRESSION_SUMS.index(name)]) for name in ("rows", "loss2")
        )
        mean = float(stream.shares[0])
        variance = squares / max(rows, 1) - mean**2
        if not 0 < variance < mean * (1 - mean):
            return stream
        gain = mean * (1 - mean) / variance
        return replace(
            stream,
            known_hits=stream.known_hits * gain,
            known_rows=stream.known_rows * gain,
        )

    def _outward(self, edges: tuple[float, ...]) -> _Sets:
        """Tails away from the middle: the others grow when errors shrink."""
        bins = len(edges) + 1
        share = np.cumsum(self.counts[self.cells.cells["residual"]])[:-1]
        below = share <= share[-1] / 2 if share.size else share.astype(bool)
        upper = _upper(bins)
        members = np.where(below[:, None], ~upper, upper)

        def describe(index: int) -> tuple[str, str]:
            side = "under" if below[index] else "over"
            public = f"error/residual: labels far {side} their predictions"
            return (
                f"error/residual: label - prediction {side} {edges[index]:.6g}",
                public,
            )

        return _Sets(members, _all(members), describe)

    def _calibration(self) -> Iterator[Stream]:
        """Probabilities that are wrong on average, and those that are too sure."""
        for row, (name, low, high) in enumerate(
            (
                ("bias", "probabilities too high", "probabilities too low"),
                (
                    "confidence",
                    "probabilities too sure",
                    "probabilities not sure enough",
                ),
            )
        ):
            members = np.zeros((2, 4), dtype=bool)
            members[0, 2 * row] = members[1, 2 * row + 1] = True
            base = members[0] | members[1]
            said = (f"calibration/{name}: {low}", f"calibration/{name}: {high}")
            levels = np.array(self.config.tolerance_calibration)[:, None]
            levels = np.repeat(levels, 2, axis=1)
            sets = _Sets(members, base, _each(said), levels, UNLIKE_A_DRAW)
            yield self._stream(f"calibration/{name}", "calibration_gap", sets)

    def _groups(self, segment: SegmentColumn) -> Iterator[Stream]:
        """Each group's rates against its own at training time."""
        classes = len(self.truth.classes)
        shape = (segment.groups, classes, len(OUTCOMES))
        tp, fp, fn, tn = range(len(OUTCOMES))
        block = f"group:{segment.column}"
        for group in range(len(segment.values)):
            if not self.truth.is_binary:
                hits, base = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
                hits[group, :, fn] = base[group, :, fn] = base[group, :, tp] = True
                yield from self._group(segment, group, "error", block, hits, base)
                continue
            for name, of, among in (
                ("true_positive", tp, (tp, fn)),
                ("false_positive", fp, (fp, tn)),
            ):
                hits, base = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
                hits[group, POSITIVE, of] = True
                base[group, POSITIVE, list(among)] = True
                yield from self._group(segment, group, name, block, hits, base)
            served = (segment.groups, classes + 1)
            hits, base = np.zeros(served, dtype=bool), np.zeros(served, dtype=bool)
            hits[group, POSITIVE], base[group] = True, True
            served_block = f"served_group:{segment.column}"
            yield from self._group(segment, group, "positive", served_block, hits, base)

    def _group_losses(self, segment: SegmentColumn) -> Iterator[Stream]:
        for group in range(len(segment.values)):
            hits = np.zeros((segment.groups, 2), dtype=bool)
            base = hits.copy()
            hits[group, 1], base[group] = True, True
            block = f"group:{segment.column}"
            yield from self._group(segment, group, "error", block, hits, base)

    def _group(  # noqa: PLR0917 - which rate of which group
        self,
        segment: SegmentColumn,
        group: int,
        rate: str,
        block: str,
        hits: Marks,
        base: Marks,
    ) -> Iterator[Stream]:
        """Judge a group's rate both ways, where evaluation has enough of its rows.

        The stream goes by the group's number: its name is public, the value is not.
        """
        hits, base = hits.ravel(), base.ravel()
        counts = self.counts[self.cells.cells[block]]
        if int(counts[base].sum()) < FEW_ROWS:
            return
        members = np.array([hits, base & ~hits])
        name = f"group:{segment.column}#{group + 1}/{rate}"
        value = f"{name} ({segment.column} = {segment.values[group]})"

        def describe(index: int) -> tuple[str, str]:
            way = ("higher rate", "lower rate")[index]
            return f"{value}: {way}", f"{name}: {way}"

        levels = np.array(self.config.tolerance_fairness)[:, None]
        levels = np.repeat(levels, 2, axis=1)
        sets = _Sets(members, base, describe, levels, UNITS[rate])
        yield self._stream(name, block, sets)

    def _tolerated(self, sets: _Sets) -> _Sets:
        levels = np.array(self.config.tolerance_labels)[:, None]
        levels = np.repeat(levels, len(sets.members), axis=1)
        return _Sets(sets.members, sets.base, sets.words, levels)

    def _stream(self, name: str, block: str, sets: _Sets) -> Stream:
        counts = self.counts[self.cells.cells[block]]
        rows = int(counts[sets.base].sum())
        hits = sets.members @ counts
        count = len(sets.members)
        dependence = self.known.streams.get(block)
        tolerances = sets.tolerances
        family: Family = "performance"
        return Stream(
            name=name,
            role="performance",
            family=family,
            span=self.layout.outcome(block),
            members=sets.members,
            weights=np.full(count, 1 / count),
            # Of two sides one tells all: more would hide how noisy the measure is.
            tails=np.arange(count) == 0 if count == TWO_SIDES else np.ones(count, bool),
            base=sets.base,
            shares=hits / max(rows, 1),
            known_hits=hits.astype(float),
            known_rows=np.full(count, float(rows)),
            tolerances=np.full((3, count), np.nan)
            if tolerances is None
            else tolerances,
            words=sets.words,
            design_effect=None if dependence is None else dependence.design_effect,
            one_block=1.0 if dependence is None else dependence.one_block,
            baseline_rows=rows,
            gates=not self.content.in_sample and name not in self.config.informational,
            unit=sets.unit,
            column=f":{block}",
        )


def _upper(bins: int) -> Marks:
    """Mark the upper tails {b >= k} (bins - 1, bins)."""
    place = np.arange(bins)
    return np.array([place >= k for k in range(1, bins)])


def _all(members: Marks) -> Marks:
    return np.ones(members.shape[1], dtype=bool)


def _words(words: str, public: str | None = None) -> Words:
    return lambda _: (words, public or words)


def _each(words: tuple[str, ...]) -> Words:
    return lambda index: (words[index], words[index])


def _edge_words(name: str, words: str, edges: tuple[float, ...]) -> Words:
    def describe(index: int) -> tuple[str, str]:
        said = words.format(edges[index])
        return f"error/{name}: {said}", f"error/{name}: larger errors"

    return describe
