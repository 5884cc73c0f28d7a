"""Seals blocks and judges them, or follows whoever else holds the lease.

One worker at a time seals; all others judge the very same blocks in the same order, and
take the evidence that was written wherever theirs is another. So each has the same
verdicts, and any of them can go on where the holder ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from servewatch.judge.learning import calibrate
from servewatch.judge.state import pack_judge, unpack_judge
from servewatch.judge.stream import Block
from servewatch.record.guard import guarded
from servewatch.sketch.stages import NO_STAGES
from servewatch.sketch.window import Window
from servewatch.store.kept_blocks import KeptBlocks
from servewatch.store.protocol import Sealed

if TYPE_CHECKING:
    from servewatch.config import Config
    from servewatch.judge.judge import Judge
    from servewatch.record.totals import Totals
    from servewatch.sketch.stages import Stages
    from servewatch.store.protocol import Store

LEASE_SECONDS = 10.0  # with a beat of one second it is taken over within 15
MOST_FAILURES = 3  # ticks that one block may fail
Judged = Callable[[Window], object]


class Sealing:
    """The judge of one worker, and the blocks that it knows to be sealed.

    `is_holder` says whether this worker sealed when it last could; `on_block` hears of
    every block that was judged, sealed here or not, after the judge did.
    """

    def __init__(
        self,
        config: Config,
        totals: Totals,
        *,
        make_judge: Callable[[], Judge],
        on_block: Judged,
        on_sealed: Judged,
    ) -> None:
        """Judge by *make_judge*'s; *on_sealed* hears of blocks that were sealed here.

        Faults are counted in *totals*.
        """
        self._config, self._totals = config, totals
        self._make_judge, self._on_block = make_judge, on_block
        self._on_sealed = on_sealed
        self._calibrated: Stages = NO_STAGES
        self.begin()

    def begin(self) -> None:
        """Start with a judge that has seen nothing."""
        self.judge = self._make_judge()
        self.is_holder = False
        self._kept = KeptBlocks()
        self._sealed: int | None = None
        self._failures = 0
        self._evidence = pack_judge(self.judge)
        if self._calibrated:
            self.calibrate(self._calibrated)

    def calibrate(self, stages: Stages) -> None:
        """Judge *stages* by these runs from now on, instead of by their first ones."""
        self._calibrated = {**self._calibrated, **stages}
        calibrate(self.judge, stages)
        self._evidence = pack_judge(self.judge)

    def blocks(self, since: int) -> list[Sealed]:
        """Give the sealed blocks still kept whose number is at least *since*."""
        return self._kept.since(since)

    def resume(self, store: Store) -> None:
        """Go on from what *store* holds."""
        last = store.last()
        if last is None:
            return
        self._take(*last)
        for block in store.sealed(0):
            if block.number <= last[0]:
                self._kept.add(block)
                self._on_block(block.window)

    def follow(self, store: Store) -> bool:
        """Take over what others sealed since; give whether there was anything.

        Where the store has been emptied, what is known here is put back.
        """
        head = store.head()
        if head == self._sealed:
            return False
        if head is None:
            assert self._sealed is not None
            store.restore(self._sealed, self._evidence)
            return False
        last = store.last()
        if last is None:
            return False
        since = 0 if self._sealed is None else self._sealed + 1
        for block in store.sealed(since):
            if block.number <= last[0]:
                with guarded(self._totals, "judge"):
                    self.judge.observe(*observed(block))
                self._kept.add(block)
                self._on_block(block.window)
        self._take(*last)
        return True

    def _take(self, number: int, evidence: bytes) -> None:
        """Take *evidence* for the truth, where ours is another."""
        if pack_judge(self.judge) != evidence:
            unpack_judge(self.judge, evidence)
        self._sealed, self._evidence = number, evidence

    def close(
        self,
        store: Store,
        before: int,
        *,
        holder: str,
        now: float,
        keep_small: bool = True,
    ) -> None:
        """Seal the blocks below *before*; those too small join the next.

        Where another worker has the lease, nothing is done.
        """
        self.is_holder = store.lease(holder, now, LEASE_SECONDS)
        if not self.is_holder:
            return
        parts: list[int] = []
        merged: Window | None = None
        for number, window in store.close(before).items():
            parts.append(number)
            if not window.volume:  # came with books alone: no rows, no block
                continue
            merged = window if merged is None else merged.merge(window)
            if merged.volume >= self._config.block_rows:
                if not self._seal(store, parts, merged, holder):
                    return
                parts, merged = [], None
        if merged is not None and not keep_small:
            self._seal(store, parts, merged, holder)

    def _seal(
        self, store: Store, parts: Sequence[int], window: Window, holder: str
    ) -> bool:
        """Judge a block and write it; what cannot be written was never judged.

        A block that fails again and again is written unjudged, or all that comes after
        it would wait, and grow, behind it. False where another holder was first.
        """
        sealed = Sealed(parts[-1], window)
        try:
            self.judge.observe(*observed(sealed))
            evidence = pack_judge(self.judge)
            taken = self._write(store, sealed, parts, evidence, holder)
        except Exception:
            unpack_judge(self.judge, self._evidence)
            self._failures += 1
            if self._failures < MOST_FAILURES:
                raise
            self._totals.fault("judge")
            taken = self._write(store, sealed, parts, self._evidence, holder)
        self._failures = 0
        if not taken:
            unpack_judge(self.judge, self._evidence)
            self.follow(store)
            return False
        self._kept.add(sealed)
        self._on_block(window)
        self._on_sealed(window)
        return True

    def _write(
        self,
        store: Store,
        sealed: Sealed,
        parts: Sequence[int],
        evidence: bytes,
        holder: str,
    ) -> bool:
        taken = store.seal(
            sealed, parts=parts, evidence=evidence, after=self._sealed, holder=holder
        )
        if taken:
            self._sealed, self._evidence = sealed.number, evidence
        return taken


def observed(sealed: Sealed) -> tuple[Block, str]:
    """Give what a judge observes of a block."""
    window = sealed.window
    block = Block(
        sealed.number,
        window.start,
        window.end,
        window.counts,
        window.rows,
        window.labels,
        window.stages,
    )
    return block, ", ".join(window.unknown)
