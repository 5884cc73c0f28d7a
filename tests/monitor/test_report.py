from servewatch.monitor.report import GateReport, Report

GATE = GateReport("pass", since=0.0, rows=10, rows_needed=0)


def report() -> Report:
    return Report(
        status="ok",
        gate=GATE,
        model={"name": "m"},
        at=0.0,
        since=None,
        rows=0,
        blocks=0,
        stale=False,
        notes=("category 'x' was 40 % of a week",),
    )


def test_notes_need_the_right_to_see_values() -> None:
    assert report().to_dict()["notes"] == ["category 'x' was 40 % of a week"]
    assert report().to_dict(detail=False)["notes"] == []


def test_the_gate_says_ok_as_a_boolean_or_null() -> None:
    verdicts = [GateReport(v, None, 0, 0).ok for v in ("pass", "fail", "inconclusive")]

    assert verdicts == [True, False, None]
