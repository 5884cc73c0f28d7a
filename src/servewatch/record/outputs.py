"""Which output of which method is which prediction column of the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from servewatch.record.observation import Snapshot
from servewatch.record.unpack import Stacked, stack
from servewatch.sketch.bins import EdgeBins
from servewatch.sketch.encode import Values
from servewatch.sketch.layout import Layout

SCORERS = frozenset({"predict_proba", "decision_function"})
LABELLERS = frozenset({"predict", "transform"})


def prediction_columns(
    layout: Layout, outputs: Mapping[str, Sequence[Snapshot]]
) -> Mapping[str, Values]:
    """Give the prediction columns in *outputs*, by method called on the same rows.

    Scores go first: where `predict` and `predict_proba` were both asked, a column of
    scores holds probabilities and not labels.
    """
    columns: dict[str, Values] = {}
    for method in sorted(outputs, key=lambda name: name not in SCORERS):
        stacked = stack(outputs[method])
        free = [c.name for c in layout.schema.predictions if c.name not in columns]
        for name, place in assign(layout, method, stacked, free).items():
            columns[name] = stacked.columns[place]
    return columns


def assign(
    layout: Layout, method: str, stacked: Stacked, free: Sequence[str]
) -> Mapping[str, int]:
    """Map names of prediction columns that are still *free* to places in *stacked*.

    By name where the output has names that the baseline knows. Else one output for
    each column in order; one output alone is the first column. Class probabilities
    (n, C) are the C columns of scores, or with two classes the second one's.
    """
    width = len(stacked.columns)
    places = {name: i for i, name in enumerate(stacked.names or ()) if name in free}
    if places:
        return places
    wanted = [column.name for column in layout.schema.predictions]
    scores = [
        column.name
        for column, bins in zip(layout.schema.columns, layout.bins, strict=True)
        if column.role == "prediction" and isinstance(bins, EdgeBins)
    ]
    if method in SCORERS:
        wanted = scores
    elif width == 1:
        wanted = list(free)[:1]
    if width != len(wanted):
        is_binary = width == 2 and len(scores) == 1 and method not in LABELLERS
        return {scores[0]: 1} if is_binary and scores[0] in free else {}
    return {name: place for place, name in enumerate(wanted) if name in free}
