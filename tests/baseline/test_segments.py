from __future__ import annotations

from base64 import b64decode

import numpy as np

from servewatch.baseline import Baseline
from servewatch.sketch.bins import LevelBins, cell, width
from tests.baseline.rows import build, frame


def test_rows_are_kept_as_codes_of_two_halves() -> None:
    found = build()
    codes = found.content.reservoir

    assert codes is not None
    assert (codes.train_rows, codes.holdout_rows) == (600, 600)
    train = np.frombuffer(b64decode(codes.train), np.uint8).reshape(600, 4)
    holdout = np.frombuffer(b64decode(codes.holdout), np.uint8).reshape(600, 4)
    both = np.concatenate([train, holdout])
    for place, bins in enumerate(found.layout.bins):
        counts = np.bincount(both[:, place], minlength=width(bins))
        name = found.layout.schema.columns[place].name
        assert tuple(counts.tolist()) == found.profiles[name].counts


def test_no_more_than_4096_rows_of_each_half_are_kept() -> None:
    values = np.random.default_rng(0).normal(size=9000)
    codes = Baseline.build({"a": values, "p": values}, prediction="p").content.reservoir

    assert codes is not None
    assert (codes.train_rows, codes.holdout_rows) == (4096, 4096)


def test_kept_rows_outside_evaluation_have_no_prediction() -> None:
    rows = frame()
    found = build(rows[:900], evaluation=rows[900:])
    codes = found.content.reservoir

    assert codes is not None
    train = np.frombuffer(b64decode(codes.train), np.uint8).reshape(-1, 4)[:, 3]
    holdout = np.frombuffer(b64decode(codes.holdout), np.uint8).reshape(-1, 4)[:, 3]
    missing = cell(found.profiles["p"].bins, "missing")
    assert np.count_nonzero(np.append(train, holdout) == missing) == 900


def test_segments_add_up_to_the_column() -> None:
    rows = frame()
    found = build(rows[:900], evaluation=rows[900:], segments=["c", "b"])

    by_column = {"c": ["u", "v", "w"], "b": ["0", "1"]}
    for column, values in by_column.items():
        parts = [s for s in found.content.segments if s.column == column]
        assert sorted(part.value for part in parts) == values
        for name in ("x", "c", "b", "p"):
            total = np.sum([part.counts[name] for part in parts], axis=0)
            assert tuple(total.tolist()) == found.profiles[name].counts


def test_a_segment_counts_its_own_rows() -> None:
    rows = frame()
    part = next(s for s in build(segments=["c"]).content.segments if s.value == "u")
    bins = build().profiles["b"].bins

    chosen = rows[rows["c"] == "u"]
    assert isinstance(bins, LevelBins)
    assert part.rows == len(chosen)
    assert part.counts["b"][1] == chosen["b"].sum()
