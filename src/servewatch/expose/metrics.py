"""`/metrics`: the catalogue's numbers in Prometheus text or OpenMetrics.

Read when scraped, from numbers of our own: the host's registry, and its choice of
prometheus_client's multiprocess mode, stay out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from servewatch.expose.cap import Families, shown_in_turns, shown_whole
from servewatch.expose.catalogue import PREFIX
from servewatch.expose.formats import (
    PLAIN_BELOW,
    Format,
    exemplar,
    negotiate,
    number,
    series,
)
from servewatch.expose.labels import distinct
from servewatch.expose.performance_lines import PERFORMANCE_FAMILIES, PerformanceLines
from servewatch.expose.resource_lines import RESOURCE_NAMES, ResourceLines
from servewatch.expose.samples import Line, Reading, ServiceLines, read
from servewatch.expose.source import Source
from servewatch.expose.stream_lines import STREAM_FAMILIES, StreamLines
from servewatch.expose.template import Template
from servewatch.monitor.report import Report
from servewatch.pipeline.process import Process
from servewatch.record.exemplars import Exemplars

SERIES = 5000
_BLOCKS = tuple(
    Line(family, "", "")
    for family in (*RESOURCE_NAMES, *PERFORMANCE_FAMILIES, *STREAM_FAMILIES)
)


class _Model(NamedTuple):
    """What is kept of a model from one scrape to the next."""

    service: ServiceLines
    resources: ResourceLines
    performance: PerformanceLines
    streams: StreamLines

    @property
    def size(self) -> int:
        """How many lines are written ahead: once a look, or once a block."""
        return sum(each.size for each in self.families)

    @property
    def families(self) -> tuple[Families, ...]:
        """These lines, in the order in which they are given room."""
        return (
            self.resources.families,
            self.performance.families,
            self.streams.families,
        )


class _Laid(NamedTuple):
    """A template, and what it holds for."""

    services: tuple[ServiceLines, ...]
    shown: list[list[bool]] | None
    template: Template


class Exposition:
    """The metrics of all *sources*, of at most 5,000 series.

    >>> exposition = Exposition(list)
    >>> exposition.render("text/plain")[1]
    'text/plain; version=0.0.4; charset=utf-8'
    """

    def __init__(
        self,
        sources: Callable[[], Sequence[Source]],
        process: Callable[[], Mapping[str, float]] | None = None,
    ) -> None:
        """Show *sources*; *process* gives the numbers of `Process`."""
        self._sources = sources
        self._process = Process().numbers if process is None else process
        # What is kept is replaced, never changed: several loops may scrape at once.
        self._models: dict[str, _Model] = {}
        self._laid: dict[Format, _Laid] = {}

    def render(self, accept: str) -> tuple[bytes, str]:
        """Give the exposition and its content type, as *accept* asks for."""
        form, content_type = negotiate(accept)
        sources, process = self._sources(), self._process()
        labels = distinct(source.config.model for source in sources)
        models: dict[str, _Model] = {}
        readings: list[Reading] = []
        for source in sources:
            name = source.config.model
            models[name], reading = self._read(source, labels[name], process)
            readings.append(reading)
        self._models = models
        text = self._written(form, list(models.values()), readings, sources)
        return text, content_type

    @staticmethod
    def content_type(accept: str) -> str:
        """Give the content type that *accept* asks for: there are but a few."""
        return negotiate(accept)[1]

    def renew(self) -> None:
        """Write a judged block anew where a scrape will show it."""
        for source in self._sources():
            kept = self._models.get(source.config.model)
            if kept is not None:
                label, report = kept.service.model, source.latest
                self._models[source.config.model] = kept._replace(
                    resources=_resource_lines(label, source, kept.resources),
                    performance=_performance_lines(label, report, kept.performance),
                    streams=_stream_lines(label, report, kept.streams),
                )

    def _read(
        self, source: Source, label: str, process: Mapping[str, float]
    ) -> tuple[_Model, Reading]:
        """Read *source*, and write only those lines whose labels have changed."""
        kept = self._models.get(source.config.model)
        if kept and kept.service.model != label:
            kept = None
        report = source.latest
        streams = _stream_lines(label, report, kept.streams if kept else None)
        reading = read(source, report, process, streams.overflow)
        service = kept.service if kept else None
        if not service or service.names != reading.names():
            service = ServiceLines(label, reading)
        performance = _performance_lines(
            label, report, kept.performance if kept else None
        )
        resources = _resource_lines(label, source, kept.resources if kept else None)
        return _Model(service, resources, performance, streams), reading

    def _written(
        self,
        form: Format,
        models: Sequence[_Model],
        readings: Sequence[Reading],
        sources: Sequence[Source],
    ) -> bytes:
        room = SERIES - len(models)  # one is kept for each model's own overflow
        shown = None
        if sum(len(model.service.lines) for model in models) > room:
            shown = shown_whole([model.service.sizes for model in models], room)
        cut = [_hidden(model, shown, place) for place, model in enumerate(models)]
        room -= sum(len(m.service.lines) for m in models) - sum(cut)
        ahead: list[list[int]] = []
        for kind in zip(*(model.families for model in models), strict=True):
            ahead.append(shown_in_turns([each.size for each in kind], room))
            room -= sum(ahead[-1])
        texts: list[str] = []
        process = _numbers(list(readings[0].process.values())) if readings else []
        for place, (model, reading, source) in enumerate(
            zip(models, readings, sources, strict=True)
        ):
            own = process + _numbers(model.service.values(reading))
            if form == "openmetrics":
                _add_exemplars(own, model.service, source.totals.exemplars)
            texts += own
            lengths = [shown_ahead[place] for shown_ahead in ahead]
            texts.append(number(float(cut[place] + model.size - sum(lengths))))
            for families, length in zip(model.families, lengths, strict=True):
                texts += families.texts(length)
        services = tuple(model.service for model in models)
        return self._template(form, services, shown).fill(texts)

    def _template(
        self,
        form: Format,
        services: tuple[ServiceLines, ...],
        shown: list[list[bool]] | None,
    ) -> Template:
        laid = self._laid.get(form)
        if laid is None or laid.services != services or laid.shown != shown:
            lines: list[Line] = []
            visible: list[bool] = []
            for place, service in enumerate(services):
                overflow = series(f"{PREFIX}overflow_series", {"model": service.model})
                lines += (*service.lines, Line("overflow_series", overflow), *_BLOCKS)
                groups = [True] * len(service.sizes) if shown is None else shown[place]
                for size, is_shown in zip(service.sizes, groups, strict=True):
                    visible += [is_shown] * size
                visible += [True] * (1 + len(_BLOCKS))
            laid = _Laid(services, shown, Template(form, lines, visible))
            self._laid[form] = laid
        return laid.template


def _stream_lines(model: str, report: Report, kept: StreamLines | None) -> StreamLines:
    if kept is not None and kept.streams is report.streams:
        return kept
    return StreamLines(model, report.streams, kept)


def _resource_lines(
    model: str, source: Source, kept: ResourceLines | None
) -> ResourceLines:
    readings = source.readings
    if kept is not None and kept.model == model and kept.readings is readings:
        return kept
    return ResourceLines(model, readings)


def _performance_lines(
    model: str, report: Report, kept: PerformanceLines | None
) -> PerformanceLines:
    if kept is not None and kept.performance is report.performance:
        return kept
    return PerformanceLines(model, report.performance)


def _hidden(model: _Model, shown: list[list[bool]] | None, place: int) -> int:
    """Give how many of the model's own lines are not shown."""
    if shown is None:
        return 0
    groups = zip(model.service.sizes, shown[place], strict=True)
    return sum(size for size, is_shown in groups if not is_shown)


def _numbers(values: Sequence[float]) -> list[str]:
    return [
        repr(value) if -inf < value < PLAIN_BELOW else number(value)
        for value in map(float, values)
    ]


def _add_exemplars(
    numbers: list[str], service: ServiceLines, exemplars: Exemplars
) -> None:
    for name, start in service.histograms.items():
        for place, kept in enumerate(exemplars.latest(name), start):
            if kept is not None:
                numbers[place] += exemplar(kept)
