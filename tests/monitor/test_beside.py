"""Warnings of what no distribution tells: leaks, labels, another model."""

from typing import Any

import pytest

from servewatch.baseline import Baseline
from servewatch.config import Config
from servewatch.judge.judge import Judge
from servewatch.judge.verdict import Verdict
from servewatch.monitor.beside import (
    Leak,
    leak_verdicts,
    lineage_verdicts,
    stopped_verdicts,
)
from servewatch.monitor.judging import judge_of
from servewatch.sketch.layout import NO_COLUMNS


def a_judge(blocks: int = 0) -> Judge:
    judge = judge_of(None, NO_COLUMNS, Config(block_seconds=10.0))
    judge.blocks = blocks
    return judge


def of_lineage(mine: str, known: str, *, other_model: bool = False) -> list[Verdict]:
    return lineage_verdicts(
        Config(model_version=mine),
        Baseline.build({"x": [1.0, 2.0]}, version=known),
        a_judge(),
        other_model=other_model,
        since=60.0,
        at=100.0,
    )


@pytest.mark.parametrize(
    ("mine", "known"), [("4", ""), ("", "3"), ("", ""), ("3",) * 2]
)
def test_no_other_version_is_known_where_one_is_empty(mine: str, known: str) -> None:
    assert of_lineage(mine, known) == []


def test_another_version_is_told() -> None:
    (found,) = of_lineage("4", "3")
    assert found.cause == (
        "the model that serves is version 4, the baseline's is 3, "
        "since 1970-01-01 00:01:00 UTC"
    )
    assert (found.name, found.status, found.gates) == ("lineage", "warning", False)


def test_another_digest_is_told_where_versions_are_not_known() -> None:
    (found,) = of_lineage("", "", other_model=True)
    assert found.cause == (
        "the model that serves is not the one that the baseline is of, "
        "since 1970-01-01 00:01:00 UTC"
    )


def test_without_a_baseline_no_model_is_another() -> None:
    facts: dict[str, Any] = {"other_model": True, "since": 0.0, "at": 1.0}
    assert lineage_verdicts(Config(), None, a_judge(), **facts) == []


def test_a_leak_warns_since_it_began_and_gates_nothing() -> None:
    leak = Leak("memory", 60.0, "memory grows by 10 MB/min")
    (found,) = leak_verdicts([leak], a_judge(blocks=50), 160.0)
    assert (found.since, found.cause, found.cause_public) == (
        60.0,
        leak.words,
        leak.words,
    )
    assert (found.status, found.gates, found.family) == ("warning", False, "resource")
    assert found.onset_block == 40


def test_a_leak_older_than_the_judge_began_in_its_first_block() -> None:
    (found,) = leak_verdicts([Leak("memory", 0.0, "")], a_judge(blocks=3), 900.0)
    assert found.onset_block == 0


def test_labels_have_stopped_only_while_they_are_silent() -> None:
    judge = a_judge()
    assert stopped_verdicts(judge, 0.0) == []
    judge.silence.update(labels=50, rows=50, start=60.0)
    assert stopped_verdicts(judge, 70.0) == []
    judge.silence.update(labels=0, rows=10**6, start=10.0**6)
    (found,) = stopped_verdicts(judge, 10.0**6)
    assert found.cause == "labels have stopped: none since 1970-01-01 00:01:00 UTC"
    assert (found.since, found.status, found.gates) == (60.0, "warning", False)
    judge.silence.update(labels=50, rows=50, start=10.0**6 + 10)
    assert stopped_verdicts(judge, 10.0**6 + 20) == []
