"""Every metric of a model, from the counts and sums of its labelled rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from servewatch.labels.classification import classes_alone, classification
from servewatch.labels.interval import Metric
from servewatch.labels.ranking import areas_per_class, ranking
from servewatch.labels.regression import regression
from servewatch.sketch.truth import TruthCells

__all__ = ["Metric", "measure", "per_class"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def measure(
    cells: TruthCells, counts: Ints, sums: Floats, *, level: float = 0.95
) -> dict[str, Metric]:
    """Give the metrics of a model by name: counts (cells.size,), sums (sums_size,).

    The same for the baseline, a window, and all since deployment. A metric that these
    rows do not define, such as the recall of a class without labels, is left out; none
    is ever NaN. Raises ValueError for a level outside of (0, 1).

    >>> from servewatch.sketch.truth import Truth
    >>> cells = TruthCells(Truth(task="classification", target="y", classes=("a", "b")))
    >>> counts = np.zeros(cells.size, np.int64)
    >>> measure(cells, counts, np.zeros(0))
    {}
    >>> cells.of("confusion", counts)[:2, :2] = [[50, 10], [10, 30]]
    >>> measure(cells, counts, np.zeros(0))["accuracy"].rows
    100
    """
    if cells.truth.task == "regression":
        return regression(cells, sums, level=level)
    return classification(cells, counts, level=level) | ranking(
        cells, counts, sums, level=level
    )


def per_class(
    cells: TruthCells, counts: Ints, *, level: float = 0.95
) -> dict[str, dict[str, Metric]]:
    """Give the metrics of every class against all others, by class and name.

    None of a regression. Raises ValueError for a level outside of (0, 1).

    >>> from servewatch.sketch.truth import Truth
    >>> cells = TruthCells(Truth(task="classification", target="y", classes=("a", "b")))
    >>> counts = np.zeros(cells.size, np.int64)
    >>> cells.of("confusion", counts)[:2, :2] = [[50, 10], [10, 30]]
    >>> per_class(cells, counts)["b"]["recall"].value
    0.75
    """
    if cells.truth.task == "regression":
        return {}
    found = classes_alone(cells, counts, level=level)
    for name, areas in areas_per_class(cells, counts, level=level).items():
        found[name] |= areas
    return found
