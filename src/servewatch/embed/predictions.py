"""The part of a watch's face that is about predictions and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from servewatch.capture.by_hand import record_by_hand
from servewatch.capture.request import RequestScope
from servewatch.capture.streams import NOTHING
from servewatch.errors import ConfigError
from servewatch.labels.inbox import Answer, Feedback

if TYPE_CHECKING:
    from servewatch.labels.inbox import Inbox
    from servewatch.monitor.monitor import Monitor
    from servewatch.record.recorder import Recorder


class PredictionsFace:
    """Rows recorded by hand, ids, labels and the user's own numbers of a watch."""

    recorder: Recorder
    monitor: Monitor
    _inbox: Inbox | None

    def record(
        self,
        features: Any,
        prediction: Any = NOTHING,
        *,
        latency_seconds: float | None = None,
        at: float | None = None,
    ) -> None:
        """Record rows by hand; blocks go by arrival, whatever event time *at* says."""
        record_by_hand(
            self.recorder,
            features,
            prediction,
            latency_seconds=latency_seconds,
            at=at,
        )

    def request(self, *, id: str) -> RequestScope:  # noqa: A002 - the public name
        """Give the predictions made inside `with` the caller's own *id*."""
        return RequestScope(self.recorder, id)

    def feedback(self, id: str, label: Any) -> Answer:  # noqa: A002 - the public name
        """Take the *label* of a prediction: the truth, whenever it arrives.

        *id* is the answer's `x-prediction-id`, `<id>:<row>` for one row of several, or
        the caller's own of `request`; a list of labels is those of its rows in order,
        and the answer is then the first that is no `accepted` or `duplicate`. Each
        label counts once. With `state_dir` an accepted label is on disk when this
        returns. Raises `ConfigError` where the baseline has no labels to compare with,
        and `StoreError` where the disk fails.

        >>> from servewatch import Baseline, ServeWatch
        >>> rows = {"x": [1, 2] * 200, "y": [0, 1] * 200, "said": [0, 1] * 200}
        >>> baseline = Baseline.build(
        ...     rows, evaluation=rows, target="y", prediction="said"
        ... )
        >>> watch = ServeWatch(lambda x: [0], baseline=baseline)
        >>> with watch.request(id="order-7"):
        ...     answer = watch([[1]])
        >>> watch.feedback("order-7", 0).outcome
        'accepted'
        >>> watch.feedback("order-7", 1).outcome
        'conflict'
        >>> watch.close()
        """
        if self._inbox is None:
            raise ConfigError(
                "labels cannot be compared with predictions",
                found="a baseline without labels in its evaluation rows",
                expected="a baseline built with target=, prediction= and evaluation=",
                remedy="build it again with the column of labels named as target",
            )
        answers = self._inbox.submit([Feedback(id, label)])
        refused = (a for a in answers if a.outcome not in {"accepted", "duplicate"})
        return next(refused, answers[0])

    def kpi(self, name: str, value: float, id: str | None = None) -> None:  # noqa: A002 - the public name
        """Add *value* to the number of your own called *name*, such as "revenue".

        At most 64 names of 1 to 64 characters; nothing is raised, and what is no finite
        number is counted as refused. *id* says that it belongs to a prediction; that is
        counted and the id neither looked up nor kept. Takes less than a microsecond.

        >>> from servewatch import ServeWatch
        >>> watch = ServeWatch()
        >>> watch.kpi("revenue", 12.5)
        >>> watch.report().kpis["revenue"].sum
        12.5
        >>> watch.close()
        """
        self.monitor.kpis.note(name, value, id)
