import numpy as np
import pytest

from servewatch.baseline import Baseline
from servewatch.errors import ConfigError
from servewatch.judge.detectors.named import detector
from servewatch.monitor.detection import MOST_WAITING, WARNING_SECONDS, Detectors
from servewatch.monitor.judgement import _usual_loss
from tests.monitor.labelled import ACCURACY, known

CALM, WORSE = np.zeros(3000), np.ones(60)


def changed(*names: str) -> Detectors:
    watching = Detectors(["cusum", "ddm"], names)
    watching.take(CALM)
    watching.take(WORSE)
    watching.update(at=100.0, block=10)
    return watching


def test_losses_are_folded_in_in_the_order_in_which_they_came() -> None:
    rng = np.random.default_rng(9)
    parts = [(rng.random(size) < 0.1).astype(float) for size in (1, 700, 30, 2500)]
    watching, alone = Detectors(["cusum"]), detector("cusum")
    for part in parts:
        watching.take(part)
    watching.update(at=1.0, block=1)
    alone.update(np.concatenate(parts))

    found = watching.found["cusum"]
    assert (found.changes, found.seen) == (alone.changes, alone.seen)


def test_a_change_is_noticed_at_the_end_of_its_block() -> None:
    assert changed().found["cusum"].since == 100.0


def test_nothing_taken_is_nothing_seen() -> None:
    watching = Detectors(["cusum"], ["cusum"])
    watching.update(at=1.0, block=1)
    assert (watching.found["cusum"].seen, watching.found["cusum"].since) == (0, None)
    assert [v.status for v in watching.verdicts(1.0)] == ["insufficient_data"]


def test_only_those_that_gate_have_a_verdict() -> None:
    assert changed().verdicts(100.0) == []
    (verdict,) = changed("ddm").verdicts(100.0)
    assert (verdict.name, verdict.status) == ("detector/ddm", "warning")


def test_a_change_warns_for_a_day() -> None:
    watching = changed("cusum")
    found = [
        watching.verdicts(at)[0].status
        for at in (100.0, 99.0 + WARNING_SECONDS, 100.0 + WARNING_SECONDS)
    ]
    assert found == ["warning", "warning", "ok"]


def test_labels_that_stopped_leave_no_verdict() -> None:
    (verdict,) = changed("cusum").verdicts(100.0, has_stopped=True)
    assert (verdict.status, verdict.reason) == ("insufficient_data", "labels_stopped")


def test_what_waits_is_bounded_where_nobody_updates() -> None:
    watching = Detectors(["ddm"])
    for _ in range(13):
        watching.take(np.zeros(MOST_WAITING // 10))
    watching.update(at=1.0, block=1)
    assert watching.found["ddm"].seen == MOST_WAITING


def test_without_detectors_nothing_is_kept() -> None:
    watching = Detectors([])
    watching.take(CALM)
    assert not watching._waiting


def test_a_detector_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="no such detector"):
        Detectors(["eddm"])


def test_what_is_usual_need_not_be_learnt() -> None:
    alike = (np.random.default_rng(3).random(1500) < 0.3).astype(float)
    told, learning = Detectors(["cusum"], usual=0.1), Detectors(["cusum"])
    for watching in (told, learning):
        watching.take(alike)
        watching.update(at=1.0, block=1)
    assert told.found["cusum"].changes > 0
    assert learning.found["cusum"].changes == 0


def test_what_is_usual_is_the_loss_of_the_evaluation_rows() -> None:
    usual = _usual_loss(known())
    assert usual == pytest.approx(1 - ACCURACY, abs=0.02)
    assert _usual_loss(known(is_held_out=False)) is None


def test_of_numbers_it_is_the_clipped_error() -> None:
    rng = np.random.default_rng(2)
    said = rng.normal(size=3000)
    rows = {"x": said, "said": said, "y": said + rng.normal(0, 0.3, 3000)}
    baseline = Baseline.build(rows, evaluation=rows, target="y", prediction="said")
    assert baseline.content.performance is not None
    clip = baseline.content.performance.truth.clip

    error = np.minimum(np.abs(rows["y"] - said), clip) / clip

    assert _usual_loss(baseline) == pytest.approx(error.mean(), abs=0.001)
