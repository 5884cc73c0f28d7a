"""The bins of a column: fixed once from the baseline, never from live traffic.

A column's cells are its ordinary bins followed by `SPECIALS` and `BESIDE`. Every row
falls into exactly one ordinary bin or special; the cells beside count rows a second
time (a value out of range stays valid, an absent column is also a missing value).
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import lru_cache
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

SPECIALS = ("missing", "nonfinite", "type_error", "unseen")
BESIDE = ("out_of_range", "absent")
MAX_LEVELS = 20
MAX_CATEGORIES = 50
RANGE_SLACK = 0.1
OTHER = "other"


class EdgeBins(msgspec.Struct, frozen=True, tag_field="form", tag="edges"):
    """Bins (-inf, e1], (e1, e2], ... of a numeric column.

    `low` and `high` are the limits beyond which a value counts as out of range.
    """

    edges: tuple[float, ...]
    low: float
    high: float

    @property
    def ordinary(self) -> int:
        """Number of ordinary bins."""
        return len(self.edges) + 1


class LevelBins(msgspec.Struct, frozen=True, tag_field="form", tag="levels"):
    """One bin a value of a numeric column with few distinct values, in order."""

    levels: tuple[float, ...]

    @property
    def ordinary(self) -> int:
        """Number of ordinary bins."""
        return len(self.levels)


class CategoryBins(msgspec.Struct, frozen=True, tag_field="form", tag="categories"):
    """One bin a frequent category, and one for all others that the baseline saw.

    `others` holds the sorted 64-bit hashes of those others (base64, little endian), so
    that a value never seen is told from a rare one without keeping the rare ones.
    """

    categories: tuple[str, ...]
    others: str = ""

    @property
    def ordinary(self) -> int:
        """Number of ordinary bins."""
        return len(self.categories) + bool(self.others)

    @property
    def other_hashes(self) -> NDArray[np.uint64]:
        """The hashes of the categories counted as `other`, sorted."""
        return _hashes(self.others)


@lru_cache(maxsize=1024)
def _hashes(others: str) -> NDArray[np.uint64]:
    """Decode once: every unseen value asks for them."""
    return np.frombuffer(b64decode(others), dtype="<u8").astype(np.uint64)


Bins = EdgeBins | LevelBins | CategoryBins


def width(bins: Bins) -> int:
    """Give the number of cells that a column with these bins occupies."""
    return bins.ordinary + len(SPECIALS) + len(BESIDE)


def cell(bins: Bins, name: str) -> int:
    """Give the position of a special or beside cell among the column's cells.

    >>> cell(LevelBins((0.0, 1.0)), "missing")
    2
    """
    return bins.ordinary + (*SPECIALS, *BESIDE).index(name)


def edge_bins(values: NDArray[np.float64], count: int) -> EdgeBins:
    """Cut finite *values* into about *count* bins of equal mass.

    An edge is an observed value, so that an atom falls into one bin as a whole. A value
    that holds at least two bins' mass gets a bin of its own by an edge just below it
    (not at the minimum, where that bin would be empty).

    >>> edge_bins(np.arange(8.0), 4).edges
    (1.0, 3.0, 5.0)
    """
    shares = np.arange(1, count) / count
    edges = np.unique(np.quantile(values, shares, method="inverted_cdf"))
    ordered = np.sort(values)
    mass = np.searchsorted(ordered, edges, "right") - np.searchsorted(ordered, edges)
    heavy = edges[(mass * count >= 2 * values.size) & (edges > ordered[0])]
    edges = np.union1d(edges, np.nextafter(heavy, -np.inf))
    slack = RANGE_SLACK * (ordered[-1] - ordered[0])
    return EdgeBins(
        edges=tuple(edges.tolist()),
        low=float(ordered[0] - slack),
        high=float(ordered[-1] + slack),
    )


def category_hash(text: str) -> int:
    """Hash a category to 64 bits, the same in every process and on every machine."""
    digest = blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def category_bins(counts: dict[str, int], limit: int = MAX_CATEGORIES) -> CategoryBins:
    """Choose the *limit* most frequent categories; ties go by name.

    A text that is no valid Unicode cannot be written down and counts as one of the
    others, however frequent.

    >>> category_bins({"a": 3, "b": 1}).categories
    ('a', 'b')
    """
    ranked = sorted(counts, key=lambda text: (-counts[text], text))
    named = tuple(text for text in ranked if _is_unicode(text))[:limit]
    kept = set(named)
    others = [category_hash(text) for text in ranked if text not in kept]
    rest = np.unique(np.array(others, dtype="<u8"))
    return CategoryBins(categories=named, others=b64encode(rest.tobytes()).decode())


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True
