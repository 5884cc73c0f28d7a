"""How finely the numbers of a tap are told apart."""

from __future__ import annotations

from math import floor, log2

import numpy as np

from servewatch.baseline.table import RawColumn
from servewatch.sketch.encode import Coded, to_numbers

# Bits below the leading one of what is usual in the column. Products of matrices are
# off by the last few of 53, or of 24 in single precision; that a value lies so near the
# middle between two grains has a chance of 2^-18, or 2^-8 where numbers are single.
BITS, SINGLE_BITS = 30, 13
USUAL = 0.95


def grain_of(column: RawColumn) -> float:
    """Give the power of two to which a column's numbers are rounded, 0 for no numbers.

    Integers stay what they are.

    >>> from servewatch.baseline.table import from_array
    >>> grain_of(from_array(np.array([0.1, 1.7]))) == 2.0**-30
    True
    """
    if column.form != "number" or isinstance(column.values, Coded):
        return 0.0
    numbers = to_numbers(column.values)[0]
    sizes = np.abs(numbers[np.isfinite(numbers)])
    usual = float(np.quantile(sizes, USUAL, method="inverted_cdf")) if sizes.size else 0
    usual = usual or float(sizes.max(initial=0.0))
    if usual <= 0:
        return 0.0
    with np.errstate(over="ignore"):
        is_single = bool((sizes.astype(np.float32) == sizes).all())
    exponent = floor(log2(usual)) - (SINGLE_BITS if is_single else BITS)
    grain = float(np.exp2(max(exponent, -1022)))
    return min(grain, 1.0) if bool((np.rint(sizes) == sizes).all()) else grain
