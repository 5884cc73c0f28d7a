"""What is known beside the counts: deployments, steps, leaks, the model that serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from servewatch.monitor.beside import (
    Leak,
    leak_verdicts,
    lineage_verdicts,
    stopped_verdicts,
)
from servewatch.monitor.cards import Cards
from servewatch.monitor.markers import Markers
from servewatch.record.guard import Faults, guarded

if TYPE_CHECKING:
    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.judge.judge import Judge
    from servewatch.judge.verdict import Verdict
    from servewatch.pipeline.resource_readings import Reading
    from servewatch.record.totals import Totals
    from servewatch.sketch.layout import Layout
    from servewatch.sketch.window import Window
    from servewatch.store.protocol import Sealed


class Context:
    """Tells causes, and warns of what no distribution shows.

    `leaks` is asked for resources that are used more and more; `other_model` says that
    the model which serves is not the baseline's, since `started` (Unix seconds).
    `reasons` is asked why ServeWatch is not well, `told` what else its health has to
    tell; `resources` and `lineage` are for the Report, `readings` for metrics. Each of
    `on_block` hears of every sealed block.
    """

    def __init__(
        self,
        config: Config,
        baseline: Baseline | None,
        layout: Layout,
        seen: Callable[[], Totals],
        *,
        sealed: Callable[[], Sequence[Sealed]],
        clock: Callable[[], float],
    ) -> None:
        """Know of *baseline*'s model and of the *sealed* blocks still kept.

        *seen* gives what all workers have counted.
        """
        self._clock, started = clock, clock()
        self._config, self._baseline, self._seen = config, baseline, seen
        self._sealed = sealed
        self.started, self.other_model = started, False
        self.leaks: Callable[[], Sequence[Leak]] = tuple
        self.reasons: Callable[[], Sequence[str]] = tuple
        self.told: Callable[[], Mapping[str, Any]] = dict
        self.resources: Callable[[], Mapping[str, Any]] = dict
        self.readings: Callable[[], Sequence[Reading]] = tuple
        self.lineage: Callable[[], Mapping[str, Any]] = dict
        self.on_block: list[Callable[[Window], object]] = []
        self._onsets: dict[tuple[str, float | None], int | None] = {}
        self.markers = Markers()
        version = f" with version {config.model_version}" * bool(config.model_version)
        self.markers.add(started, f"the watch was started{version}")
        self.cards = Cards(
            config,
            baseline,
            layout,
            windows=self.windows,
            steps=self.steps,
            markers=self.markers,
        )

    def tell(self, window: Window, faults: Faults) -> None:
        """Tell who wants to hear of sealed blocks; what fails is one of *faults*."""
        for listener in self.on_block:
            with guarded(faults, "listener"):
                listener(window)

    def deployed(self, what: str) -> None:
        """Note that *what* was deployed or changed just now."""
        self.markers.add(self._clock(), what)

    def health(
        self, reasons: Sequence[str], own: Mapping[str, object]
    ) -> dict[str, Any]:
        """Give ServeWatch's own state with the *reasons* why it is not well."""
        found = [*reasons, *self.reasons()]
        return {
            "status": "degraded" if found else "ok",
            "reasons": found,
            **own,
            "baseline": None if self._baseline is None else self._baseline.digest,
            **self.told(),
        }

    def verdicts(self, judge: Judge, at: float) -> list[Verdict]:
        """Give the warnings as of *at*, the end of *judge*'s last block."""
        found = [
            *leak_verdicts(self.leaks(), judge, at),
            *stopped_verdicts(judge, at),
            *lineage_verdicts(
                self._config,
                self._baseline,
                judge,
                other_model=self.other_model,
                since=self.started,
                at=at,
            ),
        ]
        # What began, began in one block, however long blocks are from now on.
        known = {
            (each.name, each.since): self._onsets.get(
                (each.name, each.since), each.onset_block
            )
            for each in found
        }
        self._onsets = known
        return [
            replace(each, onset_block=known[each.name, each.since]) for each in found
        ]

    def steps(self) -> list[str]:
        """Name the pipeline's steps in order: the baseline's, or as they first ended.

        What is known to the baseline comes first; parts of a step stand before it.
        """
        known = () if self._baseline is None else self._baseline.content.stages
        seen = list(self._seen().lifetime.stages)
        found: list[str] = []
        for step in known:
            found += [name for name in seen if name.startswith(f"{step}/")]
            found.append(step)
        return [*found, *(name for name in seen if name not in found)]

    def windows(self, since: float) -> list[Window]:
        """Give the sealed windows still kept that ended after *since*."""
        return [each.window for each in self._sealed() if each.window.end > since]
