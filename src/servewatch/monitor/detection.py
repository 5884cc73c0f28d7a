"""The sequential detectors that somebody asked for, fed with losses as labels come."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.cause import time_text
from servewatch.judge.detectors.named import detector
from servewatch.judge.verdict import Status, Verdict

if TYPE_CHECKING:
    from servewatch.judge.detectors.protocol import Detector

Floats = NDArray[np.float64]
WARNING_SECONDS = 86400.0  # a detector says when, never until when
TARGETED = "cusum"
MOST_WAITING = 1_000_000  # losses, 8 MB, which a slow detector cannot keep up with
SLOW = frozenset({"kswin"})  # takes a millisecond a loss
SLOW_LOSSES = 1_000  # in a block


@dataclass(frozen=True, slots=True)
class Detection:
    """What one detector found: `changes` in `seen` losses, the last noticed at `since`.

    `since` is the end of the block in which the label came, Unix seconds.
    """

    changes: int
    seen: int
    since: float | None


class Detectors:
    """Feeds the detectors called *names* with losses, in order of arrival.

    Those in *gating* have a stream each. It warns for a day after a change and never
    drifts: a detector knows no level that would be normal again, so time has to end
    the warning. *usual* is the mean loss that is normal, for those that take one; None
    where nobody knows. Raises `ConfigError` for a name that is none, `MissingExtra` for
    one whose package is not installed.

    >>> watching = Detectors(["cusum"], ["cusum"])
    >>> watching.take(np.r_[np.zeros(3000), np.ones(50)])
    >>> watching.update(at=60.0, block=7)
    >>> watching.found["cusum"]
    Detection(changes=1, seen=3050, since=60.0)
    >>> [verdict.status for verdict in watching.verdicts(at=120.0)]
    ['warning']
    """

    def __init__(
        self,
        names: Sequence[str],
        gating: Sequence[str] = (),
        *,
        usual: float | None = None,
    ) -> None:
        """Start with nothing seen."""
        self._detectors: dict[str, Detector] = {
            name: detector(name, **({"target": usual} if name == TARGETED else {}))
            for name in names
        }
        self._gating = tuple(dict.fromkeys(gating))
        self._waiting: deque[Floats] = deque()
        self._most = SLOW_LOSSES if SLOW & set(names) else MOST_WAITING
        self._changed: dict[str, tuple[float, int]] = {}

    def take(self, losses: Floats) -> None:
        """Note *losses* (n,) in [0, 1]; cheap, and from any thread.

        Where nobody updates, what does not fit is not seen.
        """
        if self._detectors and sum(map(len, self._waiting)) < MOST_WAITING:
            self._waiting.append(losses)

    def update(self, *, at: float, block: int) -> None:
        """Feed what was taken; *at* is the end of the block numbered *block*."""
        parts: list[Floats] = []
        while self._waiting and sum(map(len, parts)) < self._most:
            parts.append(self._waiting.popleft())
        if not parts:
            return
        losses = np.concatenate(parts)
        if losses.size > self._most:
            self._waiting.appendleft(losses[self._most :])
            losses = losses[: self._most]
        for name, each in self._detectors.items():
            if each.update(losses):
                self._changed[name] = at, block

    @property
    def found(self) -> dict[str, Detection]:
        """What every detector found so far, by name."""
        return {
            name: Detection(
                each.changes, each.seen, self._changed.get(name, (None, 0))[0]
            )
            for name, each in self._detectors.items()
        }

    def verdicts(self, at: float, *, has_stopped: bool = False) -> list[Verdict]:
        """Give the verdicts at *at* (Unix seconds) of those that gate.

        There are none to give where labels have not come yet, or have stopped coming.
        """
        return [
            self._verdict(name, at, has_stopped=has_stopped) for name in self._gating
        ]

    def _verdict(self, name: str, at: float, *, has_stopped: bool) -> Verdict:
        found = self._detectors[name]
        status: Status = "ok"
        reason, since, block, cause = None, None, None, None
        if has_stopped or not found.seen:
            status = "insufficient_data"
            reason = "labels_stopped" if has_stopped else "few_rows"
        elif name in self._changed and at - self._changed[name][0] < WARNING_SECONDS:
            status = "warning"
            since, block = self._changed[name]
            cause = f"{name} found a change of the error, noticed {time_text(since)}"
        return Verdict(
            name=f"detector/{name}",
            role="performance",
            family="performance",
            status=status,
            evidence=0.0,
            threshold=0.0,
            rows=found.seen,
            rows_to_detect=1,
            design_effect=1.0,
            gates=True,
            reason=reason,
            since=since,
            onset_block=block,
            cause=cause,
            cause_public=cause,
        )
