"""Distances between two sets of bin counts, for many columns at once.

Counts are flat arrays: column j owns the cells from `starts[j]` up to the next start.
Every distance comes with what noise alone would show: with n reference and m current
rows, its mean under no change (subtracted for `debiased`) and its 99 % quantile.
These are shown, never decided upon.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SMOOTHING = 0.5
NOISE_LEVEL = 0.99
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
    sizes = np.diff(np.append(starts, reference.size))
    n = np.add.reduceat(reference, starts).astype(float)
    m = np.add.reduceat(current, starts).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = 1 / n + (1.0 if effect is None else effect) / m
        p = _shares(reference, n, sizes)
        q = _shares(current, m, sizes)
        found = {
            "psi": _psi(reference, current, starts, sizes, noise),
            "js": _js(p, q, starts, sizes, noise),
            "hellinger": _hellinger(p, q, starts, sizes, noise),
            "ks": _ks(p, q, starts, noise),
        }
    empty = (n == 0) | (m == 0)
    for distances in found.values():
        for values in (distances.value, distances.debiased, distances.noise):
            values[empty] = np.nan
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


def _shares(counts: Ints, rows: Floats, sizes: Ints) -> Floats:
    """Give shares, 0 where there are no rows: NaN would run on into other columns."""
    return np.asarray(counts / np.repeat(np.maximum(rows, 1), sizes))


def _chi2(sizes: Ints) -> Floats:
    return np.asarray(special.chdtri(np.maximum(sizes - 1, 1), 1 - NOISE_LEVEL))


def _psi(
    reference: Ints, current: Ints, starts: Ints, sizes: Ints, noise: Floats
) -> Distances:
    p, q = reference + SMOOTHING, current + SMOOTHING
    p = p / np.repeat(np.add.reduceat(p, starts), sizes)
    q = q / np.repeat(np.add.reduceat(q, starts), sizes)
    value = np.add.reduceat((q - p) * np.log(q / p), starts)
    return Distances(
        value, np.maximum(value - (sizes - 1) * noise, 0), _chi2(sizes) * noise
    )


def _js(p: Floats, q: Floats, starts: Ints, sizes: Ints, noise: Floats) -> Distances:
    """Jensen-Shannon distance, base-2 logarithms, in [0, 1]."""
    middle = (p + q) / 2
    parts = special.rel_entr(p, middle) + special.rel_entr(q, middle)
    divergence = np.maximum(np.add.reduceat(parts, starts), 0) / (2 * np.log(2))
    unit = noise / (8 * np.log(2))
    return Distances(
        np.sqrt(divergence),
        np.sqrt(np.maximum(divergence - (sizes - 1) * unit, 0)),
        np.sqrt(_chi2(sizes) * unit),
    )


def _hellinger(
    p: Floats, q: Floats, starts: Ints, sizes: Ints, noise: Floats
) -> Distances:
    """Hellinger distance sqrt(1 - sum sqrt(p q)), in [0, 1]."""
    square = np.maximum(1 - np.add.reduceat(np.sqrt(p * q), starts), 0)
    unit = noise / 8
    return Distances(
        np.sqrt(square),
        np.sqrt(np.maximum(square - (sizes - 1) * unit, 0)),
        np.sqrt(_chi2(sizes) * unit),
    )


def _ks(p: Floats, q: Floats, starts: Ints, noise: Floats) -> Distances:
    """Largest gap of the distribution functions at the bins' edges, in [0, 1]."""
    running = np.cumsum(q - p)
    before = np.concatenate([[0.0], running])[starts]
    gaps = np.abs(running - np.repeat(before, np.diff(np.append(starts, p.size))))
    value = np.maximum.reduceat(gaps, starts)
    scale = np.sqrt(noise)
    return Distances(
        value, np.maximum(value - _CLOSE * scale, 0), np.asarray(_CLOSE_99 * scale)
    )


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
    sizes = np.diff(np.append(starts, reference.size))
    n = np.add.reduceat(reference, starts).astype(float)
    m = np.add.reduceat(current, starts).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = np.sqrt(1 / n + (1.0 if effect is None else effect) / m)
        p, q = _shares(reference, n, sizes), _shares(current, m, sizes)
        running = np.cumsum(q - p)
        before = np.concatenate([[0.0], running])[starts]
        gaps = np.abs(running - np.repeat(before, sizes))
        steps = np.append(np.diff(means), 0.0)
        steps[np.append(starts[1:], means.size) - 1] = 0.0
        unit = np.where(scale > 0, scale, 1.0)
        value = np.add.reduceat(gaps * np.abs(steps), starts) / unit
        mean = np.sqrt(2 / np.pi) * noise * spread
    empty = (n == 0) | (m == 0)
    value, mean = np.where(empty, np.nan, value), np.where(empty, np.nan, mean)
    return Distances(value, np.maximum(value - mean, 0), _W1_99 * mean)


_W1_99 = 2.1  # 99 % quantile over mean, simulated for a normal reference
