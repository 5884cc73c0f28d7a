"""Distances between two sets of bin counts, for many columns at once.

Counts are flat arrays: column j owns the cells from `starts[j]` up to the next start.
Every distance comes with what noise alone would show: with n reference and m current
rows, its mean under no change (subtracted for `debiased`) and its 99 % quantile.
These are shown, never decided upon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SMOOTHING = 0.5
NOISE_LEVEL = 0.99
# Larger arrays are given back to the operating system at once, and coming by new memory
# takes twice as long as all that is done with it.
PART_CELLS = 5000
_LN2 = np.log(2)
_TINY = 1e-300
_CLOSE = 0.87  # mean of the Kolmogorov distribution
_CLOSE_99 = 1.6276  # its 99 % quantile


@dataclass(frozen=True, slots=True)
class Distances:
    """One kind of distance for J columns: all (J,), NaN where a side has no rows."""

    value: Floats
    debiased: Floats
    noise: Floats


def compare(
    reference: Ints, current: Ints, starts: Ints, *, effect: Floats | None = None
) -> dict[str, Distances]:
    """Give PSI, JS distance, Hellinger distance and KS for every column.

    *effect* (J,) are design effects: the current rows count as m / effect.

    >>> found = compare(np.array([50, 50]), np.array([50, 50]), np.array([0]))
    >>> round(float(found["js"].value[0]), 12)
    0.0
    """
    shape = _shape_of(starts, reference.size)
    parts = [_counted(reference, current, part) for part in shape.parts]
    rows, psi, js, overlap, ks = map(np.concatenate, zip(*parts, strict=True))
    rows = rows.T
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = 1 / rows[0] + (1.0 if effect is None else effect) / rows[1]
        free = shape.sizes - 1
        found = {
            "psi": Distances(
                psi, np.maximum(psi - free * noise, 0), shape.chi2 * noise
            ),
            "js": _root(js / (2 * _LN2), noise / (8 * _LN2), shape),
            "hellinger": _root(1 - overlap, noise / 8, shape),
            "ks": _ks(ks, noise),
        }
    is_empty = (rows == 0).any(axis=0)
    if is_empty.any():
        for distances in found.values():
            for values in (distances.value, distances.debiased, distances.noise):
                values[is_empty] = np.nan
    return found


def psi(reference: Ints, current: Ints) -> float:
    """Population stability index of two sets of counts, in nats, smoothed.

    Sum of (q - p) ln(q / p) over bins, 0.5 added to every count so that an empty bin
    stays finite. Misleads by itself: with K bins, noise alone gives about
    (K - 1)(1/n + 1/m) (Yurdakul 2018), which passes 0.1 for small windows.

    >>> round(psi(np.array([500, 500]), np.array([400, 600])), 4)
    0.0405
    """
    found = compare(reference, current, np.array([0]))
    return float(found["psi"].value[0])


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Columns next to each other: `starts` in their `cells`, each cell's `owner`."""

    cells: slice
    starts: Ints
    sizes: Ints
    owner: Ints


@dataclass(frozen=True, slots=True, eq=False)
class _Shape:
    """Where J columns lie among N cells.

    `sizes` (J,) in cells; `chi2` (J,) the quantile of chi-squared with one degree of
    freedom less than cells; `whole` is all of it in one, `parts` are few cells each.
    """

    sizes: Ints
    chi2: Floats
    whole: _Part
    parts: Sequence[_Part]


def _shape_of(starts: Ints, cells: int) -> _Shape:
    return _shape(np.asarray(starts, np.int64).tobytes(), cells)


@lru_cache(maxsize=8)  # a baseline has one; what it takes, few columns take by far
def _shape(raw: bytes, cells: int) -> _Shape:
    starts = np.frombuffer(raw, np.int64)
    sizes = np.diff(np.append(starts, cells))
    free, place = np.unique(np.maximum(sizes - 1, 1), return_inverse=True)
    chi2 = np.asarray(special.chdtri(free, 1 - NOISE_LEVEL), np.float64)[place]
    found = starts // PART_CELLS
    cuts = [0, *(np.flatnonzero(np.diff(found)) + 1).tolist(), starts.size]
    parts = [_part(starts, sizes, *pair) for pair in pairwise(cuts)]
    return _Shape(sizes, chi2, _part(starts, sizes, 0, starts.size), parts)


def _part(starts: Ints, sizes: Ints, first: int, stop: int) -> _Part:
    begin, width = int(starts[first]), sizes[first:stop]
    owner = np.repeat(np.arange(stop - first), width)
    cells = slice(begin, begin + owner.size)
    return _Part(cells, starts[first:stop] - begin, width, owner)


