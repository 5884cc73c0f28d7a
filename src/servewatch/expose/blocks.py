"""Sealed blocks for `gate --stable` and fleets: counts, and never a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from servewatch.expose.source import Source
from servewatch.monitor.report import SCHEMA_VERSION, iso

BLOCKS = 360  # an hour of blocks of ten seconds; `next` says where to go on


def blocks_body(sources: Sequence[Source], since: int) -> dict[str, Any]:
    """Give the counts of sealed blocks numbered *since* and later, by model.

    `counts` maps a column, and with a colon before it a count of the service itself,
    to its cells. `next` is the block to ask for next, null at the end.
    """
    return {
        "models": [_model(source, since) for source in sources],
        "schema_version": SCHEMA_VERSION,
    }


def _model(source: Source, since: int) -> dict[str, Any]:
    model = source.latest.model
    sealed = sorted(source.blocks(since), key=lambda block: block.number)
    shown, rest = sealed[:BLOCKS], sealed[BLOCKS:]
    spans = source.layout.spans
    return {
        "model": source.config.model,
        "version": model.get("version"),
        "baseline": model.get("baseline"),
        "block_seconds": source.config.block_seconds,
        "blocks": [
            {
                "number": block.number,
                "start": iso(block.window.start),
                "end": iso(block.window.end),
                "rows": block.window.rows,
                "requests": block.window.requests,
                "labels": block.window.labels,
                "counts": {
                    name: block.window.counts[span].tolist()
                    for name, span in spans.items()
                },
            }
            for block in shown
        ],
        "next": rest[0].number if rest else None,
    }
