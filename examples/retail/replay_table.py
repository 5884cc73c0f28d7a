"""Replay every served week and show each change of state beside what is known of it.

    python examples/retail/replay_table.py                      prints all
    python examples/retail/replay_table.py docs/tutorial.md     writes it into that

In the document the build report and the tables go between `<!-- table: report -->`,
`clean`, `faulty` or `performance` in its place, and `<!-- end -->`.
"""

import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from servewatch.baseline import Baseline
from servewatch.demo import retail
from servewatch.demo.known import known
from servewatch.demo.model import fit, package
from servewatch.replay import Changed, Replay

LOUD = {"warning", "drift"}
METRICS = {
    "wape": "WAPE: errors over units sold",
    "mae": "mean error, units",
    "bias": "bias, units",
}
HEAD = "| week | stream | status | why | known |\n| --- | --- | --- | --- | --- |\n"


class Replayed(NamedTuple):
    """What was told of a run: all changes but quiet beginnings, and the summary."""

    changes: list[Changed]
    summary: Mapping[str, Any]


def tables() -> dict[str, str]:
    """Give the build report and the tables of both runs as Markdown, by name."""
    rows = retail.read_rows()
    model = fit(rows)
    baseline = package(rows, model)
    served = retail.between(rows, retail.SERVING_FROM, "9999")
    parts = {"clean": served, "faulty": retail.break_source(served)}
    runs = {name: replayed(part, model, baseline) for name, part in parts.items()}
    made = {
        name: HEAD
        + "".join(line(each, is_faulty=name == "faulty") for each in run.changes)
        for name, run in runs.items()
    }
    return {
        "report": f"```text\n{baseline.report()}\n```\n",
        "performance": performance(runs["clean"].summary, runs["faulty"].summary),
    } | made


def replayed(rows: pd.DataFrame, model: Any, baseline: Baseline) -> Replayed:
    """Serve *rows* and replay what was served, with labels a week later."""
    predicted = model.predict(rows[list(retail.FEATURES)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "served.csv"
        rows.assign(**{retail.PREDICTION: predicted}).to_csv(path, index=False)
        running = Replay(
            path,
            baseline,
            timestamp=retail.TIMESTAMP,
            label_delay_seconds=retail.LABEL_DELAY_SECONDS,
        )
        changes = [
            changed
            for changed in running
            if {changed.change.status, changed.change.previous} & LOUD
        ]
        return Replayed(changes, running.summary())


def performance(clean: Mapping[str, Any], faulty: Mapping[str, Any]) -> str:
    """Give how good the model was in both runs and on evaluation, as a table."""
    rows = [
        "| by labels | as they were | with the dead source | on evaluation |",
        "| --- | --- | --- | --- |",
    ]
    for name, words in METRICS.items():
        runs = [summary["performance"][name] for summary in (clean, faulty)]
        cells = [figure(each) for each in (*runs, runs[0]["baseline"])]
        rows.append(f"| {words} | {' | '.join(cells)} |")
    found = [summary["performance"] for summary in (clean, faulty)]
    said = [f"{p['labels']:,} ({100 * p['coverage']:.1f} %)" for p in found]
    rows.append(f"| labels, of rows served | {' | '.join(said)} | |")
    return "\n".join(rows) + "\n"


def figure(metric: Mapping[str, Any]) -> str:
    """Give a metric with its interval."""
    return f"{metric['value']:.3g} [{metric['low']:.3g}, {metric['high']:.3g}]"


def line(changed: Changed, *, is_faulty: bool) -> str:
    """Give a change as a row of the table."""
    told = changed.to_dict()
    week, stream, status = told["time"][:10], told["stream"], told["status"]
    why = told["cause"] if status in LOUD else ""
    fact = known(stream, week, status, is_faulty=is_faulty) or ""
    cells = (week, f"`{stream}`", status, why or "", fact)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def write_into(document: str, texts: dict[str, str]) -> str:
    """Give *document* with its tables replaced."""
    for name, text in texts.items():
        start = f"<!-- table: {name} -->\n"
        pattern = re.compile(re.escape(start) + r".*?(?=<!-- end -->)", re.DOTALL)
        document = pattern.sub(lambda _, new=start + text: new, document)
    return document


if __name__ == "__main__":
    made = tables()
    for target in map(Path, sys.argv[1:]):
        target.write_text(write_into(target.read_text("utf-8"), made), "utf-8")
    if not sys.argv[1:]:
        print("\n".join(f"## {name}\n\n{text}" for name, text in made.items()))