def _counted(reference: Ints, current: Ints, part: _Part) -> tuple[Floats, ...]:
    """Give rows (J, 2), and by column PSI, JS, overlap and the largest gap."""
    counts = np.array([reference[part.cells], current[part.cells]], np.float64)
    rows = np.add.reduceat(counts, part.starts, axis=1)
    shares = _shares(counts, rows, part)
    psi, js, overlap = _sums(counts, shares, rows, part)
    gaps = _gaps(shares[1] - shares[0], part)
    return rows.T, psi, js, overlap, np.maximum.reduceat(gaps, part.starts)


def _shares(counts: Floats, rows: Floats, part: _Part) -> Floats:
    """Give shares, 0 where there are no rows: NaN would run on into other columns."""
    whole = np.maximum(rows, 1).take(part.owner, axis=-1)
    return np.asarray(np.divide(counts, whole, out=whole))


def _sums(counts: Floats, shares: Floats, rows: Floats, part: _Part) -> Floats:
    """Give PSI, the Jensen-Shannon divergence in 2 nats and sum sqrt(p q), (3, J).

    PSI's shares are smoothed. Those of JS are not, so that 0 ln 0 = 0 has to come out:
    what is added to a share is too small to change any that is not 0. All logarithms
    are taken at once, which halves the time where columns are few.
    """
    smoothed = (rows + SMOOTHING * part.sizes).take(part.owner, axis=1)
    np.divide(counts + SMOOTHING, smoothed, out=smoothed)
    logs = np.empty((3, counts.shape[1]))
    np.divide(smoothed[1], smoothed[0], out=logs[0])
    shifted = shares + _TINY
    middle = (shifted[0] + shifted[1]) / 2
    np.divide(shifted, middle, out=logs[1:])
    np.log(logs, out=logs)
    logs[0] *= np.subtract(smoothed[1], smoothed[0], out=middle)
    logs[1:] *= shares
    logs[1] += logs[2]
    np.sqrt(np.multiply(shares[0], shares[1], out=logs[2]), out=logs[2])
    return np.asarray(np.add.reduceat(logs, part.starts, axis=1))


def _root(square: Floats, unit: Floats, shape: _Shape) -> Distances:
    """Give a distance in [0, 1] by its square, which noise raises by *unit* a bin."""
    square = np.maximum(square, 0)
    return Distances(
        np.sqrt(square),
        np.sqrt(np.maximum(square - (shape.sizes - 1) * unit, 0)),
        np.sqrt(shape.chi2 * unit),
    )


def _ks(value: Floats, noise: Floats) -> Distances:
    """Largest gap of the distribution functions at the bins' edges, in [0, 1]."""
    scale = np.sqrt(noise)
    return Distances(
        value, np.maximum(value - _CLOSE * scale, 0), np.asarray(_CLOSE_99 * scale)
    )


def _gaps(change: Floats, part: _Part) -> Floats:
    """Give how far the distribution functions are apart at the end of every cell."""
    running = np.zeros(change.size + 1)
    np.cumsum(change, out=running[1:])
    before = running[part.starts].take(part.owner)
    gaps = np.subtract(running[1:], before, out=before)
    return np.asarray(np.abs(gaps, out=gaps))


def wasserstein(
    reference: Ints,
    current: Ints,
    starts: Ints,
    *,
    means: Floats,
    spread: Floats,
    scale: Floats,
    effect: Floats | None = None,
) -> Distances:
    """Wasserstein-1 distance in standard deviations, from counts and bin means.

    *means* holds each cell's mean baseline value, *spread* (J,) the integral of
    sqrt(F (1 - F)) dx and *scale* (J,) the baseline's standard deviation. Values are
    taken at their bin's baseline mean, so movement inside a bin does not show.
    """
    shape = _shape_of(starts, reference.size).whole
    counts = np.stack([reference, current]).astype(float)
    n, m = rows = np.add.reduceat(counts, starts, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = np.sqrt(1 / n + (1.0 if effect is None else effect) / m)
        p, q = _shares(counts, rows, shape)
        gaps = _gaps(q - p, shape)
        steps = np.append(np.diff(means), 0.0)
        steps[np.append(starts[1:], means.size) - 1] = 0.0
        unit = np.where(scale > 0, scale, 1.0)
        value = np.add.reduceat(gaps * np.abs(steps), starts) / unit
        mean = np.sqrt(2 / np.pi) * noise * spread
    empty = (n == 0) | (m == 0)
    value, mean = np.where(empty, np.nan, value), np.where(empty, np.nan, mean)
    return Distances(value, np.maximum(value - mean, 0), _W1_99 * mean)


_W1_99 = 2.1  # 99 % quantile over mean, simulated for a normal reference
