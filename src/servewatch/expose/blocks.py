"""Sealed blocks for `gate --stable` and fleets: counts, and never a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from servewatch.expose.source import Source
from servewatch.judge.panel import DRIFT, SEVERE
from servewatch.judge.stream import Stream
from servewatch.monitor.report import SCHEMA_VERSION, iso
from servewatch.sketch.latency import BOUNDS

BLOCKS = 360  # an hour of blocks of ten seconds; `next` says where to go on
# What a canary can differ in at once: not what is learned, nor what labels say.
COMPARED_ROLES = frozenset({"feature", "prediction"})
LEAST_SECONDS = 0.001  # below, two processes on one machine differ by themselves
COMPARED_SERVICES = frozenset({"errors", "latency"})


def blocks_body(
    sources: Sequence[Source], since: int, *, streams: bool = False
) -> dict[str, Any]:
    """Give the counts of sealed blocks numbered *since* and later, by model.

    `counts` maps a column, and with a colon before it a count of the service itself,
    to its cells. `next` is the block to ask for next, null at the end. With *streams*
    it is what two servers are compared by instead: the sets of every stream in words,
    and of each block the rows of the streams and the hits of the sets.
    """
    return {
        "models": [
            _model(source, since, _Compared(source) if streams else _Counts(source))
            for source in sources
        ],
        "schema_version": SCHEMA_VERSION,
    }


def _model(source: Source, since: int, counted: _Compared | _Counts) -> dict[str, Any]:
    model = source.latest.model
    sealed = sorted(source.blocks(since), key=lambda block: block.number)
    shown, rest = sealed[:BLOCKS], sealed[BLOCKS:]
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
                **counted.of(block.window.counts),
            }
            for block in shown
        ],
        "next": rest[0].number if rest else None,
        **counted.described(),
    }


class _Counts:
    """All that a block counted, by column."""

    def __init__(self, source: Source) -> None:
        self._spans = source.layout.spans

    def described(self) -> Mapping[str, Any]:
        return {}

    def of(self, counts: NDArray[np.int64]) -> Mapping[str, Any]:
        found = {name: counts[span].tolist() for name, span in self._spans.items()}
        return {"counts": found}


class _Compared:
    """The streams of a source's judge that two servers can be compared by."""

    def __init__(self, source: Source) -> None:
        self._config = source.config
        with source.reading():
            self._judge = source.judge
            panel = self._judge.panel
            effects = self._judge.dependence.design_effects()
            self._places = [
                place
                for place, stream in enumerate(panel.streams)
                if _is_compared(stream)
            ]
            self._streams = [panel.streams[place] for place in self._places]
            self._effects = [float(effects[place]) for place in self._places]
        self._kept = [_sets(stream) for stream in self._streams]
        self._sets = [
            int(panel.first[place]) + k
            for place, kept in zip(self._places, self._kept, strict=True)
            for k in kept
        ]

    def described(self) -> Mapping[str, Any]:
        config = self._config
        return {
            "tolerance": config.tolerance_drift,
            "alpha": config.pass_alpha,
            "streams": [
                {
                    "name": stream.name,
                    "role": stream.role,
                    "design_effect": effect,
                    "drift": _numbers(stream.tolerances[DRIFT, kept]),
                    "severe": _numbers(stream.tolerances[SEVERE, kept]),
                    "words": [stream.words(k)[0] for k in kept],
                }
                for stream, effect, kept in zip(
                    self._streams, self._effects, self._kept, strict=True
                )
            ],
        }

    def of(self, counts: NDArray[np.int64]) -> Mapping[str, Any]:
        """Give the sets' hits and the streams' rows, whole numbers both."""
        panel = self._judge.panel
        cells = np.zeros(self._judge.learned.size, dtype=np.int64)
        cells[: counts.size] = counts
        hits, rows = panel.count(cells)
        return {
            "hits": hits[self._sets].astype(int).tolist(),
            "stream_rows": rows[self._places].astype(int).tolist(),
        }


def _is_compared(stream: Stream) -> bool:
    if not stream.gates or not stream.name:
        return False
    return stream.role in COMPARED_ROLES or stream.name in COMPARED_SERVICES


def _sets(stream: Stream) -> list[int]:
    """Give the sets that count: of latencies those of a millisecond and more."""
    if stream.family != "latency":
        return list(range(stream.sets))
    return [k for k in range(stream.sets) if BOUNDS[k] >= LEAST_SECONDS]


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    """Give numbers that JSON knows."""
    return [None if np.isnan(value) else float(value) for value in values]
