"""Retries of what the model depends on, as tenacity and stamina tell of them.

Neither library is imported: each calls what it is given here. A hook of ours never
raises and returns nothing, so that retrying goes on as it would without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from servewatch.record.guard import guarded
from servewatch.sketch.stages import OTHER

if TYPE_CHECKING:
    from servewatch.record.recorder import Recorder


class StaminaHook(Protocol):
    """What stamina calls a RetryHook."""

    def __call__(self, details: Any) -> None:
        """Hear of a retry that is to come."""


def tenacity_hook(recorder: Recorder, stage: str) -> Callable[[Any], None]:
    """Give what `tenacity.retry` takes as `before_sleep`: it counts retries of *stage*.

    As `after` it counts every failed attempt, also the last, which no retry follows.

    >>> from servewatch.record.recorder import Recorder
    >>> recorder = Recorder()
    >>> tenacity_hook(recorder, "fetch")(None)
    >>> recorder.stage_runs.take()[0][0]
    'fetch'
    """

    def count(_: Any) -> None:
        with guarded(recorder.totals, "retries"):
            recorder.stage_runs.retried(stage)

    return count


def stamina_hook(recorder: Recorder, stage: str | None = None) -> StaminaHook:
    """Give what `stamina.instrumentation.set_on_retry_hooks` takes in its list.

    Without a *stage* retries belong to the one that is called like the function tried
    again, without its module and class; those of a block without a name to `other`.

    >>> from types import SimpleNamespace
    >>> from servewatch.record.recorder import Recorder
    >>> recorder = Recorder()
    >>> stamina_hook(recorder)(SimpleNamespace(name="shop.prices.fetch"))
    >>> recorder.stage_runs.take()[0][0]
    'fetch'
    """

    def count(details: Any) -> None:
        with guarded(recorder.totals, "retries"):
            recorder.stage_runs.retried(_named(details) if stage is None else stage)

    return count


def _named(details: Any) -> str:
    name = str(details.name).rpartition(".")[2]
    return name if name.isidentifier() else OTHER
