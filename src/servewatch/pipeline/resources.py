"""What the process around a model uses, looked at by the background thread."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from servewatch.pipeline.cgroup import Cgroup, Container
from servewatch.pipeline.cost import Prices, Spent, cost, per_thousand
from servewatch.pipeline.gc_pauses import GcPauses
from servewatch.pipeline.gpu import Gpus
from servewatch.pipeline.leaks import Leaks
from servewatch.pipeline.loop_lag import LoopLag
from servewatch.pipeline.process import Process, Usage
from servewatch.pipeline.resource_readings import Reading, all_readings
from servewatch.record.forking import renew_after_fork
from servewatch.record.guard import guarded

if TYPE_CHECKING:
    from servewatch.config import Config
    from servewatch.pipeline.leak import Leak
    from servewatch.record.stage_runs import StageRun
    from servewatch.record.totals import Totals


class Look(NamedTuple):
    """One look at everything but the GPUs, which answer when they can."""

    at: float
    used: Usage
    container: Container
    available_bytes: float | None
    loop_lag_seconds: float | None


class Resources:
    """Looks at the process every `Config.resource_seconds`, at its loops every beat.

    Nothing is read, and the garbage collector is not listened to, before the first
    `sample`, nor between `close` and the next. What the system does not tell is absent.

    >>> from servewatch.config import Config
    >>> from servewatch.record.totals import Totals
    >>> resources = Resources(Config(), Totals(), append=print)
    >>> resources.sample(1_290_000_000.0)
    >>> resources.described()["process"]["cpu_seconds"] > 0
    True
    >>> resources.close()
    """

    def __init__(
        self,
        config: Config,
        totals: Totals,
        *,
        append: Callable[[StageRun], object],
        process: Process | None = None,
        cgroup: Cgroup | None = None,
        gpus: Gpus | None = None,
    ) -> None:
        """Count by *totals*; *append* takes the lags of loops as runs of a stage."""
        self._every = config.resource_seconds
        self._prices = Prices(
            config.price_cpu_hour, config.price_gpu_hour, config.price_thousand_tokens
        )
        self._currency = config.currency
        self._totals = totals
        self._process = Process() if process is None else process
        self._cgroup = Cgroup() if cgroup is None else cgroup
        self._gpus = Gpus() if gpus is None else gpus
        self._loops = LoopLag(append)
        self._pauses: GcPauses | None = None
        self._reset()
        renew_after_fork(self)

    def _reset(self) -> None:
        self._leaks = Leaks()
        self._look: Look | None = None
        self._readings: tuple[Reading, ...] = ()

    def after_fork(self) -> None:
        """Begin anew: the parent's memory and GPU time are its own."""
        self._reset()
        self._gpus.after_fork()

    def note_loop(self, loop: AbstractEventLoop) -> None:
        """Watch the event *loop* that requests run in; some 100 ns when it is known."""
        self._loops.note(loop)

    def sample(self, now: float) -> None:
        """Look, if it is time; *now* is Unix seconds. Called at the end of each beat.

        At the end, for whatever this thread does next would delay the loops' answers.
        """
        with guarded(self._totals, "resources"):
            if self._pauses is None:
                self._pauses = GcPauses.hold()
            last = self._look
            if last is None or not 0 <= now - last.at < self._every:
                self._look_now(now)
            else:
                self._gpus.fetch(now)
        with guarded(self._totals, "event loop"):
            self._loops.beat()

    def _look_now(self, now: float) -> None:
        look = Look(
            now,
            self._process.usage(),
            self._cgroup.look(),
            self._process.available_bytes(),
            self._loops.take_longest_seconds(),
        )
        self._look = look
        self._leaks.note(now, look.used, look.container, look.available_bytes)
        self._gpus.look(now)
        self._readings = tuple(
            all_readings(
                look.used,
                look.container,
                gpus=self._gpus.devices,
                pauses=self._pauses,
                lag_seconds=look.loop_lag_seconds,
                spent=self._spent(look.used),
                cost=cost(self._spent(look.used), self._prices),
                currency=self._currency,
                leaks=self._leaks.found,
            )
        )

    def _spent(self, used: Usage) -> Spent:
        tokens = sum(_copied(self._totals.stage_tokens).values())
        return Spent(used.cpu_seconds, self._gpus.busy_seconds, tokens)

    @property
    def leaks(self) -> Mapping[str, Leak]:
        """What grows without end: some of memory, open files and threads."""
        return self._leaks.found

    @property
    def words(self) -> Mapping[str, str]:
        """The same in words, such as "memory grows by 10 MB/min since ..."."""
        return self._leaks.words

    @property
    def gpus_off(self) -> str | None:
        """Why there are no GPU metrics; None where there are, or nobody has looked."""
        return self._gpus.off

    def readings(self) -> tuple[Reading, ...]:
        """Give (family, labels, value) of all metrics: the same object until it looks.

        At most 126: 12 of each of 8 GPUs, and 30 others.
        """
        return self._readings

    def described(self) -> dict[str, Any]:
        """Give all that is known, JSON-ready; `process` is None before the first look.

        Seconds, bytes, cores and shares in [0, 1]; what is not known is None.
        """
        look = self._look
        if look is None:
            return {"process": None}
        found, words = self._leaks.told  # read once: the next look makes others
        spent = self._spent(look.used)
        received = self._totals.accounting()["received"]
        return {
            "at": look.at,
            "process": _process(look.used),
            "gc": _pauses(self._pauses),
            "event_loop": {"lag_seconds": look.loop_lag_seconds},
            "container": look.container._asdict(),
            "machine": {"memory_available_bytes": look.available_bytes},
            "gpu": {
                "off": self._gpus.off,
                "devices": [_plain(each._asdict()) for each in self._gpus.devices],
            },
            "leaks": {
                name: {**leak._asdict(), "words": words[name]}
                for name, leak in found.items()
            },
            "cost": {
                "total": cost(spent, self._prices),
                "currency": self._currency,
                **spent._asdict(),
                "per_thousand_predictions": per_thousand(
                    received,
                    spent,
                    _copied(self._totals.stage_cpu_seconds),
                    _copied(self._totals.stage_tokens),
                ),
            },
        }

    def close(self) -> None:
        """Let go of loops, GPUs and the collector; a later sample begins anew."""
        pauses, self._pauses = self._pauses, None
        if pauses is not None:
            pauses.release()
        self._loops.forget()
        self._gpus.close()


def _process(used: Usage) -> dict[str, Any]:
    voluntary, involuntary = used.switches
    return used._asdict() | {
        "cpu_seconds": used.cpu_seconds,
        "switches": {"voluntary": voluntary, "involuntary": involuntary},
    }


def _pauses(pauses: GcPauses | None) -> dict[str, Any] | None:
    if pauses is None:
        return None
    return {
        "collections": list(pauses.counts),
        "seconds": pauses.seconds,
        "longest_seconds": pauses.longest_seconds(),
    }


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if _is_several(value) else value
        for name, value in values.items()
    }


def _is_several(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str)


def _copied(sums: Mapping[str, float]) -> dict[str, float]:
    """Copy what the drain may be adding to."""
    return dict(sums)
