"""The alerts on the page about labels are those that Prometheus would carry out."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from servewatch.expose.catalogue import CATALOGUE

PAGE = (Path(__file__).parents[2] / "docs/labels.md").read_text("utf-8")
RULES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[0]
METRIC = 'servewatch_performance{metric="accuracy",model="loans",window'
BOUND = 'servewatch_performance_bound{metric="accuracy",model="loans",window'
# From two minutes on the recent bound is below the evaluation's; at four none is left.
CASE = f"""
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: '{BOUND}="recent",bound="high"}}'
        values: '0.76 0.75 0.69 0.69 stale'
      - series: '{BOUND}="baseline",bound="low"}}'
        values: '0.706x6'
      - series: '{METRIC}="since"}}'
        values: '0.708x6'
      - series: '{METRIC}="recent"}}'
        values: '0.73 0.72 0.66 0.66 stale'
      - series: 'servewatch_predictions_evicted_total{{model="loans"}}'
        values: '0 0 0 5 5 5'
    alert_rule_test:
"""


def expected(at: str, alert: str, labels: str | None) -> str:
    lines = f"      - eval_time: {at}\n        alertname: {alert}\n"
    if labels is None:
        return lines
    return f"{lines}        exp_alerts: [{{exp_labels: {{{labels}}}}}]\n"


def checked(promtool: Path, folder: Path, *told: str) -> None:
    (folder / "rules.yml").write_text(RULES, "utf-8")
    (folder / "case.yml").write_text(CASE + "".join(told), "utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", "case.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_in_the_alerts_exists() -> None:
    named = set(re.findall(r"servewatch_\w+", RULES))
    assert named
    assert named <= CATALOGUE.keys()


@pytest.mark.component
def test_the_alerts_tell_of_a_worse_model_and_of_missing_labels(
    require_component: Callable[[str], Path], tmp_path: Path
) -> None:
    own = "metric: accuracy, model: loans"
    checked(
        require_component("promtool"),
        tmp_path,
        expected("1m", "ModelIsWorse", None),
        expected("2m", "ModelIsWorse", own),
        expected("3m", "LabelsStopped", None),
        expected("5m", "LabelsStopped", f"{own}, window: since"),
        expected("2m", "PredictionsEvicted", None),
        expected("4m", "PredictionsEvicted", "model: loans"),
    )
