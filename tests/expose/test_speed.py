"""A thousand features at /drift; by the best of several answers."""

from load_tests.drift_answer import measure

MOST_MS = 20.0
# Where the bar was set, encoding the same document once took 1.5 ms: a machine that
# is busy or slower is held to the ratio.
MOST_RATIO = MOST_MS / 1.5


def test_drift_of_a_thousand_features_is_answered_in_twenty_milliseconds() -> None:
    figures = measure()

    assert figures["features"] == 1000
    assert figures["first_ms"] <= MOST_MS
    assert (
        figures["unwritten_ms"] <= MOST_MS
        or figures["unwritten_ratio_to_json"] <= MOST_RATIO
    )
