"""The alerts on the page about runs are those that Prometheus would carry out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from servewatch.runs.catalogue import CATALOGUE

PAGE = (Path(__file__).parents[2] / "docs/runs.md").read_text("utf-8")
RULES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0]
# A run that started at 0 and never ended, and one that failed after an hour.
CASE = """
rule_files: [rules.yml]
evaluation_interval: 1h
tests:
  - interval: 1h
    input_series:
      - {series: 'servewatch_run_status{job="lost"}', values: '0x30'}
      - {series: 'servewatch_run_start_time_seconds{job="lost"}', values: '0x30'}
      - {series: 'servewatch_run_status{job="bad"}', values: '0 2x30'}
      - {series: 'servewatch_run_start_time_seconds{job="bad"}', values: '0x30'}
      - {series: 'servewatch_run_end_time_seconds{job="bad"}', values: '_ 3600x30'}
    alert_rule_test:
"""


def expected(at: str, alert: str, job: str | None) -> str:
    alerts = "" if job is None else f"{{exp_labels: {{job: {job}}}}}"
    return f"      - {{eval_time: {at}, alertname: {alert}, exp_alerts: [{alerts}]}}\n"


def test_every_metric_in_the_alerts_exists() -> None:
    named = set(re.findall(r"servewatch_\w+", RULES))
    assert named
    assert named <= CATALOGUE.keys()


@pytest.mark.component
def test_the_alerts_tell_of_runs_that_fail_never_end_or_do_not_come(
    require_component: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "rules.yml").write_text(RULES, "utf-8")
    told = (
        expected("1h", "RunFailed", "bad"),
        expected("6h", "RunNeverEnded", None),
        expected("7h", "RunNeverEnded", "lost"),
        expected("27h", "RunIsMissing", None),
        expected("28h", "RunIsMissing", "bad"),
    )
    (tmp_path / "case.yml").write_text(CASE + "".join(told), "utf-8")
    done = subprocess.run(
        [require_component("promtool"), "test", "rules", "case.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
