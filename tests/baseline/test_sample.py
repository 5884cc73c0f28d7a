from __future__ import annotations

from base64 import b64decode

import numpy as np
from scipy import stats

from servewatch.baseline.sample import first_half, keep_codes, shuffled


def test_the_order_never_changes() -> None:
    # SplitMix64 of 1 to 6 by its published constants, by hand
    mask = (1 << 64) - 1
    keys = []
    for number in range(1, 7):
        z = number * 0x9E3779B97F4A7C15 & mask
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        keys.append(z ^ z >> 31)

    expected = sorted(range(6), key=keys.__getitem__)

    assert shuffled(6).tolist() == expected


def test_a_random_half_is_spread_evenly_over_the_rows() -> None:
    marks = first_half(100_000, in_time_order=False)

    per_stretch = marks.reshape(100, 1000).sum(axis=1)
    assert stats.chisquare(per_stretch).pvalue > 1e-6
    assert marks.sum() == 50_000


def test_the_first_half_in_time_order_is_the_first() -> None:
    assert first_half(5, in_time_order=True).tolist() == [True] * 3 + [False] * 2


def test_no_row_is_in_both_halves() -> None:
    low, high = np.divmod(np.arange(1001), 256)
    kept = keep_codes([low.astype(np.uint8), high.astype(np.uint8)], 1001)

    rows = [
        (int(a), int(b))
        for half in (kept.train, kept.holdout)
        for a, b in np.frombuffer(b64decode(half), np.uint8).reshape(-1, 2)
    ]
    assert len(set(rows)) == len(rows) == kept.rows == 1001


def test_thousands_of_columns_keep_fewer_rows() -> None:
    column = np.zeros(10_000, dtype=np.uint8)

    kept = keep_codes([column] * 5000, 10_000)

    assert kept.train_rows == kept.holdout_rows == 6 * 2**20 // 5000
