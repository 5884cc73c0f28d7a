"""Labels against what was predicted, as counts and sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.draws import uniforms
from servewatch.sketch.truth import CALIBRATION_HALF, TruthCells

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Records = NDArray[np.void]
LARGEST = 1e12  # of an error in scales: its fourth power is still far from overflow
LEAST_PROBABILITY = float(np.finfo(np.float64).eps)


class Labelled:
    """Counts and sums of some labelled rows, made once for each batch of labels."""

    def __init__(self, cells: TruthCells) -> None:
        """Start at zero in *cells*."""
        self.cells = cells
        self.counts = np.zeros(cells.size, dtype=np.int64)
        self.sums = np.zeros(cells.sums_size)
        self._kinds = len(cells.truth.classes) + 1

    def count_classes(self, records: Records, labels: Ints) -> None:
        """Count class numbers *labels* (n,) against the predicted ones."""
        kinds = self._kinds
        predicted = records["class"].astype(np.int64)
        pairs = labels * kinds + predicted
        self.add("confusion", pairs)
        for place, each in enumerate(self.cells.truth.segments):
            group = records["groups"][:, place].astype(np.int64)
            cells = np.bincount(
                group * kinds * kinds + pairs, minlength=each.groups * kinds * kinds
            )
            table = cells.reshape(each.groups, kinds, kinds)
            hit = np.diagonal(table, axis1=1, axis2=2)[:, :-1]
            label, prediction = table.sum(axis=2)[:, :-1], table.sum(axis=1)[:, :-1]
            rows = table.sum(axis=(1, 2))[:, None]
            parts = (
                hit,
                prediction - hit,
                label - hit,
                rows - label - prediction + hit,
            )
            self.cells.of(f"group:{each.column}", self.counts)[:] += np.stack(
                parts, axis=2
            )

    def count_scores(self, records: Records, labels: Ints, phase: float) -> None:
        """Count and sum what the scores said of *labels* (n,), where there are any."""
        truth = self.cells.truth
        is_scored = ~np.isnan(records["scores"]).any(axis=1)
        is_scored &= labels < len(truth.classes)
        scores, labels = records["scores"][is_scored], labels[is_scored]
        predicted = records["class"][is_scored].astype(np.int64)
        for place, scored in enumerate(truth.scored_classes):
            cell = 2 * np.searchsorted(truth.score_edges, scores[:, place]) + (
                labels == scored
            )
            self.add(f"score:{place}", cell)
        if scores.shape[1] == 1:
            told, hit = scores[:, 0], labels == 1
            chosen = np.where(hit, told, 1 - told)
            brier = (told - hit) ** 2
        else:
            rows = np.arange(labels.size)
            chosen = scores[rows, labels]
            brier = (scores**2).sum(axis=1) - 2 * chosen + 1
            is_known = predicted < len(truth.classes)
            told = scores[rows, np.where(is_known, predicted, 0)]
            told = np.where(is_known, told, 0.0)
            hit = labels == predicted
        loss = -np.log(np.clip(chosen, LEAST_PROBABILITY, 1.0))
        self.cells.sum_of("score", self.sums)[:] += (
            labels.size,
            loss.sum(),
            (loss**2).sum(),
            brier.sum(),
            (brier**2).sum(),
        )
        bins = np.searchsorted(truth.calibration_edges, told)
        self.add("calibration", 2 * bins + hit)
        size = len(truth.calibration_edges) + 1
        self.cells.sum_of("calibration", self.sums)[:] += np.bincount(
            bins, weights=told, minlength=size
        )
        drawn = uniforms(told.size, phase) < told
        above, below = hit & ~drawn, ~hit & drawn
        is_sure = told >= CALIBRATION_HALF
        gap = self.cells.of("calibration_gap", self.counts)
        gap[0] += np.count_nonzero(below), np.count_nonzero(above)
        gap[1] += (
            np.count_nonzero(np.where(is_sure, below, above)),
            np.count_nonzero(np.where(is_sure, above, below)),
        )

    def count_errors(self, records: Records, labels: Floats, phase: float) -> None:
        """Count and sum the errors of predicted numbers; what is no number is left."""
        truth = self.cells.truth
        value = records["value"]
        known = np.isfinite(value) & np.isfinite(labels)
        value, labels, records = value[known], labels[known], records[known]
        with np.errstate(over="ignore", invalid="ignore"):
            residual = labels - value
            size = np.abs(labels) + np.abs(value)
            absolute = np.abs(residual)
            relative = np.divide(
                absolute, size, out=np.zeros(labels.size), where=size > 0
            )
        for name, each in (
            ("relative", relative),
            ("residual", residual),
            ("absolute", absolute),
        ):
            self.add(name, self._bins(name, each))
        self.add("labelled", self._bins("predicted", value))
        loss = np.minimum(absolute, truth.clip) / truth.clip
        hits = _rounded(loss, phase)
        self.cells.of("clipped", self.counts)[:] += (labels.size - hits, hits)
        error = np.clip(residual / truth.scale, -LARGEST, LARGEST)
        self._sum_errors(error, labels, loss)
        size = np.clip(np.abs(labels) / truth.scale, 0, LARGEST)
        for place, segment in enumerate(truth.segments):
            group = records["groups"][:, place].astype(np.int64)
            totals = self.cells.sum_of(f"group:{segment.column}", self.sums)
            parts = (np.ones(labels.size), error, np.abs(error), error**2, size)
            for column, part in enumerate(parts):
                totals[:, column] += np.bincount(group, part, segment.groups)
            of_group = self.cells.of(f"group:{segment.column}", self.counts)
            for number in np.unique(group).tolist():
                part = loss[group == number]
                hits = _rounded(part, phase)
                of_group[number] += (part.size - hits, hits)

    def _sum_errors(self, error: Floats, labels: Floats, loss: Floats) -> None:
        truth = self.cells.truth
        over, under = np.maximum(error, 0), np.maximum(-error, 0)
        y = np.clip((labels - truth.center) / truth.scale, -LARGEST, LARGEST)
        size = np.clip(np.abs(labels) / truth.scale, 0, LARGEST)
        error2, y2 = error**2, y**2
        nonzero = labels != 0
        ratio = np.abs(error[nonzero]) / np.maximum(size[nonzero], 1 / LARGEST)
        self.cells.sum_of("error", self.sums)[:] += (
            labels.size,
            over.sum(),
            under.sum(),
            (over**2).sum(),
            (under**2).sum(),
            (error2**2).sum(),
            y.sum(),
            y2.sum(),
            (y2 * y).sum(),
            (y2**2).sum(),
            (error2 * y).sum(),
            (error2 * y2).sum(),
            size.sum(),
            (size**2).sum(),
            (np.abs(error) * size).sum(),
            ratio.size,
            ratio.sum(),
            (ratio**2).sum(),
            (loss**2).sum(),
        )

    def add(self, name: str, cells: NDArray[np.generic]) -> None:
        """Count one for each of *cells* in the block *name*."""
        span = self.cells.cells[name]
        self.counts[span] += np.bincount(cells, minlength=span.stop - span.start)

    def _bins(self, name: str, values: Floats) -> NDArray[np.intp]:
        return np.searchsorted(self.cells.truth.edges[name], values)


def _rounded(shares: Floats, phase: float) -> int:
    """Give the sum of *shares* as a whole number, unbiased where *phase* is random."""
    return int(np.floor(shares.sum() + phase))
