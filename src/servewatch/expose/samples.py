"""One watched model's own numbers, with or without a baseline, and their lines.

What is read at a scrape is parted from what it is called: as long as no new route,
reason or fault turns up, the lines stay and only the numbers are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import NamedTuple

import servewatch
from servewatch.errors import StoreError
from servewatch.expose.catalogue import GATE_NUMBERS, PREFIX, STATUS_NUMBERS
from servewatch.expose.formats import series
from servewatch.expose.histograms import histogram_starts, upto_bounds
from servewatch.expose.labels import clean, distinct
from servewatch.expose.source import Source
from servewatch.expose.stage_lines import StageReading, read_stages, stage_starts
from servewatch.labels.inbox import COUNTED, Inbox
from servewatch.monitor.kpis import Kpi
from servewatch.monitor.report import Report
from servewatch.record.totals import FAILURES, Totals

REQUEST_SERIES = 1000
INFERENCE = "inference"  # the stage that the model's own errors belong to
DURATIONS = {
    "request_duration_seconds": "request_seconds",
    "first_byte_seconds": "first_byte_seconds",
    "inference_duration_seconds": "inference_seconds",
}
_SINGLE = (
    "drift_status",
    "gate_status",
    "rows_total",
    "recorded_rows_total",
    "sampled_out_total",
    "pending_rows",
    "taps_dropped_total",
    "odd_latencies_total",
    "overhead_seconds_total",
    "path_seconds_total",
    "armed",
    "unwatched_calls_total",
    "sampling_ratio",
    "overflow_features_total",
    "kpi_refused_total",
    "timeouts_total",
    "client_disconnects_total",
    "rejected_total",
    "request_retries_total",
    "stages_dropped_total",
)
_KEYED = {
    "dropped_total": "reason",
    "internal_errors_total": "site",
    "predictions_dropped_total": "reason",
    "taps_refused_total": "reason",
    "unknown_taps_total": "tap",
    "labels_total": "outcome",
    "fallbacks_total": "reason",
}


class Line(NamedTuple):
    """A line up to its number: under the family of that name, without prefix."""

    family: str
    start: str
    end: str = "\n"


class Reading(NamedTuple):
    """The numbers of one moment; `build` and the keys of mappings become labels.

    `process` and `waiting` are by family: what is not known of these has no line.
    """

    build: tuple[str, str, str]
    process: Mapping[str, float]
    single: Sequence[float]
    waiting: Mapping[str, float]
    durations: Sequence[float]
    keyed: tuple[Mapping[str, int], ...]
    errors: Mapping[tuple[str, str], int]
    requests: Mapping[tuple[str, str, int], int]
    kpis: Mapping[str, Kpi]
    stages: StageReading

    def names(self) -> Hashable:
        """Give all that the lines depend on."""
        keyed = tuple(map(tuple, self.keyed))
        by_family = tuple(self.process), tuple(self.waiting)
        named = tuple(self.errors), tuple(self.requests), tuple(self.kpis)
        return self.build, by_family, keyed, named, self.stages.names


def read(
    source: Source, report: Report, process: Mapping[str, float], overflow: int
) -> Reading:
    """Read *source* as of now; *overflow* columns of *report* are left out."""
    totals, model = source.totals, report.model
    accounting = totals.accounting()
    inbox, labels = source.inbox, source.label_outcomes
    return Reading(
        build=(
            str(model.get("version") or ""),
            source.config.code_version,
            str(model.get("baseline") or ""),
        ),
        process=process,
        single=(
            STATUS_NUMBERS[report.status],
            GATE_NUMBERS[report.gate.verdict],
            accounting["received"],
            accounting["recorded"],
            accounting["sampled_out"],
            accounting["pending"],
            totals.taps_dropped,
            totals.odd_latencies,
            totals.overhead_seconds,
            totals.path_seconds,
            totals.armed,
            totals.unwatched,
            totals.keep_share,
            overflow,
            report.kpis_refused,
            *(totals.failures[kind] for kind in FAILURES),
            totals.stages_dropped,
        ),
        waiting=_waiting(inbox),
        durations=_durations(source),
        # Copies: requests are counted on while we read.
        keyed=(
            dict(accounting["dropped"]),
            dict(totals.internal_errors),
            dict(totals.predictions_dropped),
            dict(totals.taps_refused),
            dict(totals.unknown_taps),
            {} if inbox is None else {each: labels.get(each, 0) for each in COUNTED},
            dict(totals.fallbacks),
        ),
        errors=_errors(totals),
        requests=dict(totals.requests),
        kpis=report.kpis,
        stages=read_stages(totals),
    )


def _waiting(inbox: Inbox | None) -> dict[str, float]:
    """Give how many predictions wait for labels, by family; none where nobody knows."""
    if inbox is None:
        return {}
    try:
        size = inbox.store.size()
    except StoreError:  # the disk's fault, which is told to whoever brings labels
        return {}
    return {
        "waiting_predictions": size.waiting,
        "predictions_evicted_total": size.evicted
        + inbox.outcomes["not_kept"]
        + inbox.outcomes["id_taken"],
    }


def _errors(totals: Totals) -> Mapping[tuple[str, str], int]:
    """Give exceptions by stage and type; the model's own are those of inference."""
    errors = Counter(dict(totals.stage_errors))  # a copy: counted on while we read
    own = {(INFERENCE, kind): count for kind, count in dict(totals.errors).items()}
    return Counter(own) + errors


