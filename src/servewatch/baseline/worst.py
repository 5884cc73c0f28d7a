"""Which block of the baseline made a stream deaf, and what was wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from servewatch.baseline.own_replay import BlockCounts
from servewatch.baseline.profile import ColumnProfile, Content, Dependence
from servewatch.baseline.words import value_words
from servewatch.judge.witness import value_sets
from servewatch.sketch.bins import SPECIALS, cell

LOUD_DEFF = 10.0

Floats = NDArray[np.float64]


def explain(content: Content, blocks: Mapping[str, BlockCounts]) -> Content:
    """Name the worst block of every loud stream: "2010-01-04: 100 % missing".

    The replay names the block that raised a design effect; where the formula alone
    made one large, it is the block that lies furthest from the whole.
    """
    columns = []
    for profile in content.columns:
        found = profile
        if profile.values is not None and _is_loud(profile.values):
            told = _explained(profile, profile.values, blocks[profile.name], "values")
            found = msgspec.structs.replace(found, values=told)
        if profile.missing is not None and _is_loud(profile.missing):
            told = _explained(profile, profile.missing, blocks[profile.name], "missing")
            found = msgspec.structs.replace(found, missing=told)
        columns.append(found)
    return msgspec.structs.replace(content, columns=tuple(columns))


def _is_loud(dependence: Dependence) -> bool:
    return dependence.raised or dependence.design_effect > LOUD_DEFF


def _explained(
    profile: ColumnProfile,
    dependence: Dependence,
    blocks: BlockCounts,
    part: Literal["values", "missing"],
) -> Dependence:
    if part == "missing":
        everything = np.arange(profile.bins.ordinary + len(SPECIALS))
        members = (everything == cell(profile.bins, "missing"))[None, :]
    else:
        members = value_sets(profile.bins).members
    counts = blocks.counts[:, : members.shape[1]].astype(np.float64)
    usual = counts.sum(axis=0)
    shares = (members @ usual) / max(usual.sum(), 1)
    excess = _excess(counts @ members.T, counts.sum(axis=1), shares)
    named_block = dependence.worst_block
    if named_block is not None and named_block in blocks.names:
        place = list(blocks.names).index(named_block)
    else:
        place = int(excess.max(axis=1).argmax())
    index = int(excess[place].argmax())
    rows = max(counts[place].sum(), 1)
    share = float(counts[place] @ members[index]) / rows
    if part == "missing":
        words = f"{_percent(share)} missing"
    else:
        named, _ = value_words(profile.name, profile.bins, members)(index)
        usually = _percent(float(shares[index]))
        words = f"{named} in {_percent(share)} of rows instead of {usually}"
    return msgspec.structs.replace(
        dependence, worst_block=f"{blocks.names[place]}: {words}"
    )


def _excess(hits: Floats, rows: Floats, shares: Floats) -> Floats:
    """By how many standard errors each set's share (B, S) exceeds its usual one."""
    variance = np.maximum(shares * (1 - shares), 1e-9)
    share = hits / np.maximum(rows, 1)[:, None]
    return np.asarray((share - shares) * np.sqrt(rows[:, None] / variance))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
