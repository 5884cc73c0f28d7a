"""Predictions and their labels to counts and sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from servewatch.sketch.encode import Coded, Values, to_numbers, to_texts
from servewatch.sketch.labelled import Labelled
from servewatch.sketch.truth import CALIBRATION_HALF, DELAYS, Truth, TruthCells

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Records = NDArray[np.void]
TRUTHS = {"true": "1", "false": "0"}


class Scoring:
    """Counts predictions, and labels against them, as one `Truth` says.

    >>> truth = Truth(
    ...     task="classification", target="y", prediction="p", classes=("0", "1")
    ... )
    >>> scoring = Scoring(truth)
    >>> records = scoring.records({"p": [1, 0, 1]}, {}, 3)
    >>> counts, sums = scoring.labelled(
    ...     records, scoring.codes(["1", "0", "0"]), np.zeros(3)
    ... )
    >>> scoring.cells.of("confusion", counts)[:2, :2].tolist()
    [[1, 1], [0, 1]]
    """

    def __init__(self, truth: Truth) -> None:
        """Prepare for rows of *truth*."""
        self.truth = truth
        self.cells = TruthCells(truth)
        self._is_classes = truth.task == "classification"
        self._kinds = len(truth.classes) + 1
        self._places = {text: place for place, text in enumerate(truth.classes)}
        for said, number in TRUTHS.items():
            if number in self._places:
                for each in (said, said.capitalize(), said.upper()):
                    self._places.setdefault(each, self._places[number])
        fields: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]] = [
            ("class", "u1") if self._is_classes else ("value", "<f8")
        ]
        if truth.scores:
            fields.append(("scores", "<f8", (len(truth.scores),)))
        if truth.segments:
            fields.append(("groups", "u1", (len(truth.segments),)))
        self.dtype = np.dtype(fields)

    def records(
        self,
        outputs: Mapping[str, Values],
        groups: Mapping[str, NDArray[np.uint8]],
        rows: int,
    ) -> Records | None:
        """Give what has to be kept of predictions until their labels come.

        *outputs* are the prediction columns by name, *groups* the codes (rows,) of the
        segment columns in their own bins. None where no prediction can be told.
        """
        truth = self.truth
        found = np.zeros(rows, dtype=self.dtype)
        if truth.scores:
            found["scores"] = self._scores(outputs, rows)
        if truth.prediction is not None and truth.prediction in outputs:
            predicted = outputs[truth.prediction]
            if self._is_classes:
                found["class"] = self._classes(predicted)
            else:
                found["value"] = to_numbers(predicted)[0]
        elif truth.scores and not np.isnan(found["scores"]).all():
            found["class"] = self._likeliest(found["scores"])
        else:
            return None
        for place, each in enumerate(truth.segments):
            known = len(each.values)
            found["groups"][:, place] = (
                np.minimum(groups[each.column], known)
                if each.column in groups
                else known
            )
        return found

    def _scores(self, outputs: Mapping[str, Values], rows: int) -> Floats:
        columns = [
            to_numbers(outputs[name])[0] if name in outputs else np.full(rows, np.nan)
            for name in self.truth.scores
        ]
        scores = np.stack(columns, axis=1)
        return np.where((scores >= 0) & (scores <= 1), scores, np.nan)

    def _likeliest(self, scores: Floats) -> NDArray[np.intp]:
        """Give the class of the highest score; never seen where scores are missing."""
        is_known = ~np.isnan(scores).any(axis=1)
        filled = np.nan_to_num(scores)
        best = filled.argmax(axis=1)
        if scores.shape[1] == 1:
            best = (filled[:, 0] >= CALIBRATION_HALF).astype(np.intp)
        return np.where(is_known, best, self._kinds - 1)

    def _classes(self, values: Values) -> NDArray[np.intp]:
        """Give each value's class; that of a value never seen is the last one."""
        other = self._kinds - 1
        if isinstance(values, Coded):
            distinct, inverse = [*values.distinct, None], values.positions
        elif isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
            unique, inverse = np.unique(values, return_inverse=True)
            distinct, inverse = unique.tolist(), inverse.reshape(-1)
        else:
            distinct, inverse = list(values), np.arange(len(values))
        texts = to_texts(distinct)
        codes = [self._places.get(text or "", other) for text in texts]
        return np.array(codes, dtype=np.intp)[inverse]

    def codes(self, texts: Sequence[str]) -> NDArray[np.generic]:
        """Give canonical labels as class numbers, or as float64 values."""
        if self._is_classes:
            return self._classes(list(texts))
        return np.array(texts, dtype=np.float64)

    def values(self, labels: Values) -> NDArray[np.generic]:
        """Give a column of labels as `codes` does; missing ones are NaN or unseen."""
        return self._classes(labels) if self._is_classes else to_numbers(labels)[0]

    def has_label(self, labels: Values) -> NDArray[np.bool_]:
        """Tell which labels of a column are one of the classes, or finite numbers."""
        if self._is_classes:
            return np.asarray(self._classes(labels) != self._kinds - 1)
        return np.isfinite(to_numbers(labels)[0])

    def served(self, records: Records) -> Ints:
        """Count predictions, whether or not a label ever comes: (cells.size,)."""
        counts = np.zeros(self.cells.size, dtype=np.int64)
        if not self._is_classes:
            value = records["value"]
            predicted = self._binned("predicted", value[np.isfinite(value)])
            self._add(counts, "served_predicted", predicted)
            for place, each in enumerate(self.truth.segments):
                group = records["groups"][:, place]
                self._add(counts, f"served_group:{each.column}", group)
            return counts
        predicted = records["class"].astype(np.int64)
        self._add(counts, "served_class", predicted)
        for place, scored in enumerate(self.truth.scored_classes):
            score = records["scores"][:, place]
            known = ~np.isnan(score)
            cell = 2 * self._score_bins(score[known]) + (predicted[known] == scored)
            self._add(counts, f"served_score:{place}", cell)
        for place, each in enumerate(self.truth.segments):
            group = records["groups"][:, place].astype(np.int64)
            cell = group * self._kinds + predicted
            self._add(counts, f"served_group:{each.column}", cell)
        return counts

    def labelled(
        self,
        records: Records,
        labels: NDArray[np.generic],
        delays: Floats,
        *,
        phase: float = 0.5,
    ) -> tuple[Ints, Floats]:
        """Count labels against what was predicted: (cells.size,), (cells.sums_size,).

        *labels* as `codes` gives them, *delays* in seconds. Bounded losses are counted
        as whole rows, by systematic rounding from *phase* in [0, 1) on: draw it at
        random for each call, and every expectation is exact.
        """
        found = Labelled(self.cells)
        found.add("delay", np.searchsorted(DELAYS, delays))
        if self._is_classes:
            codes = labels.astype(np.int64)
            found.count_classes(records, codes)
            if self.truth.scores:
                found.count_scores(records, codes, phase)
        else:
            found.count_errors(records, labels.astype(np.float64), phase)
        return found.counts, found.sums

    def losses(self, records: Records, labels: NDArray[np.generic]) -> Floats:
        """Give each row's loss in [0, 1]: a wrong class, or a clipped error.

        Rows without a number on either side are left out.
        """
        found: Floats
        if self._is_classes:
            found = (records["class"] != labels).astype(np.float64)
            return found
        error = np.abs(records["value"] - labels.astype(np.float64))
        found = np.minimum(error[np.isfinite(error)], self.truth.clip)
        return found / self.truth.clip

    def _add(self, counts: Ints, name: str, cells: NDArray[np.generic]) -> None:
        span = self.cells.cells[name]
        counts[span] += np.bincount(cells, minlength=span.stop - span.start)

    def _binned(self, name: str, values: Floats) -> NDArray[np.intp]:
        return np.searchsorted(self.truth.edges[name], values)

    def _score_bins(self, scores: Floats) -> NDArray[np.intp]:
        return np.searchsorted(self.truth.score_edges, scores)
