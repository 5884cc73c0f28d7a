"""A numeric column's finite values in a few numbers, and how new its values were."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.profile import Novelty, Summary
from servewatch.sketch.bins import Bins, CategoryBins, EdgeBins
from servewatch.sketch.encode import Coded, Values

Floats = NDArray[np.float64]
QUANTILES = 200
DIGITS = 12
SAFE = 1e150  # squares and sums of larger values leave float64


def summarise(numbers: Floats, bins: Bins, codes: NDArray[np.uint8]) -> Summary | None:
    """Give moments, quantiles and bin means; None without a finite value.

    Quantiles are observed values. What is computed is rounded to 12 digits, so that
    the digest does not hang on the order in which a processor adds.
    """
    ordered = np.sort(numbers[np.isfinite(numbers)] + 0.0)
    if ordered.size == 0:
        return None
    largest = float(np.abs(ordered[[0, -1]]).max())
    scale = largest if largest > SAFE else 1.0
    scaled = ordered / scale
    mean, sd = float(np.mean(scaled)), float(np.std(scaled))
    ranks = np.ceil((np.arange(QUANTILES) + 0.5) / QUANTILES * ordered.size)
    return Summary(
        count=int(ordered.size),
        mean=rounded(mean * scale),
        sd=rounded(sd * scale),
        low=float(ordered[0]),
        high=float(ordered[-1]),
        quantiles=tuple(ordered[ranks.astype(np.int64) - 1].tolist()),
        bin_means=_bin_means(numbers / scale, bins, codes, scale),
        spread=_spread(scaled, sd),
    )


def rounded(value: float) -> float:
    """Give *value* to 12 significant digits.

    >>> rounded(0.1 + 0.2)
    0.3
    """
    return float(f"{value:.{DIGITS}g}") + 0.0


def _bin_means(
    scaled: Floats, bins: Bins, codes: NDArray[np.uint8], scale: float
) -> tuple[float, ...]:
    valid = codes < bins.ordinary
    counts = np.bincount(codes[valid], minlength=bins.ordinary)
    sums = np.bincount(codes[valid], scaled[valid], minlength=bins.ordinary)
    means = sums / np.maximum(counts, 1) * scale
    return tuple(rounded(mean) for mean in means.tolist())


def _spread(ordered: Floats, sd: float) -> float:
    """Integral of sqrt(F (1 - F)) dx over the standard deviation."""
    if sd <= 0:
        return 0.0
    share = np.arange(1, ordered.size) / ordered.size
    area = float(np.sum(np.diff(ordered) * np.sqrt(share * (1 - share))))
    return rounded(area / sd)


def measure_novelty(
    values: Values, bins: Bins, codes: NDArray[np.uint8], known: NDArray[np.bool_]
) -> Novelty | None:
    """Tell how many values of one half of the rows the other half did not know.

    *known* marks the rows of the half that makes the dictionary. None for columns
    without a list of values.
    """
    if isinstance(bins, EdgeBins):
        return None
    valid = codes < bins.ordinary
    if isinstance(bins, CategoryBins) and isinstance(values, Coded):
        places = values.positions
        distinct = len(values.distinct)
    else:
        places, distinct = codes.astype(np.int64), bins.ordinary
    counts = np.bincount(places[valid], minlength=distinct)
    first = np.bincount(places[valid & known], minlength=distinct)
    dictionary = first > 0
    others = places[valid & ~known]
    common = None
    if isinstance(bins, CategoryBins) and bins.others:
        is_frequent = np.zeros(distinct, dtype=np.bool_)
        is_frequent[np.argsort(-first, kind="stable")[: len(bins.categories)]] = True
        common = int(np.count_nonzero((is_frequent & dictionary)[others]))
    return Novelty(
        distinct=int(np.count_nonzero(counts)),
        singletons=int(np.count_nonzero(counts == 1)),
        fresh=int(np.count_nonzero(~dictionary[others])),
        rows=int(others.size),
        common=common,
    )
