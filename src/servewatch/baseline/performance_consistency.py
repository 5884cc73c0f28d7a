"""Whether what a baseline says of labels agrees with itself and with its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import isfinite

from servewatch.baseline.profile import ColumnProfile, Content, Performance
from servewatch.baseline.segments import MOST_SEGMENTS
from servewatch.sketch.bins import SPECIALS
from servewatch.sketch.loss import LossModel
from servewatch.sketch.truth import (
    GROUP_SUMS,
    MOST_CLASSES,
    REGRESSION_SUMS,
    Truth,
    TruthCells,
)

MOST_EDGES = 1_024
MOST_COUNT = 2**53
MOST_SUM = 1e66  # rows times the fourth power of the largest error
REPLICATES = 10
SIGNED = frozenset({"y", "y3", "error2_y", "error"})
EDGES = ("relative", "residual", "absolute", "predicted")
NAME_BYTES = 1_024


def performance_contradictions(content: Content) -> Iterator[str]:
    """Yield what does not fit together, with where it is."""
    by_name = {column.name: column for column in content.columns}
    features = [c.name for c in content.columns if c.role == "feature"]
    if not set(content.influence) <= set(features):
        yield "influence: of columns that are no features"
    if not all(0 <= share <= 1 for share in content.influence.values()):
        yield "influence: no share from 0 to 1"
    if content.performance is None:
        return
    problems = list(_truth(content.performance.truth, by_name))
    yield from (f"performance.truth: {problem}" for problem in problems)
    if problems:
        return
    for problem in _counted(content.performance):
        yield f"performance: {problem}"
    if content.performance.loss is not None:
        for problem in _loss(content.performance, by_name, features):
            yield f"performance.loss: {problem}"


def _truth(truth: Truth, columns: Mapping[str, ColumnProfile]) -> Iterator[str]:
    roles = {name: column.role for name, column in columns.items()}
    if roles.get(truth.target) != "target":
        yield "target: no column of labels"
    said = [*truth.scores, *([truth.prediction] if truth.prediction else [])]
    if any(roles.get(name) != "prediction" for name in said):
        yield "prediction, scores: no columns of predictions"
    for segment in truth.segments:
        bins = columns[segment.column].bins if segment.column in columns else None
        if bins is None or roles[segment.column] != "feature":
            yield "segments: no feature"
        elif not len(segment.values) == bins.ordinary <= MOST_SEGMENTS + 1:
            yield "segments: not one value for every bin"
    if len({segment.column for segment in truth.segments}) < len(truth.segments):
        yield "segments: a column twice"
    if truth.task == "classification":
        yield from _classes(truth)
    else:
        yield from _numbers(truth)


def _classes(truth: Truth) -> Iterator[str]:
    classes = truth.classes
    if not 2 <= len(set(classes)) == len(classes) <= MOST_CLASSES:
        yield f"classes: not 2 to {MOST_CLASSES} different ones"
    if any(len(text.encode("utf-8", "replace")) > NAME_BYTES for text in classes):
        yield f"classes: one of over {NAME_BYTES:,} bytes"
    if len(truth.scores) not in {0, len(classes), 1 if truth.is_binary else 0}:
        yield "scores: not one a class"
    if truth.prediction is None and not truth.scores:
        yield "prediction: neither classes nor scores"
    for name, edges in (
        ("score_edges", truth.score_edges),
        ("calibration_edges", truth.calibration_edges),
    ):
        if not _ascend(edges) or not all(0 <= edge < 1 for edge in edges):
            yield f"{name}: do not ascend from 0 to 1"


def _numbers(truth: Truth) -> Iterator[str]:
    if truth.prediction is None or truth.scores or truth.classes:
        yield "prediction: numbers have one column and no classes"
    if tuple(sorted(truth.edges)) != tuple(sorted(EDGES)):
        yield f"edges: not those of {', '.join(EDGES)}"
    if not all(map(_ascend, truth.edges.values())):
        yield "edges: do not ascend"
    if not all(map(isfinite, (truth.clip, truth.center, truth.scale))):
        yield "clip, center, scale: not finite"
    elif min(truth.clip, truth.scale) <= 0:
        yield "clip, scale: not above 0"


def _counted(performance: Performance) -> Iterator[str]:
    cells = TruthCells(performance.truth)
    counts, sums = performance.counts, performance.sums
    if len(counts) != cells.size or len(sums) != cells.sums_size:
        yield f"counts, sums: not {cells.size:,} cells and {cells.sums_size:,} sums"
        return
    if not 0 < performance.rows <= MOST_COUNT:
        yield "rows: none, or beyond all bounds"
    if min(counts) < 0 or max(counts) > MOST_COUNT:
        yield "counts: below 0 or beyond all bounds"
    elif sum(counts[cells.cells["delay"]]) != performance.rows:
        yield "counts: do not add up to the rows"
    elif "confusion" in cells.cells and performance.rows != sum(
        counts[cells.cells["confusion"]]
    ):
        yield "counts: the confusion does not add up to the rows"
    if not all(isfinite(each) and abs(each) <= MOST_SUM for each in sums):
        yield "sums: not finite, or beyond all bounds"
    elif any(each < 0 for name, each in _named_sums(cells, sums) if name not in SIGNED):
        yield "sums: of sizes and squares, below 0"
    if not set(performance.streams) <= set(cells.cells):
        yield "streams: of cells that are not there"
    effects = [
        effect
        for each in performance.streams.values()
        for effect in (each.design_effect, each.one_block)
    ]
    if any(not 1 <= effect < MOST_COUNT for effect in effects):
        yield "streams: a design effect below 1"


def _named_sums(
    cells: TruthCells, sums: Sequence[float]
) -> Iterator[tuple[str, float]]:
    """Give every sum with what it is a sum of."""
    for block, span in cells.sums.items():
        names: tuple[str, ...] = (block,)
        if block not in {"score", "calibration"}:
            names = REGRESSION_SUMS if block == "error" else GROUP_SUMS
        for place, value in enumerate(sums[span]):
            yield names[place % len(names)], value


def _loss(
    performance: Performance,
    columns: Mapping[str, ColumnProfile],
    features: Sequence[str],
) -> Iterator[str]:
    model, predicted = performance.loss, performance.truth.prediction
    assert model is not None
    names = [*features, *([predicted] if predicted else [])]
    widths = tuple(columns[name].bins.ordinary + len(SPECIALS) for name in names)
    if model.widths != widths:
        yield "widths: not those of the features and the prediction"
        return
    size = sum(widths)
    if len(model.weights) != size or len(model.counts) != size:
        yield "weights: not one a cell"
    if model.intercept <= 0 or len(model.replicates) != REPLICATES:
        yield f"intercept, replicates: not above 0, or not {REPLICATES}"
    if any(len(each) != size + 1 for each in model.replicates):
        yield "replicates: not one weight a cell"
    if not all(map(isfinite, _figures(model))):
        yield "weights: not finite"
    if min(model.counts, default=0) < 0 or not 0 < model.rows <= MOST_COUNT:
        yield "counts: below 0"


def _figures(model: LossModel) -> Iterator[float]:
    yield from (model.intercept, model.sd, model.r2, model.r2_low, model.bias)
    yield from model.weights
    for each in model.replicates:
        yield from each


def _ascend(edges: Sequence[float]) -> bool:
    return (
        len(edges) <= MOST_EDGES
        and all(map(isfinite, edges))
        and all(a < b for a, b in pairwise(edges))
    )
