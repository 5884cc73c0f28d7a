"""The baseline against itself in time order: how deaf each stream has to be.

Both halves are needed. The formula of `judge.dependence` sees bursts and
autocorrelation; replaying the baseline through its own warning detector sees calendars
and seasons, which silence themselves here without any list of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.performance_streams import performance_streams
from servewatch.baseline.profile import ColumnProfile, Content, Dependence
from servewatch.baseline.streams import streams
from servewatch.judge.dependence import DISJOINT_WINDOWS, design_effect
from servewatch.judge.evidence import MARGIN_NATS, Evidence, blocks_per_alarm
from servewatch.judge.guards import ENVELOPE_BLOCKS, ENVELOPE_DEFF, MOSTLY
from servewatch.judge.panel import WARN, Panel
from servewatch.judge.stream import stream_name
from servewatch.sketch.bins import SPECIALS, cell

if TYPE_CHECKING:
    from servewatch.config import Config
    from servewatch.judge.stream import Stream
    from servewatch.sketch.layout import Layout

Floats = NDArray[np.float64]
Progress = Callable[[str, float], None]
NO_BLOCKS: Mapping[str, BlockCounts] = MappingProxyType({})
STEP = 1.25


@dataclass(frozen=True, eq=False)
class BlockCounts:
    """A column's cells (B, width) in B blocks in time order, and the blocks' names."""

    counts: NDArray[np.int64]
    names: Sequence[str]


def temper(
    content: Content,
    layout: Layout,
    blocks: Mapping[str, BlockCounts],
    config: Config,
    *,
    progress: Progress | None = None,
    outcomes: Mapping[str, BlockCounts] = NO_BLOCKS,
) -> Content:
    """Give *content* with each column's dependence, longest gap and envelope.

    *outcomes* are the blocks of cells of labelled rows. Columns without blocks, or with
    fewer than 8, keep no dependence: live traffic then starts in a slow warm-up.
    *progress* hears a label and a share in [0, 1].
    """
    known = {
        name: found
        for name, found in blocks.items()
        if len(found.names) >= DISJOINT_WINDOWS
    }
    measured = [
        _with_gap(profile, blocks.get(profile.name)) for profile in content.columns
    ]
    draft = msgspec.structs.replace(content, columns=tuple(measured))
    found: dict[str, Dependence] = {}
    labelled = performance_streams(draft, layout, config)
    everything = (*streams(draft, layout, config), *labelled)
    judged = [stream for stream in everything if stream.tempered]
    gating = len(everything) + len(("rate", "rate", "latency"))
    known |= {
        f":{name}": block
        for name, block in outcomes.items()
        if len(block.names) >= DISJOINT_WINDOWS
    }
    by_length: dict[int, list[Stream]] = {}
    for stream in judged:
        column = stream.column
        if column in known:
            by_length.setdefault(len(known[column].names), []).append(stream)
    for group in by_length.values():
        found |= _measure(
            group, known, layout, config, gating=gating, progress=progress
        )
    columns = [
        msgspec.structs.replace(
            profile,
            values=found.get(stream_name(profile.name)),
            missing=found.get(stream_name(profile.name, "missing")),
        )
        for profile in draft.columns
    ]
    draft = msgspec.structs.replace(draft, columns=tuple(columns))
    draft = _with_outcomes(draft, labelled, found)
    return _with_envelopes(draft, layout, known, config)


def _with_outcomes(
    content: Content, labelled: Sequence[Stream], found: Mapping[str, Dependence]
) -> Content:
    """Keep the dependence of each block of labelled cells: the largest."""
    if content.performance is None:
        return content
    kept: dict[str, Dependence] = {}
    for stream in labelled:
        block = stream.column.removeprefix(":")
        dependence = found.get(stream.name)
        if dependence is None:
            continue
        if block not in kept or dependence.design_effect > kept[block].design_effect:
            kept[block] = dependence
    performance = msgspec.structs.replace(content.performance, streams=kept)
    return msgspec.structs.replace(content, performance=performance)


def _with_gap(profile: ColumnProfile, blocks: BlockCounts | None) -> ColumnProfile:
    """Set the most blocks in a row of which at least half was missing."""
    if blocks is None:
        return profile
    total = blocks.counts[:, : profile.bins.ordinary + len(SPECIALS)].sum(axis=1)
    missing = blocks.counts[:, cell(profile.bins, "missing")]
    longest = run = 0
    for is_gap in ((missing >= MOSTLY * total) & (total > 0)).tolist():
        run = run + 1 if is_gap else 0
        longest = max(longest, run)
    return msgspec.structs.replace(profile, longest_gap=longest)


def _measure(
    group: Sequence[Stream],
    blocks: Mapping[str, BlockCounts],
    layout: Layout,
    config: Config,
    *,
    gating: int,
    progress: Progress | None,
) -> dict[str, Dependence]:
    """Measure streams that share their blocks: the formula, then the replay."""
    hits, rows = _hits(group, blocks)
    effects = [
        design_effect(part[:, stream.tails], rows[:, place])
        for place, (stream, part) in enumerate(zip(group, hits, strict=True))
    ]
    deff = np.array([effect for effect, _ in effects])
    patience = blocks_per_alarm(config.block_seconds, config.false_alarms_per_day)
    line = log(patience) + log(gating) - MARGIN_NATS
    worst: dict[int, int] = {}
    loud = list(range(len(group)))
    turns = 0
    while loud:
        panel = Panel([group[k] for k in loud], layout.size, config, gating)
        part = np.concatenate([hits[k] for k in loud], axis=1)
        peaks, at = _replay(
            panel, part, rows[:, loud], deff[loud], patience=patience, config=config
        )
        # A design effect as large as the baseline leaves one row: no more to silence.
        # Where blocks last days the line is lower than what waiting alone adds up to.
        over = (peaks > line) & (deff[loud] < rows[:, loud].sum(axis=0))
        exceeded = [k for k, is_over in zip(loud, over, strict=True) if is_over]
        for k, block in zip(loud, at, strict=True):
            worst.setdefault(k, int(block))
        deff[exceeded] *= STEP
        loud, turns = exceeded, turns + 1
        if progress is not None:
            progress("replaying the baseline", 1 - len(loud) / len(group))
    return {
        stream.name: Dependence(
            design_effect=float(deff[k]),
            one_block=effects[k][1],
            raised=bool(deff[k] > effects[k][0]),
            worst_block=(
                blocks[stream.column].names[worst[k]]
                if deff[k] > effects[k][0]
                else None
            ),
        )
        for k, stream in enumerate(group)
    }


def _hits(
    group: Sequence[Stream], blocks: Mapping[str, BlockCounts]
) -> tuple[list[Floats], Floats]:
    """Count sets (B, S) of each stream, and rows (B, streams)."""
    hits, rows = [], []
    for stream in group:
        counts = blocks[stream.column].counts
        hits.append((counts @ stream.members.T).astype(float))
        rows.append((counts @ stream.base).astype(float))
    return hits, np.stack(rows, axis=1)


def _replay(
    panel: Panel,
    hits: Floats,
    rows: Floats,
    deff: Floats,
    *,
    patience: float,
    config: Config,
) -> tuple[Floats, NDArray[np.int64]]:
    """Run the warning detector; give the highest log evidence and its block."""
    evidence = Evidence(panel, WARN, patience=patience, cap_nats=config.cap_nats)
    peaks = np.full(len(panel.streams), -np.inf)
    at = np.zeros(len(panel.streams), dtype=np.int64)
    for block in range(len(hits)):
        evidence.update(
            hits[block], rows[block], 1 / deff, at=float(block), block=block
        )
        with np.errstate(divide="ignore"):
            logs = np.log(evidence.sums())
        at = np.where(logs > peaks, block, at)
        peaks = np.maximum(peaks, logs)
    return peaks, at


def _with_envelopes(
    content: Content,
    layout: Layout,
    blocks: Mapping[str, BlockCounts],
    config: Config,
) -> Content:
    """Keep the largest share of each set in windows of 1, 4, 16 and 64 blocks."""
    by_name = {stream.name: stream for stream in streams(content, layout, config)}
    columns = []
    for profile in content.columns:
        stream = by_name.get(stream_name(profile.name))
        effect = profile.values.design_effect if profile.values else 1.0
        envelope: dict[str, tuple[float, ...]] = {}
        if stream is not None and profile.name in blocks and effect > ENVELOPE_DEFF:
            (hits,), rows = _hits([stream], blocks)
            envelope = {
                str(length): _largest(hits, rows, length)
                for length in ENVELOPE_BLOCKS
                if length <= len(rows)
            }
        columns.append(msgspec.structs.replace(profile, envelope=envelope))
    return msgspec.structs.replace(content, columns=tuple(columns))


def _largest(hits: Floats, rows: Floats, length: int) -> tuple[float, ...]:
    sums = np.concatenate([np.zeros((1, hits.shape[1])), np.cumsum(hits, axis=0)])
    totals = np.concatenate([np.zeros((1, 1)), np.cumsum(rows, axis=0)])
    count = totals[length:] - totals[:-length]
    share = (sums[length:] - sums[:-length]) / np.maximum(count, 1)
    return tuple(share.max(axis=0).tolist())
