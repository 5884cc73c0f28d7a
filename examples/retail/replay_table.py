"""Replay every served week and show each change of state beside what is known of it.

    python examples/retail/replay_table.py                      prints all
    python examples/retail/replay_table.py docs/tutorial.md     writes it into that

In the document the build report and the two tables go between `<!-- table: report -->`,
`<!-- table: clean -->` or `<!-- table: faulty -->` and `<!-- end -->`.
"""

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from servewatch.baseline import Baseline
from servewatch.demo import retail
from servewatch.demo.known import known
from servewatch.demo.model import fit, package
from servewatch.replay import Changed, Replay

LOUD = {"warning", "drift"}
HEAD = "| week | stream | status | why | known |\n| --- | --- | --- | --- | --- |\n"


def tables() -> dict[str, str]:
    """Give the build report and the tables of both runs as Markdown, by name."""
    rows = retail.read_rows()
    model = fit(rows)
    baseline = package(rows, model)
    served = retail.between(rows, retail.SERVING_FROM, "9999")
    runs = {"clean": served, "faulty": retail.break_source(served)}
    made = {
        name: HEAD
        + "".join(
            line(changed, is_faulty=name == "faulty")
            for changed in changes(part, model, baseline)
        )
        for name, part in runs.items()
    }
    return {"report": f"```text\n{baseline.report()}\n```\n"} | made


def changes(rows: pd.DataFrame, model: Any, baseline: Baseline) -> Iterator[Changed]:
    """Serve *rows*, replay what was served, and yield all but quiet beginnings."""
    predicted = model.predict(rows[list(retail.FEATURES)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "served.csv"
        rows.assign(**{retail.PREDICTION: predicted}).to_csv(path, index=False)
        for changed in Replay(path, baseline, timestamp=retail.TIMESTAMP):
            if {changed.change.status, changed.change.previous} & LOUD:
                yield changed


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
