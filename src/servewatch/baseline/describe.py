"""A baseline for people: as rows of a table, as lines, as a page in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from servewatch.baseline.profile import ColumnProfile, Content
from servewatch.sketch.bins import OTHER, CategoryBins, cell

if TYPE_CHECKING:
    from servewatch.baseline.baseline import Baseline

HEADINGS = {
    "name": "column",
    "role": "role",
    "kind": "kind",
    "missing": "missing",
    "values": "values",
    "design_effect": "deff",
}


def as_dict(baseline: Baseline) -> dict[str, Any]:
    """Give what `servewatch baseline show --json` prints."""
    content, lineage = baseline.content, baseline.lineage
    return {
        "model": lineage.model,
        "version": lineage.version,
        "digest": baseline.digest,
        "created": lineage.created,
        "train_rows": lineage.train_rows,
        "evaluation_rows": lineage.evaluation_rows,
        "data_digest": lineage.data_digest,
        "run_id": lineage.run_id,
        "code_version": lineage.code_version,
        "order": content.order,
        "blocks": content.blocks,
        "first": content.first,
        "last": content.last,
        "in_sample": content.in_sample,
        "duplicates": content.duplicates.repeats,
        "packages": lineage.packages,
        "stages": list(content.stages),
        "taps": {
            tap.name: {"watched": len(tap.places), "columns": tap.width}
            for tap in content.taps
        },
        "columns": [describe_column(column) for column in content.columns],
        "notes": list(baseline.notes),
    }


def describe_column(column: ColumnProfile) -> dict[str, Any]:
    """Give one column's line of the table; shares in [0, 1]."""
    missing = column.counts[cell(column.bins, "missing")]
    return {
        "name": column.name,
        "role": column.role,
        "kind": column.kind,
        "bins": column.bins.ordinary,
        "rows": column.rows,
        "missing": missing / max(column.rows, 1),
        "values": _values(column),
        "design_effect": column.values.design_effect if column.values else None,
    }


def as_cells(column: ColumnProfile) -> list[str]:
    """Give one column's line of the table as texts, in the order of HEADINGS."""
    line = describe_column(column)
    effect = line["design_effect"]
    return [
        column.name,
        column.role,
        column.kind,
        f"{100 * line['missing']:.3g} %",
        line["values"],
        "" if effect is None else f"{effect:.3g}",
    ]


def headline(baseline: Baseline) -> str:
    """Give the baseline in one sentence."""
    content, lineage = baseline.content, baseline.lineage
    name = f"{lineage.model} {lineage.version}".strip()
    rows = f"{lineage.train_rows:,} rows of train"
    if lineage.evaluation_rows:
        rows += f" and {lineage.evaluation_rows:,} of evaluation"
    told = f"Baseline of {name}: {rows}, {_span(content)}"
    known = {
        "digest": baseline.digest[:12],
        "run": lineage.run_id,
        "code": lineage.code_version,
    }
    return "; ".join([told, *(f"{key} {it}" for key, it in known.items() if it)])


def as_lines(baseline: Baseline) -> list[str]:
    """Give the build report, a sentence a line."""
    roles = [column.role for column in baseline.content.columns]
    counted = ", ".join(
        f"{roles.count(role)} {role}{'s' if roles.count(role) > 1 else ''}"
        for role in ("feature", "prediction", "target")
        if role in roles
    )
    notes = baseline.notes or ("Nothing to object to.",)
    lines = [f"{headline(baseline)}.", f"Columns: {counted}."]
    return [*lines, *tap_lines(baseline.content), *notes]


def tap_lines(content: Content) -> list[str]:
    """Give the pipeline's stages and taps in sentences; none where none is known."""
    if not content.stages:
        return []
    told = [f"Stages: {' -> '.join(content.stages)}."]
    if content.taps:
        watched = ", ".join(
            f"{len(tap.places)} of {_columns(tap.width)} after {tap.name}"
            for tap in content.taps
        )
        told.append(f"Taps: {watched}.")
    return told


def _columns(count: int) -> str:
    return f"{count:,} column" + ("" if count == 1 else "s")


def as_html(baseline: Baseline) -> str:
    """Give a static page fragment; every text from the data is escaped."""
    head = "".join(f"<th>{escape(text)}</th>" for text in HEADINGS.values())
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(c)}</td>" for c in as_cells(column)) + "</tr>"
        for column in baseline.content.columns
    )
    told = [*tap_lines(baseline.content), *baseline.notes]
    notes = "".join(f"<li>{escape(note)}</li>" for note in told)
    return (
        f"<p><b>{escape(headline(baseline))}</b></p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<ul>{notes}</ul>"
    )


def _span(content: Content) -> str:
    if content.first is not None:
        return f"{content.first} to {content.last}"
    return "in time order" if content.order == "ordered" else "in no time order"


def _values(column: ColumnProfile) -> str:
    summary = column.summary
    if summary is not None:
        return (
            f"{summary.mean:.4g} ± {summary.sd:.3g}, "
            f"{summary.low:.4g} to {summary.high:.4g}"
        )
    valid = column.counts[: column.bins.ordinary]
    if not sum(valid):
        return "none"
    bins = column.bins
    labels = (
        [*bins.categories, OTHER]
        if isinstance(bins, CategoryBins)
        else [f"{level:g}" for level in getattr(bins, "levels", ())]
    )
    top = int(np.argmax(valid))
    return f"most often {labels[top]} ({100 * valid[top] / sum(valid):.3g} %)"
