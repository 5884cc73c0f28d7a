"""The judge of a baseline: all streams there are, of which some may alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servewatch.baseline.performance_streams import performance_streams
from servewatch.baseline.streams import streams, watched
from servewatch.judge.judge import Judge
from servewatch.judge.slots import Slots
from servewatch.monitor.alerting import heard, heard_columns, may_alarm
from servewatch.monitor.service import service_streams

if TYPE_CHECKING:
    from servewatch.baseline import Baseline
    from servewatch.config import Config
    from servewatch.judge.guards import Watched
    from servewatch.sketch.layout import Layout


def judge_of(baseline: Baseline | None, layout: Layout, config: Config) -> Judge:
    """Give the judge of *baseline*'s streams, and of those that every model has.

    What `alert_on` does not name is judged all the same, and neither gates nor takes a
    part of the budget of false alarms.

    >>> from servewatch.config import Config
    >>> from servewatch.sketch.layout import NO_COLUMNS
    >>> judge = judge_of(None, NO_COLUMNS, Config())
    >>> names = [stream.name for stream in judge.panel.streams if stream.name]
    >>> names[0], names[-1]
    ('errors', 'latency')
    """
    content = None if baseline is None else baseline.content
    found = service_streams(content, layout, config)
    columns: list[Watched] = []
    if content is not None:
        found = (
            *streams(content, layout, config),
            *performance_streams(content, layout, config),
            *found,
        )
        roles = {column.name: column.role for column in content.columns}
        columns = heard_columns(
            watched(content, layout, config), roles, config.alert_on
        )
    return Judge(
        heard(found, config.alert_on),
        layout.size,
        config,
        columns=columns,
        unknown=layout.service("unknown_columns"),
        unknown_gates=may_alarm("feature", config.alert_on),
        slots=Slots(layout.size, config.tolerance_quality, config.informational),
    )
