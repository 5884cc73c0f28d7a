"""Takes sealed blocks one by one and keeps what follows from them."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from math import ceil, exp, log
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.dependence import Dependence
from servewatch.judge.evidence import MARGIN_NATS, Evidence, blocks_per_alarm
from servewatch.judge.gate import Pass
from servewatch.judge.guards import Envelope, SchemaChange, SourceDown, Watched
from servewatch.judge.learning import learn
from servewatch.judge.panel import DRIFT, SEVERE, WARN, Panel
from servewatch.judge.silence import Silence
from servewatch.judge.slots import Slots
from servewatch.judge.verdict import rows_to_detect
from servewatch.sketch.recent import Recent

if TYPE_CHECKING:
    from servewatch.config import Config
    from servewatch.judge.stream import Block, Stream
    from servewatch.sketch.window import Window

Floats = NDArray[np.float64]


class Judge:
    """The evidence on every stream, after the blocks observed so far.

    Only `observe` changes it, so how often anybody looks is of no consequence. `on`
    (3, J) says which severities of which streams are established, `dataset_on` (2,)
    the same for all streams together. `drifts_elsewhere` is set by whoever judges what
    is no stream and has found it drifting as of the last block.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        cells: int,
        config: Config,
        *,
        columns: Sequence[Watched] = (),
        unknown: slice = slice(0, 0),
        unknown_gates: bool = True,
        slots: Slots | None = None,
    ) -> None:
        """Judge *streams* over *cells* cells; guards watch *columns*.

        *unknown* are the cells of rows with columns that the baseline lacks, which gate
        or not. *slots*, which begin at cell *cells*, are where stages are judged.
        """
        self.slots = slots
        self._first_slot = len(streams)
        if slots is not None:
            streams, cells = [*streams, *slots.streams()], cells + slots.size
        parts = sum(stream.part for stream in streams if stream.gates)
        gating = ceil(parts - 1e-9)  # tenths do not add up to exactly one
        self.config = config
        self.panel = Panel(streams, cells, config, gating)
        self.patience = blocks_per_alarm(
            config.block_seconds, config.false_alarms_per_day
        )
        # Few that alarm must not lower the line that the baseline was tempered by.
        every = sum(stream.part for stream in streams)
        most = max(self.panel.gating, every * exp(-MARGIN_NATS))
        self.height = log(self.patience) + log(most)
        self.n_min = rows_to_detect(config, self.height)
        self.levels = tuple(
            Evidence(
                self.panel, level, patience=self.patience, cap_nats=config.cap_nats
            )
            for level in (WARN, DRIFT, SEVERE)
        )
        self.dependence = Dependence(
            self.panel,
            warmup_blocks=config.warmup_blocks,
            warmup_deff=config.warmup_deff,
        )
        self.source_down = SourceDown(columns)
        self.schema_change = SchemaChange(columns, unknown, unknown_gates=unknown_gates)
        self.silence = Silence(rows=self.n_min, seconds=config.horizon_seconds)
        self.envelope = Envelope(streams, config.tolerance_warn, self.height)
        self.not_judged = np.array([self._is_deaf(stream) for stream in streams])
        self.gate = Pass(self.panel, config, left_out=self.not_judged)
        self._guarded = np.array([column.gates for column in columns], dtype=bool)
        self._begin(streams, cells)

    def _begin(self, streams: Sequence[Stream], cells: int) -> None:
        """Start with nothing seen."""
        self.on = np.zeros((3, len(streams)), dtype=bool)
        self.dataset = np.zeros(2)
        self.dataset_on = np.zeros(2, dtype=bool)
        self.dataset_since = np.full(2, np.nan)
        # Long enough for the slowest stream that may say ok to have twice its rows.
        rows = ceil(2 * self.n_min * self.config.slow_deff)
        self.recent, self.recent_labels = (
            Recent(len(streams), seconds=self.config.horizon_seconds, rows=rows)
            for _ in range(2)
        )
        self._by_labels = np.array([s.family == "performance" for s in streams])
        self.blocks = 0
        self.drifts_elsewhere = False
        self._counts_in = np.array([stream.gates for stream in streams], dtype=float)
        self.learned = np.zeros(cells, dtype=np.int64)
        self._learns = {k: s for k, s in enumerate(streams) if s.learns}
        self._learning = list(self._learns)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows (J,) of each stream within the horizon, of some a horizon of labels."""
        by_rows, by_labels = self.recent.counts, self.recent_labels.counts
        return np.where(self._by_labels, by_labels, by_rows)

    def _is_deaf(self, stream: Stream) -> bool:
        """Whether its own baseline is shorter than what a verdict would take."""
        effect = stream.design_effect
        if effect is None or effect <= 1.0 or not stream.tempered:
            return False
        return effect * self.n_min > stream.baseline_rows

    def observe(self, block: Block, unknown_names: str = "") -> None:
        """Fold in a sealed block; *unknown_names* are columns the baseline lacks."""
        counts = self._counts(block)
        hits, rows = self.panel.count(counts)
        deff = self.dependence.design_effects()
        eta = 1.0 / deff
        self.blocks += 1
        whole = rows.astype(np.int64)
        self.recent.add(block.start, block.end, block.rows, whole)
        self.recent_labels.add(block.start, block.end, block.labels, whole)
        self._update_levels(hits, rows, eta, block.start)
        self._update_dataset(block.start)
        self.dependence.update(hits, rows, self.on[WARN])
        self.source_down.update(block.counts, block.start)
        self.schema_change.update(block.counts, unknown_names, block.start, self.blocks)
        self.envelope.update(hits, rows, block.start)
        self.silence.update(labels=block.labels, rows=block.rows, start=block.start)
        self._update_gate(hits, rows, eta, block)
        self._learn(counts)

    def _counts(self, block: Block) -> NDArray[np.int64]:
        """Give the cells of *block*, whose new stages take their places."""
        if self.slots is not None and self.slots.admit(block.stages):
            self.name_stages()
        return self.cells_of(block)

    def cells_of(self, seen: Block | Window) -> NDArray[np.int64]:
        """Give the cells of a block, stages in their places behind all others."""
        if self.slots is None:
            return seen.counts
        return np.concatenate([seen.counts, self.slots.cells(seen.stages)])

    def name_stages(self) -> None:
        """Give the streams of places the names of the stages that have them."""
        if self.slots is None:
            return
        streams = list(self.panel.streams)
        for nth, place in enumerate(range(self._first_slot, len(streams))):
            streams[place] = self.slots.named(streams[place], nth)
            if place in self._learns:
                self._learns[place] = self.slots.named(self._learns[place], nth)
            self._counts_in[place] = float(streams[place].gates)
        self.panel.streams = tuple(streams)

    def _update_levels(
        self, hits: Floats, rows: Floats, eta: Floats, at: float
    ) -> None:
        judged = np.where(self.not_judged, 0.0, rows)
        for level in (WARN, DRIFT):
            self._switch(level, hits, judged, eta, at)
        severe = self.on[DRIFT]
        if severe.any():
            counted = np.where(severe, judged, 0.0)
            self._switch(SEVERE, hits, counted, eta, at)
        ended = ~severe & (self.levels[SEVERE].sums() > 0)
        if ended.any():
            self.levels[SEVERE].reset(ended)
        self.on[SEVERE] &= severe

    def _switch(
        self, level: int, hits: Floats, rows: Floats, eta: Floats, at: float
    ) -> None:
        evidence = self.levels[level]
        evidence.update(hits, rows, eta, at=at, block=self.blocks)
        logs = self.logs(level)
        self.on[level] |= logs >= self.height
        self.on[level] &= logs >= self.height - self.config.recover_nats

    def logs(self, level: int) -> Floats:
        """Give log evidence (J,) at a severity, -inf where there is none."""
        with np.errstate(divide="ignore"):
            return np.log(self.levels[level].sums())

    def _update_dataset(self, at: float) -> None:
        """Global evidence: the mean over gating streams, against c itself."""
        for level in (WARN, DRIFT):
            total = float(self.levels[level].sums() @ self._counts_in)
            self.dataset[level] = total / self.panel.gating
            on = self.dataset[level] >= self.patience
            floor = self.patience * np.exp(-self.config.recover_nats)
            self.dataset_on[level] = on or (
                self.dataset_on[level] and self.dataset[level] >= floor
            )
            if self.dataset[level] < 1.0:
                self.dataset_since[level] = np.nan
            elif np.isnan(self.dataset_since[level]):
                self.dataset_since[level] = at

    def _update_gate(
        self, hits: Floats, rows: Floats, eta: Floats, block: Block
    ) -> None:
        if self.has_drift:
            self.gate.forget()
        else:
            self.gate.update(hits, rows, eta, count=block.rows, at=block.start)

    @property
    def has_drift(self) -> bool:
        """Whether anything that gates is drift."""
        gates = self._counts_in > 0
        return bool(
            (self.on[DRIFT] & gates).any()
            or self.dataset_on[DRIFT]
            or self.schema_change.is_gating
            or (self.source_down.lasting & self._guarded).any()
            or self.drifts_elsewhere
        )

    def signature(self) -> bytes:
        """Give bytes that stay the same as long as no status can have changed."""
        deff = self.dependence.design_effects()
        guards = self.source_down
        parts = (
            self.on,
            self.dataset_on,
            self.rows >= self.n_min * deff,
            self.rows >= self.n_min,
            deff > self.config.slow_deff,
            self.envelope.culprit >= 0,
            guards.runs > 0,
            guards.lasting,
        )
        return (
            b"".join(part.tobytes() for part in parts)
            + repr(
                (self.schema_change.found, self.blocks > 0, self.silence.is_on)
            ).encode()
        )

    def _learn(self, counts: NDArray[np.int64]) -> None:
        """Let a stream without a baseline take its first rows as one."""
        for place in self._learning:
            span = self.panel.streams[place].span
            self.learned[span] += counts[span]
        for place in self.adopt_learned():
            self.dependence.blocks[place] = 0  # its warm-up only begins here
            self.recent.forget(place)

    def relearn(self, chosen: Container[int] | None = None) -> list[int]:
        """Judge by what `learned` holds now, whatever was learned before.

        Of the streams at the places *chosen* (None: of all) that learn; gives these.
        """
        places = [k for k in self._learns if chosen is None or k in chosen]
        self._learning = sorted({*self._learning, *places})
        self.adopt_learned()
        return places

    def adopt_learned(self) -> list[int]:
        """Judge by what was learned wherever that is enough; give the streams' places.

        `learned` (cells,) holds what the streams without a baseline saw at first.
        """
        streams, found = list(self.panel.streams), []
        for place in self._learning:
            streams[place] = self._learns[place]
        for place in self._learning:
            counts = self.learned[streams[place].span]
            enough = streams[place].learns_from or self.config.latency_reference_rows
            if counts.sum() >= enough:
                streams[place] = replace(learn(streams[place], counts), learns=False)
                found.append(place)
        forgotten = any(streams[k] is not self.panel.streams[k] for k in self._learning)
        if found or forgotten:
            self._learning = [k for k in self._learning if k not in found]
            cells = self.learned.size
            self.panel = Panel(streams, cells, self.config, self.panel.gating)
            for evidence in self.levels:
                evidence.adopt(self.panel)
            self.dependence.adopt(self.panel)
            self.gate.adopt(self.panel)
        return found
