"""`/watch`: one page for people, made on the server, without a script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from servewatch.expose.incident_part import incident_part
from servewatch.expose.performance_part import performance_part
from servewatch.expose.pipeline_part import SHOWN, lineage_part, stage_part
from servewatch.expose.quantities import moment, took
from servewatch.expose.resource_part import resource_part
from servewatch.expose.rights import Rights
from servewatch.expose.source import Source, badness, worst_status
from servewatch.monitor.report import Report, StreamReport

STREAMS = 100  # shown at first; a thousand columns make five thousand streams
WORDS: Mapping[str, str] = {
    "ok": "ok",
    "warning": "warning",
    "drift": "drift",
    "insufficient_data": "not enough data",
    "pass": "pass",
    "fail": "fail",
    "inconclusive": "inconclusive",
}
SIGNS: Mapping[str, str] = {
    "ok": "●",
    "warning": "▲",
    "drift": "■",
    "insufficient_data": "○",
    "pass": "●",
    "fail": "■",
    "inconclusive": "○",
}
_THRESHOLD_AT = 80.0  # of the bar's 100: beyond the line there is room for more
_STYLE = (files("servewatch.expose") / "templates" / "watch.css").read_text("utf-8")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

SECURITY: Mapping[str, str] = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def watch_page(
    sources: Sequence[Source], *, path: str, refresh: bool, everything: bool
) -> str:
    """Give the page of all *sources*; *path* is its own, as the browser sees it."""
    reports = [source.latest for source in sources]
    names = [source.config.model for source in sources]
    status = worst_status([report.status for report in reports])
    return (
        _environment()
        .get_template("watch.html")
        .render(
            at=moment(max(report.at for report in reports)),
            status=status,
            models=[
                _model(name, report, everything=everything)
                for name, report in zip(names, reports, strict=True)
            ],
            path=path,
            prefix=path.removesuffix("/watch"),
            refresh=refresh,
        )
    )


def login_page(rights: Rights, path: str, *, refused: bool = False) -> str:
    """Give the page of those without rights: a form for the token, or why none."""
    template = _environment().get_template("login.html")
    return template.render(
        has_token=rights.token is not None, path=path, refused=refused
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("servewatch.expose", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Our own file; marked safe because escaping would break its hash.
    environment.globals["style"] = Markup(_STYLE)  # noqa: S704
    environment.globals["signs"] = dict(SIGNS)
    environment.globals["words"] = dict(WORDS)
    return environment


def _model(name: str, report: Report, *, everything: bool) -> dict[str, Any]:
    """Give what the template shows of one model, in words."""
    ranked = sorted(
        report.streams, key=lambda each: (-badness(each.status), -_ratio(each))
    )
    shown = ranked if everything else ranked[:STREAMS]
    gate = report.gate
    if gate.verdict == "inconclusive" and gate.rows_needed:
        gate_words = f"{gate.rows:,} rows so far, about {gate.rows_needed:,} to go"
    else:
        since = "" if gate.since is None else f" since {moment(gate.since)}"
        gate_words = f"{gate.rows:,} rows{since}"
    spans = {
        each: span for each, span in report.latency.items() if isinstance(span, Mapping)
    }
    quantiles = list(dict.fromkeys(each for span in spans.values() for each in span))
    return {
        "name": name,
        "version": report.model.get("version") or "",
        "baseline": str(report.model.get("baseline") or "")[:12],
        "status": report.status,
        "reason": report.reason or _story(report, ranked),
        "gate": gate.verdict,
        "gate_words": gate_words,
        "rows": f"{report.rows:,}",
        "blocks": f"{report.blocks:,}",
        "stale": report.stale,
        "notes": report.notes,
        "incidents": incident_part(report.incidents, everything=everything),
        "streams": [_stream(each) for each in shown],
        "hidden": len(ranked) - len(shown),
        "counts": _counts(report.streams),
        "performance": performance_part(report.performance, everything=everything),
        "rightness": _rightness(report.streams),
        "quantiles": quantiles,
        "latency": [
            {
                "name": each.replace("_", " "),
                "cells": [
                    _measured(quantile, span.get(quantile)) for quantile in quantiles
                ],
            }
            for each, span in spans.items()
        ],
        "accounting": _accounting(report.accounting),
        "stages": stage_part(report.stages, report.streams),
        "stage_quantiles": SHOWN,
        "resources": resource_part(report.resources),
        "lineage": lineage_part(report.lineage, everything=everything),
    }


def _stream(stream: StreamReport) -> dict[str, Any]:
    width = min(100.0, _THRESHOLD_AT * _ratio(stream))
    return {
        "name": stream.name,
        "role": stream.role,
        "status": stream.status,
        "evidence": f"{max(stream.evidence, 0.0):.1f}",
        "threshold": f"{stream.threshold:.1f}",
        "width": f"{width:.1f}",
        "established": ""
        if stream.established is None
        else f"{stream.established:.2f}",
        "since": moment(stream.since),
        "rows": f"{stream.rows:,}",
        "cause": stream.cause or (stream.reason or "").replace("_", " "),
    }


def _ratio(stream: StreamReport) -> float:
    return max(stream.evidence, 0.0) / stream.threshold if stream.threshold > 0 else 0.0


def _counts(streams: Sequence[StreamReport]) -> str:
    by_status = {
        status: sum(each.status == status for each in streams)
        for status in ("drift", "warning", "insufficient_data", "ok")
    }
    return ", ".join(f"{n:,} {WORDS[name]}" for name, n in by_status.items() if n)


def _rightness(streams: Sequence[StreamReport]) -> dict[str, str]:
    """Give what the streams that labels feed say together.

    `ok` where any is and none is worse: a small group may never have the labels for a
    verdict, and would hide what all of them say.
    """
    judged = [each for each in streams if each.role == "performance"]
    worst = max(
        judged, key=lambda each: (badness(each.status), _ratio(each)), default=None
    )
    if worst is None:
        return {"status": "insufficient_data", "words": "nothing is judged by labels"}
    if badness(worst.status) > 1:
        words = f"{worst.name} since {moment(worst.since)}"
        return {"status": worst.status, "words": words}
    is_ok = any(each.status == "ok" for each in judged)
    status = "ok" if is_ok else "insufficient_data"
    return {"status": status, "words": _counts(judged)}


def _story(report: Report, ranked: Sequence[StreamReport]) -> str:
    """Give the likeliest cause, the worst stream, or how long nothing was wrong."""
    causes = [each for each in report.incidents if each.status == report.status]
    if causes:
        return causes[0].card.headline.detail
    if ranked and badness(report.status) > 1:
        return f"{ranked[0].name} since {moment(ranked[0].since)}"
    return f"watched since {moment(report.since)}" if report.since is not None else ""


def _measured(name: str, value: object) -> str:
    if not isinstance(value, int | float):
        return "" if value is None else str(value)
    if not name.startswith("p"):
        return f"{value:,}"
    return took(value)


def _accounting(accounting: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Give received = recorded + sampled out + dropped + pending, line by line."""
    lines = []
    for name, count in accounting.items():
        if isinstance(count, Mapping):
            lines += [(f"{name}: {key}", f"{each:,}") for key, each in count.items()]
        else:
            lines.append((name.replace("_", " "), f"{count:,}"))
    return lines
