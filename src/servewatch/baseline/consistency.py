"""Whether a baseline's figures agree with each other."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import isfinite

import numpy as np

from servewatch.baseline.performance_consistency import performance_contradictions
from servewatch.baseline.profile import Codes, ColumnProfile, Content, Segment
from servewatch.baseline.roles import MOST_FEATURES, NAME_BYTES
from servewatch.baseline.summary import QUANTILES
from servewatch.baseline.tap_consistency import tap_contradictions
from servewatch.judge.witness import value_sets
from servewatch.sketch.bins import SPECIALS, Bins, CategoryBins, EdgeBins, cell, width

MOST_BINS = 1_024
MOST_CELLS = 256
MOST_ROWS = 2**53


def contradictions(content: Content) -> Iterator[str]:
    """Yield what does not fit together, with where it is.

    Figures that add up wrongly would be judged against wrongly for months, so a file
    is taken as a whole or not at all.
    """
    names = [column.name for column in content.columns]
    if len(set(names)) < len(names):
        yield "columns: a name occurs twice"
    features = [c for c in content.columns if c.role == "feature"]
    if not 0 < len(features) <= MOST_FEATURES:
        yield f"columns: {len(features):,} features, expected 1 to {MOST_FEATURES:,}"
    for place, column in enumerate(content.columns):
        for problem in _column(column):
            yield f"columns[{place}]: {problem}"
    if set(content.ignored) & {c.name for c in content.columns if c.role != "target"}:
        yield "ignored: names a column that is profiled"
    if not 0.1 <= content.block_seconds < MOST_ROWS:
        yield "block_seconds: out of range"
    if min(content.blocks, content.prediction_blocks) < 0:
        yield "blocks: below 0"
    if not 0 <= content.duplicates.repeats <= content.duplicates.rows <= MOST_ROWS:
        yield "duplicates: more repeats than rows, or fewer than none"
    served = [c for c in content.columns if c.role not in ("target", "tap")]
    if content.reservoir is not None:
        yield from _reservoir(content.reservoir, served)
    for segment in content.segments:
        yield from _segment(segment, served)
    yield from performance_contradictions(content)
    yield from tap_contradictions(content)


def _column(column: ColumnProfile) -> Iterator[str]:
    if not 0 < len(column.name.encode()) <= NAME_BYTES:
        yield f"name: empty or over {NAME_BYTES:,} bytes"
    found = list(_bins(column.bins))
    yield from found
    if found:
        return
    if isinstance(column.bins, CategoryBins) != (column.kind == "categorical"):
        yield f"bins: not those of a {column.kind} column"
    yield from _counts(column)
    if column.summary is not None:
        yield from _summary(column)
    novelty = column.novelty
    if novelty is not None and not (
        0 <= novelty.singletons <= novelty.distinct
        and 0 <= novelty.fresh <= novelty.rows <= column.rows
        and 0 <= (novelty.common or 0) <= novelty.rows - novelty.fresh
    ):
        yield "novelty: parts larger than the whole"
    for dependence in (column.values, column.missing):
        if (
            dependence is not None
            and min(dependence.design_effect, dependence.one_block) < 1
        ):
            yield "dependence: a design effect below 1"
    if column.longest_gap < 0:
        yield "longest_gap: below 0"
    if column.envelope:
        sets = len(value_sets(column.bins).weights)
        for length, shares in column.envelope.items():
            if not length.isdecimal() or len(shares) != sets or not _are_shares(shares):
                yield f"envelope: window {length[:20]!r} holds no share for every set"


def _bins(bins: Bins) -> Iterator[str]:
    if isinstance(bins, CategoryBins):
        if len(set(bins.categories)) < len(bins.categories):
            yield "bins: a category occurs twice"
        if any(len(text.encode()) > NAME_BYTES for text in bins.categories):
            yield f"bins: a category of over {NAME_BYTES:,} bytes"
        raw = _decoded(bins.others)
        if raw is None or len(raw) % 8:
            yield "bins: others is no list of hashes"
        elif not _ascend(np.frombuffer(raw, dtype="<u8").tolist()):
            yield "bins: others do not ascend"
    elif isinstance(bins, EdgeBins):
        if not _ascend(bins.edges):
            yield "bins: edges do not ascend"
        if not bins.low <= bins.high:
            yield "bins: low lies above high"
    elif not _ascend(bins.levels):
        yield "bins: levels do not ascend"
    if bins.ordinary > MOST_BINS or width(bins) > MOST_CELLS:
        yield f"bins: {bins.ordinary:,}, more than codes of a byte can name"


def _counts(column: ColumnProfile) -> Iterator[str]:
    expected = width(column.bins)
    counts = column.counts
    if len(counts) != expected:
        yield f"counts: {len(counts):,} cells, expected {expected:,}"
    elif min(counts) < 0 or column.rows > MOST_ROWS:
        yield "counts: below 0 or beyond all bounds"
    elif sum(counts[: column.bins.ordinary + len(SPECIALS)]) != column.rows:
        yield f"counts: do not add up to the column's {column.rows:,} rows"
    elif max(counts) > column.rows:
        yield "counts: more than rows"


def _summary(column: ColumnProfile) -> Iterator[str]:
    summary = column.summary
    assert summary is not None
    figures = (summary.mean, summary.sd, summary.low, summary.high, summary.spread)
    if not all(map(isfinite, figures)) or min(summary.sd, summary.spread) < 0:
        yield "summary: not finite, or a spread below 0"
    if not 0 < summary.count <= column.rows or summary.low > summary.high:
        yield "summary: count or range does not fit"
    if len(summary.quantiles) not in {0, QUANTILES} or any(
        left > right for left, right in pairwise(summary.quantiles)
    ):
        yield f"summary: quantiles are not {QUANTILES} in ascending order"
    if len(summary.bin_means) not in {0, column.bins.ordinary}:
        yield "summary: not one mean for every bin"


def _reservoir(codes: Codes, columns: Sequence[ColumnProfile]) -> Iterator[str]:
    if codes.rows != codes.train_rows + codes.holdout_rows:
        yield "reservoir: halves do not add up"
    limits = np.array([cell(c.bins, "out_of_range") for c in columns])
    for half, rows in (
        (codes.train, codes.train_rows),
        (codes.holdout, codes.holdout_rows),
    ):
        raw = _decoded(half)
        if raw is None or rows < 0 or len(raw) != rows * len(columns):
            yield "reservoir: not a byte for every row and column"
            continue
        cells = np.frombuffer(raw, dtype=np.uint8).reshape(rows, len(columns))
        if rows and (cells >= limits).any():
            yield "reservoir: a row in a bin that is not there"


def _segment(segment: Segment, columns: Sequence[ColumnProfile]) -> Iterator[str]:
    by_name = {column.name: column for column in columns}
    if segment.column not in by_name or set(segment.counts) != set(by_name):
        yield "segments: columns that are not profiled"
        return
    if not 0 <= segment.rows <= by_name[segment.column].rows:
        yield "segments: more rows than the whole"
    for name, counts in segment.counts.items():
        whole = by_name[name].counts
        if len(counts) != len(whole) or any(
            not 0 <= part <= every for part, every in zip(counts, whole, strict=False)
        ):
            yield f"segments: counts of {name!r} exceed the column's"


def _ascend(values: Sequence[float]) -> bool:
    return all(map(isfinite, values)) and all(a < b for a, b in pairwise(values))


def _are_shares(values: Sequence[float]) -> bool:
    return all(0 <= value <= 1 for value in values)


def _decoded(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return None
