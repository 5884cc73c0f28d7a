"""How rows whose label is known are counted, and where each count lives.

Everything is a count in a flat array of integers, or a sum in one of floats, so that
blocks, workers and restarts merge by adding up. The baseline has the same arrays of its
evaluation rows, and what is said of a model is a function of the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from itertools import accumulate
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

Task = Literal["classification", "regression"]

MOST_CLASSES = 20
CALIBRATION_BINS = 10
CALIBRATION_HALF = 0.5
OUTCOMES = ("tp", "fp", "fn", "tn")
# Upper ends of the buckets of a label's delay in seconds; the last one has none.
DELAYS = (
    *(60.0 * 2**k for k in range(6)),  # 1 to 32 minutes
    *(3600.0 * 2**k for k in range(5)),  # 1 to 16 hours
    *(86400.0 * 2**k for k in range(7)),  # 1 to 64 days
)
# Of r = label - prediction and y = label - center, both over scale; `over` sums
# max(r, 0), `under` max(-r, 0), `size` |label| / scale, `ratio` |r / label| where the
# label is not 0; powers are of the row's own value.
REGRESSION_SUMS = (
    "rows", "over", "under", "over2", "under2", "error4",
    "y", "y2", "y3", "y4", "error2_y", "error2_y2",
    "size", "size2", "error_size",
    "ratio_rows", "ratio", "ratio2",
    "loss2",
)  # fmt: skip
SCORE_SUMS = ("rows", "log_loss", "log_loss2", "brier", "brier2")
GROUP_SUMS = ("rows", "error", "absolute", "error2", "size")


class SegmentColumn(msgspec.Struct, frozen=True):
    """A feature by whose values rows are told apart; other values are one more group.

    `values` are in the order of the column's own ordinary bins.
    """

    column: str
    values: tuple[str, ...]

    @property
    def groups(self) -> int:
        """Number of groups: one a value, and one for all others."""
        return len(self.values) + 1


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What labels of `target` are compared with, and in which bins.

    Classification has `classes`, in order (with two, the second is the positive one),
    `prediction` names the column of predicted classes (None: the class of the highest
    score, with one score the positive one from 0.5 on), `scores` the columns of
    probabilities: one of the positive class, or one a class. `score_edges` are the
    inner edges of the bins of a probability, `calibration_edges` of those that
    calibration is told by.

    Regression has `prediction`; `edges` are the inner edges of the bins of `relative`
    |r| / (|label| + |prediction|), `residual` r = label - prediction, `absolute` |r|
    and `predicted`; `clip` is where |r| is clipped to make a bounded loss; `center` and
    `scale` (above 0) are those of the evaluation labels.
    """

    task: Task
    target: str
    prediction: str | None = None
    classes: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    score_edges: tuple[float, ...] = ()
    calibration_edges: tuple[float, ...] = ()
    edges: dict[str, tuple[float, ...]] = {}
    clip: float = 0.0
    center: float = 0.0
    scale: float = 1.0
    segments: tuple[SegmentColumn, ...] = ()

    @property
    def is_binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.classes) == 2

    @property
    def scored_classes(self) -> tuple[int, ...]:
        """The class that each column of scores is the probability of."""
        if len(self.scores) == 1:
            return (1,)
        return tuple(range(len(self.scores)))


