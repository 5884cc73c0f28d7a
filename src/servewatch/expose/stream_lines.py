"""What a scrape says of a model's streams: written once a block, as they change then.

A thousand columns are five thousand streams; their lines stay as long as the Report's
streams are the same objects, and their labels as long as the names are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from servewatch.expose.catalogue import PREFIX, STATUS_NUMBERS
from servewatch.expose.formats import number, series
from servewatch.expose.labels import clean, distinct
from servewatch.expose.source import badness
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
_STATUS_ENDS: dict[Status, str] = {
    "insufficient_data": f"{float(STATUS_NUMBERS['insufficient_data'])}\n",
    "ok": f"{float(STATUS_NUMBERS['ok'])}\n",
    "warning": f"{float(STATUS_NUMBERS['warning'])}\n",
    "drift": f"{float(STATUS_NUMBERS['drift'])}\n",
}


@dataclass(slots=True)
class Starts:
    """One stream's lines up to their numbers."""

    label: str
    role: str
    status: str
    missing: str
    evidence: str
    distances: dict[str, str] = field(default_factory=dict)


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
        self.model, self.streams = model, streams
        self.names = [stream.name for stream in streams]
        self.starts: dict[str, Starts] = {}
        if previous and previous.model == model and previous.names == self.names:
            self.starts = previous.starts
        ranked, columns = _exported(streams)
        self.overflow = max(0, columns - FEATURES)
        self._lines = self._write(ranked)
        self._texts = tuple(map("".join, self._lines))
        self.size = sum(map(len, self._lines))

    def texts(self, size: int) -> tuple[str, ...]:
        """Give each family's lines, of the first *size* lines in all."""
        if size >= self.size:
            return self._texts
        found = []
        for lines in self._lines:
            found.append("".join(lines[:size]))
            size = max(0, size - len(lines))
        return tuple(found)

    def _write(self, ranked: Sequence[StreamReport]) -> tuple[list[str], ...]:
        starts = self._started(ranked)
        status, missing, evidence, distances = [], [], [], []
        for stream in ranked:
            own = starts[stream.name]
            status.append(own.status + _STATUS_ENDS[stream.status])
            if stream.missing_share is not None:
                missing.append(f"{own.missing}{number(float(stream.missing_share))}\n")
            if stream.threshold > 0:
                ratio = max(float(stream.evidence), 0.0) / stream.threshold
                evidence.append(f"{own.evidence}{number(ratio)}\n")
            for distance, measured in stream.distances.items():
                start = own.distances.get(distance)
                if start is None:
                    start = self._distance_start(own, distance)
                distances.append(f"{start}{number(float(measured.debiased))}\n")
        return status, missing, evidence, distances

    def _started(self, ranked: Sequence[StreamReport]) -> dict[str, Starts]:
        """Give each stream's beginnings, kept from before where the names are."""
        starts = self.starts
        if all(
            stream.name in starts and starts[stream.name].role == stream.role
            for stream in ranked
        ):
            return starts
        labels = distinct(self.names)
        # A new mapping: another thread may be reading the previous one.
        self.starts = {
            stream.name: self._start(labels[stream.name], stream.role)
            for stream in ranked
        }
        return self.starts

    def _start(self, label: str, role: str) -> Starts:
        labels = {"model": self.model, "stream": label}
        return Starts(
            label=label,
            role=role,
            status=_series("stream_status", {**labels, "role": clean(role)}),
            missing=_series("stream_missing_ratio", labels),
            evidence=_series("stream_evidence_ratio", labels),
        )

    def _distance_start(self, own: Starts, distance: str) -> str:
        labels = {"model": self.model, "stream": own.label, "distance": clean(distance)}
        start = own.distances[distance] = _series("stream_distance", labels)
        return start


def _series(family: str, labels: dict[str, str]) -> str:
    return series(PREFIX + family, labels)


def _exported(
    all_streams: Sequence[StreamReport],
) -> tuple[Sequence[StreamReport], int]:
    """Give the streams of the first 512 columns, urgent ones first; count columns."""
    ranked = sorted(all_streams, key=lambda each: badness(each.status) < 2)
    columns = dict.fromkeys(map(_column, ranked))
    if len(columns) <= FEATURES:
        return ranked, len(columns)
    kept = set(list(columns)[:FEATURES])
    return [stream for stream in ranked if _column(stream) in kept], len(columns)


def _column(stream: StreamReport) -> str:
    """Give the column that a stream is about, or its own name where it has none."""
    name, _, quality = stream.name.rpartition("/")
    return name if quality in _QUALITIES else stream.name
