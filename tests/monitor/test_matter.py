import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.monitor.matter import Basis, Error, Moved, matters, rank

SHARES = st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=6)


@pytest.mark.parametrize(
    ("influence", "error", "sentence"),
    [
        (0.02, None, "moves the prediction little (influence 2 %)"),
        (0.0, None, "moves the prediction little (influence 0 %)"),
        (0.06, None, "the model depends on it somewhat (influence 6 %)"),
        (0.14, None, "the model depends on it (influence 14 %)"),
        (None, None, "how much the model depends on it is not known"),
        (
            0.41,
            Error("rose", "measured"),
            "the model depends on it (influence 41 %), and its error rose with it",
        ),
        (
            0.41,
            Error("rose", "estimated"),
            (
                "the model depends on it (influence 41 %), "
                "and its estimated error rose with it"
            ),
        ),
        (
            0.41,
            Error("held", "measured"),
            (
                "the model depends on it (influence 41 %), "
                "but no change of its error is established"
            ),
        ),
        (
            0.1,
            Error("fell", "measured"),
            (
                "the model depends on it somewhat (influence 10 %), "
                "and its error fell with it"
            ),
        ),
        (
            0.02,
            Error("rose", "measured"),
            (
                "moves the prediction little (influence 2 %), "
                "and the error rose all the same"
            ),
        ),
        (
            None,
            Error("held", "estimated"),
            (
                "how much the model depends on it is not known, "
                "but no change of the estimated error is established"
            ),
        ),
    ],
)
def test_what_is_known_makes_a_sentence(
    influence: float | None, error: Error | None, sentence: str
) -> None:
    assert matters("age", influence, 0.3, error).sentence == sentence


def test_the_score_is_influence_times_shift() -> None:
    assert matters("age", 0.4, 0.25).score == pytest.approx(0.1)
    assert matters("age", None, 0.25).score is None


def test_a_large_shift_of_what_is_not_used_comes_after_a_small_one_of_what_is() -> None:
    found = rank({"unused": 0.9, "used": 0.2}, {"unused": 0.01, "used": 0.5})

    assert [matter.name for matter in found] == ["used", "unused"]


def test_unknown_influences_come_last_by_their_shift() -> None:
    found = rank({"a": 0.2, "b": 0.6, "c": 0.0}, {"c": 0.3})

    assert [matter.name for matter in found] == ["c", "b", "a"]


@given(SHARES, SHARES)
def test_ranking_keeps_every_stream_and_falls_by_score(
    shifts: dict[str, float], influences: dict[str, float]
) -> None:
    found = rank(shifts, influences)

    assert {matter.name for matter in found} == set(shifts)
    scores = [matter.score for matter in found if matter.score is not None]
    assert scores == sorted(scores, reverse=True)


@given(SHARES, SHARES, st.sampled_from(["rose", "fell", "held"]))
def test_the_order_does_not_depend_on_the_order_given_nor_on_the_error(
    shifts: dict[str, float], influences: dict[str, float], moved: Moved
) -> None:
    basis: Basis = "measured"
    turned = dict(reversed(shifts.items()))

    first = [matter.name for matter in rank(shifts, influences)]

    assert first == [m.name for m in rank(turned, influences, Error(moved, basis))]


@pytest.mark.parametrize(
    ("influence", "shift", "what"),
    [(1.2, 0.5, "influence"), (0.5, -0.1, "shift"), (0.5, float("nan"), "shift")],
)
def test_what_is_no_share_is_refused(influence: float, shift: float, what: str) -> None:
    with pytest.raises(ValueError, match=f"the {what} of 'age' is"):
        matters("age", influence, shift)