def _durations(source: Source) -> list[float]:
    """Give each histogram's counts up to each bound, their count and their sum."""
    lifetime, seconds = source.totals.lifetime, source.totals.seconds
    found: list[float] = []
    for name in DURATIONS.values():
        counts = upto_bounds(lifetime.counts[source.layout.service(name)])
        found += counts
        found += (counts[-1], seconds.get(name, 0.0))
    return found


class ServiceLines:
    """The lines of one model's readings, as long as `names` are the same.

    `lines` begin with those of the process, whose numbers all models share; the others
    are in the order of `values`. `sizes` says how many of them belong together: a
    histogram or summary is shown whole or not at all. `histograms` says where each
    begins.
    """

    def __init__(self, model: str, reading: Reading) -> None:
        """Lay out the lines that *reading* of *model* (a label) has."""
        self.model, self.names = model, reading.names()
        self.lines: list[Line] = []
        self.sizes: list[int] = []
        self.histograms: dict[str, int] = {}
        self._folds: list[_Fold] = []
        for name in reading.process:
            self._add(name)
        version, code_version, baseline = map(clean, reading.build)
        self._add(
            "build_info",
            version=servewatch.__version__,
            model_version=version,
            code_version=code_version,
            baseline=baseline,
        )
        for name in (*_SINGLE, *reading.waiting):
            self._add(name)
        for family, name in DURATIONS.items():
            self.histograms[name] = len(self.lines)
            self._add_group(family, histogram_starts(family, {"model": model}))
        for (family, label), counts in zip(_KEYED.items(), reading.keyed, strict=True):
            self._add_keyed(family, (label,), [(clean(key),) for key in counts])
        kinds = [(clean(stage), clean(kind)) for stage, kind in reading.errors]
        self._add_keyed("errors_total", ("stage", "type"), kinds)
        rows = [(clean(r), clean(m), str(code)) for r, m, code in reading.requests]
        self._add_keyed("requests_total", ("route", "method", "status"), rows)
        for label in distinct(reading.kpis).values():
            own = {"model": model, "name": label}
            starts = [series(f"{PREFIX}kpi_{end}", own) for end in ("count", "sum")]
            self._add_group("kpi", starts)
        for family, starts in stage_starts(model, reading.stages.names):
            self._add_group(family, starts)

    def values(self, reading: Reading) -> list[float]:
        """Give the numbers of *reading* but those of the process."""
        found: list[float] = [1.0, *reading.single, *reading.waiting.values()]
        found += reading.durations
        counted = [counts.values() for counts in reading.keyed]
        counted += [reading.errors.values(), reading.requests.values()]
        for fold, counts in zip(self._folds, counted, strict=True):
            found += fold.sums(counts)
        for kpi in reading.kpis.values():
            found += (kpi.count, kpi.sum)
        found += reading.stages.values
        return found

    def _add(self, family: str, **labels: str) -> None:
        labels["model"] = self.model
        self.lines.append(Line(family, series(PREFIX + family, labels)))
        self.sizes.append(1)

    def _add_keyed(
        self, family: str, names: Sequence[str], keys: Sequence[tuple[str, ...]]
    ) -> None:
        fold = _Fold(keys)
        self._folds.append(fold)
        for row in fold.rows:
            labels = dict(zip(names, row, strict=True))
            self._add(family, **labels)

    def _add_group(self, family: str, starts: Sequence[str]) -> None:
        """Add lines that are shown together or not at all."""
        self.lines += [Line(family, start) for start in starts]
        self.sizes.append(len(starts))


class _Fold:
    """Adds up what bears the same labels; what comes after the thousandth is `other`.

    The order of a dict is that of first sight, so a series never leaves its place and
    every one of them only grows.
    """

    def __init__(self, keys: Sequence[tuple[str, ...]]) -> None:
        self.rows: dict[tuple[str, ...], int] = {}
        self._places = []
        for key in keys:
            row = key
            if key not in self.rows and len(self.rows) >= REQUEST_SERIES:
                row = ("other",) * len(key)
            self._places.append(self.rows.setdefault(row, len(self.rows)))

    def sums(self, counts: Collection[int]) -> Collection[int]:
        """Give each row's sum of *counts*, which are in the order of the keys."""
        if len(self.rows) == len(self._places):
            return counts
        found = [0] * len(self.rows)
        for place, count in zip(self._places, counts, strict=True):
            found[place] += count
        return found
