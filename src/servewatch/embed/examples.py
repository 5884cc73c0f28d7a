"""Requests to look at, as the cards of alarms name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from servewatch.monitor.card import Example
from servewatch.record.examples import Examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servewatch.baseline import Baseline
    from servewatch.monitor.report import Change
    from servewatch.record.drain import Drain
    from servewatch.record.examples import Example as Kept


class Looked:
    """Finds the requests that a card names among those that the drain kept."""

    def __init__(self, examples: Examples) -> None:
        """Look among *examples*."""
        self._examples = examples

    def of(self, column: str, cells: NDArray[np.bool_], since: float) -> list[Example]:
        """Give requests in *cells* of *column*, the slowest, the most unlikely."""
        kept = self._examples
        chosen: list[tuple[str, Kept | None]] = [
            ("culprit", each) for each in kept.from_cells(column, cells, since)
        ]
        chosen += [("slowest", kept.slowest(since)), ("extreme", kept.extreme(since))]
        return [
            Example(why, each.id, each.trace_id, each.at, each.seconds)
            for why, each in chosen
            if each is not None
        ]


def keep_examples(drain: Drain, baseline: Baseline | None) -> Looked:
    """Have *drain* keep some requests, and give what finds them."""
    examples = Examples(
        drain.layout,
        drain.recorder.lanes,
        drain.totals,
        rng=np.random.default_rng(),
        shares=None if baseline is None else cell_shares(baseline),
    )
    drain.examples = examples
    return Looked(examples)


def cell_shares(baseline: Baseline) -> NDArray[np.float64]:
    """Give each cell's share (layout.size,) of *baseline*'s rows; service cells: 0.

    >>> from servewatch.baseline import Baseline
    >>> float(cell_shares(Baseline.build({"x": [1.0, 2.0]}))[:2].sum())
    1.0
    """
    layout = baseline.layout
    shares = np.zeros(layout.size)
    for profile in baseline.content.columns:
        span = layout.spans.get(profile.name)
        if span is not None:
            shares[span] = np.array(profile.counts) / max(profile.rows, 1)
    return shares


def traces_of(change: Change) -> list[str]:
    """Give the traces of the requests that the card of *change* names."""
    if change.incident is None:
        return []
    found = (each.trace_id for each in change.incident.card.examples)
    return [trace for trace in found if trace is not None]
