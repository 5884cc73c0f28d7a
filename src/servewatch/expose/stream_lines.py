"""What a scrape says of a model's streams: written once a block, as they change then.

A thousand columns are five thousand streams; their lines stay as long as the Report's
streams are the same objects, and their labels as long as the names are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from servewatch.expose.cap import Families
from servewatch.expose.catalogue import PREFIX, STATUS_NUMBERS
from servewatch.expose.formats import number, series
from servewatch.expose.labels import clean, distinct
from servewatch.monitor.report import Status, StreamReport

FEATURES = 512
STREAM_FAMILIES = (
    "stream_status",
    "stream_missing_ratio",
    "stream_evidence_ratio",
    "stream_distance",
)
"""In this order a scrape that is too long loses them from the end."""
_QUALITIES = ("missing", "unseen", "invalid", "range")
_URGENT: frozenset[Status] = frozenset({"warning", "drift"})


@dataclass(slots=True)
class _Starts:
    """One stream's lines up to their numbers, and its status as whole lines."""

    label: str
    role: str
    status: dict[str, str]
    missing: str
    evidence: str
    distances: dict[str, str] = field(default_factory=dict)


class _Names:
    """What only depends on the names of a model's streams: labels and columns."""

    def __init__(self, model: str, names: Sequence[str]) -> None:
        self.model, self.names = model, names
        self._labels = distinct(names)
        self.starts: dict[str, _Starts] = {}
        self.columns = list(map(_column, names))
        self.overflow = max(0, len(set(self.columns)) - FEATURES)

    def start(self, stream: StreamReport) -> _Starts:
        """Make the beginnings of a stream's lines, and keep them in `starts`."""
        label = self._labels[stream.name]
        labels = {"model": self.model, "stream": label}
        status = _series("stream_status", {**labels, "role": clean(stream.role)})
        own = self.starts[stream.name] = _Starts(
            label=label,
            role=stream.role,
            status={
                name: f"{status}{number(float(value))}\n"
                for name, value in STATUS_NUMBERS.items()
            },
            missing=_series("stream_missing_ratio", labels),
            evidence=_series("stream_evidence_ratio", labels),
        )
        return own

    def distance(self, own: _Starts, distance: str) -> str:
        """Make the beginning of a distance's line, and keep it."""
        labels = {"model": self.model, "stream": own.label, "distance": clean(distance)}
        start = own.distances[distance] = _series("stream_distance", labels)
        return start


class StreamLines:
    """One Report's streams as lines, the most urgent first within each family.

    Of more than 512 columns those that drift or warn come first: an alarm must not be
    lost to a cap. Within a family the same holds, as the last lines may be cut.
    """

    def __init__(
        self,
        model: str,
        streams: Sequence[StreamReport],
        previous: StreamLines | None = None,
    ) -> None:
        """Write *streams* of *model* (a label), with the labels of *previous*."""
        self.streams = streams
        names = [stream.name for stream in streams]
        named = previous.named if previous else None
        if named is None or named.model != model or named.names != names:
            named = _Names(model, names)
        self.named: _Names = named
        self.overflow = self.named.overflow
        self.families = Families(*self._write(_exported(streams, self.named)))

    def _write(self, ranked: Sequence[StreamReport]) -> tuple[list[str], ...]:
        known = self.named.starts.get
        status, missing, evidence, distances = [], [], [], []
        for stream in ranked:
            own = known(stream.name)
            if own is None or own.role != stream.role:
                own = self.named.start(stream)
            status.append(own.status[stream.status])
            if stream.missing_share is not None:
                missing.append(f"{own.missing}{number(float(stream.missing_share))}\n")
            if stream.threshold > 0:
                ratio = max(float(stream.evidence), 0.0) / stream.threshold
                evidence.append(f"{own.evidence}{number(ratio)}\n")
            for distance, measured in stream.distances.items():
                start = own.distances.get(distance)
                if start is None:
                    start = self.named.distance(own, distance)
                distances.append(f"{start}{number(float(measured.debiased))}\n")
        return status, missing, evidence, distances


def _series(family: str, labels: dict[str, str]) -> str:
    return series(PREFIX + family, labels)


def _exported(
    all_streams: Sequence[StreamReport], names: _Names
) -> Sequence[StreamReport]:
    """Give the streams of the first 512 columns, urgent ones first."""
    urgent = [place for place, s in enumerate(all_streams) if s.status in _URGENT]
    if not urgent and not names.overflow:
        return all_streams
    calm = [place for place, s in enumerate(all_streams) if s.status not in _URGENT]
    ranked = [*urgent, *calm]
    if names.overflow:
        columns = dict.fromkeys(names.columns[place] for place in ranked)
        kept = set(list(columns)[:FEATURES])
        ranked = [place for place in ranked if names.columns[place] in kept]
    return [all_streams[place] for place in ranked]


def _column(name: str) -> str:
    """Give the column that a stream is about, or its own name where it has none."""
    column, _, quality = name.rpartition("/")
    return column if quality in _QUALITIES else name