class TruthCells:
    """The spans of one `Truth`: `cells` and `sums` by name, and their totals.

    Shapes of the cells, K = classes + 1 for those never seen, B bins of a score:

    * `confusion` (K, K) by label and prediction; `served_class` (K,) predictions of all
      rows served, labelled or not.
    * `score:J` (B, 2) of score column J by bin and whether the label is its class;
      `served_score:J` (B, 2) of all rows served, by bin and whether the predicted class
      is its class.
    * `calibration` (10, 2) by bin of the predicted class's score (two classes: of the
      positive one's) and whether the label is that class. `calibration_gap` (2, 2) of
      rows whose label is not what was drawn at that probability: labels below and above
      the draw, then those that make the probability too sure and not sure enough. Where
      probabilities are right both are as frequent, whatever the probabilities are.
    * `group:COLUMN` (groups, C, 4) by group, class, and `OUTCOMES` of that class;
      regression (groups, 2): the clipped loss in rows that are missed and hit;
      `served_group:COLUMN` (groups, K), for regression (groups,).
    * `relative`, `residual`, `absolute`, `labelled` (the prediction of labelled rows),
      `served_predicted` (of all rows): one cell a bin; `clipped` (2,): loss as rows.
    * `delay` by `DELAYS`, one more for longer ones: every labelled row.

    Sums: `score` (5,) by `SCORE_SUMS`, `calibration` (10,) sums of the probability;
    `error` by `REGRESSION_SUMS`, `group:COLUMN` (groups, 5) by `GROUP_SUMS`.

    >>> edges = {"residual": (0.0,)}
    >>> truth = Truth(task="regression", target="y", prediction="p", edges=edges)
    >>> TruthCells(truth).shapes["residual"]
    (2,)
    """

    def __init__(self, truth: Truth) -> None:
        """Lay out the cells of *truth*."""
        self.truth = truth

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of every block of cells by name, in order."""
        truth = self.truth
        found: dict[str, tuple[int, ...]] = {}
        if truth.task == "classification":
            kinds = len(truth.classes) + 1
            found |= {"confusion": (kinds, kinds), "served_class": (kinds,)}
            bins = len(truth.score_edges) + 1
            for place in range(len(truth.scores)):
                found[f"score:{place}"] = found[f"served_score:{place}"] = (bins, 2)
            if truth.scores:
                found["calibration"] = (len(truth.calibration_edges) + 1, 2)
                found["calibration_gap"] = (2, 2)
            for each in truth.segments:
                shape = (each.groups, len(truth.classes), len(OUTCOMES))
                found[f"group:{each.column}"] = shape
                found[f"served_group:{each.column}"] = (each.groups, kinds)
        else:
            for name, edges in truth.edges.items():
                if name == "predicted":
                    found["labelled"] = found["served_predicted"] = (len(edges) + 1,)
                else:
                    found[name] = (len(edges) + 1,)
            found["clipped"] = (2,)
            for each in truth.segments:
                found[f"group:{each.column}"] = (each.groups, 2)
                found[f"served_group:{each.column}"] = (each.groups,)
        return found | {"delay": (len(DELAYS) + 1,)}

    @cached_property
    def sum_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of every block of sums by name, in order."""
        truth = self.truth
        if truth.task == "classification":
            if not truth.scores:
                return {}
            bins = len(truth.calibration_edges) + 1
            return {"score": (len(SCORE_SUMS),), "calibration": (bins,)}
        found: dict[str, tuple[int, ...]] = {"error": (len(REGRESSION_SUMS),)}
        for each in truth.segments:
            found[f"group:{each.column}"] = (each.groups, len(GROUP_SUMS))
        return found

    @cached_property
    def cells(self) -> Mapping[str, slice]:
        """The cells of every block by name."""
        return _spans(self.shapes)

    @cached_property
    def sums(self) -> Mapping[str, slice]:
        """The sums of every block by name."""
        return _spans(self.sum_shapes)

    @property
    def size(self) -> int:
        """Number of cells in all."""
        return sum(map(_size, self.shapes.values()))

    @property
    def sums_size(self) -> int:
        """Number of sums in all."""
        return sum(map(_size, self.sum_shapes.values()))

    def of(self, name: str, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the block *name* of *counts* (size,) in its own shape, as a view."""
        return counts[self.cells[name]].reshape(self.shapes[name])

    def sum_of(self, name: str, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the block *name* of *sums* (sums_size,) in its own shape, as a view."""
        return sums[self.sums[name]].reshape(self.sum_shapes[name])


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape))


def _spans(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, slice]:
    ends = list(accumulate(map(_size, shapes.values()), initial=0))
    return {
        name: slice(start, stop)
        for name, start, stop in zip(shapes, ends, ends[1:], strict=False)
    }
