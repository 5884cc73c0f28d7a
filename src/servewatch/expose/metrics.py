"""`/metrics`: the catalogue's numbers in Prometheus text or OpenMetrics.

A registry of our own, read when scraped: the host's global registry, and its choice of
prometheus_client's multiprocess mode, stay out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from servewatch.expose.catalogue import (
    CATALOGUE,
    FAMILIES,
    PREFIX,
    Family,
)
from servewatch.expose.labels import distinct
from servewatch.expose.samples import Durations, Number, service, streams
from servewatch.expose.source import Source
from servewatch.record.exemplars import DURATION_BOUNDS

SERIES = 5000
TURN = 100
_BOUNDS = (*map(str, DURATION_BOUNDS), "+Inf")

Labelled = tuple[str, Number | Durations]  # with the model's label


class Exposition(Collector):
    """The metrics of all *sources*, of at most 5,000 series.

    >>> exposition = Exposition(list)
    >>> exposition.render("text/plain")[1]
    'text/plain; version=0.0.4; charset=utf-8'
    """

    def __init__(self, sources: Callable[[], Sequence[Source]]) -> None:
        self._sources = sources
        self._process = ProcessCollector(
            namespace=PREFIX.removesuffix("_"), registry=None
        )
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Give the exposition and its content type, as *accept* asks for."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type

    @staticmethod
    def content_type(accept: str) -> str:
        """Give the content type that *accept* asks for: there are but a few."""
        return str(choose_encoder(accept)[1])

    def describe(self) -> Iterable[Metric]:
        """Tell prometheus_client no name beforehand: the registry is ours alone."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the families in the catalogue's order, those without samples too."""
        metrics = {family.name: _metric(family) for family in FAMILIES}
        sources = self._sources()
        models = distinct(source.config.model for source in sources)
        numbers = self._numbers(sources, models)
        left = dict.fromkeys(models.values(), 0)
        room = SERIES - len(left)  # one is kept for each model's own overflow
        for model, number in numbers:
            size = len(_BOUNDS) + 2 if isinstance(number, Durations) else 1
            if room < size:
                left[model] += size
                continue
            room -= size
            _add(metrics[PREFIX + number.family], number, model)
        for model, series in left.items():
            overflow = Number("overflow_series", {}, series)
            _add(metrics[PREFIX + overflow.family], overflow, model)
        yield from metrics.values()

    def _numbers(
        self, sources: Sequence[Source], models: dict[str, str]
    ) -> Iterator[Labelled]:
        """Yield what may not be cut before what may."""
        waiting = []
        for source in sources:
            label, report = models[source.config.model], source.latest
            for number in chain(self._process_numbers(), service(source, report)):
                yield label, number
            waiting.append((label, streams(report)))
        while waiting:  # in turns, so that one wide model leaves room for the others
            for turn in list(waiting):
                label, numbers = turn
                taken = list(islice(numbers, TURN))
                yield from ((label, number) for number in taken)
                if len(taken) < TURN:
                    waiting.remove(turn)

    def _process_numbers(self) -> Iterator[Number]:
        for metric in self._process.collect():
            for sample in metric.samples:
                name = sample.name.removeprefix(PREFIX)
                if PREFIX + name in CATALOGUE:
                    yield Number(name, {}, sample.value)


def _metric(family: Family) -> Metric:
    labels = ("model", *family.labels)
    name = family.name
    match family.type:
        case "counter":
            return CounterMetricFamily(name, family.help, labels=labels)
        case "gauge":
            return GaugeMetricFamily(name, family.help, labels=labels)
        case "histogram":
            return HistogramMetricFamily(name, family.help, labels=labels)
        case "info":
            name = name.removesuffix("_info")
            return InfoMetricFamily(name, family.help, labels=("model",))


def _add(metric: Metric, number: Number | Durations, model: str) -> None:
    if isinstance(number, Durations):
        assert isinstance(metric, HistogramMetricFamily)
        buckets = list(zip(_BOUNDS, number.cumulative, strict=True))
        metric.add_metric([model], buckets, number.seconds)
        return
    suffix = {"counter": "_total", "info": "_info"}.get(metric.type, "")
    labels = {"model": model, **number.labels}
    metric.add_sample(metric.name + suffix, labels, float(number.value))
