"""What a change looks like: recognised where it is so, and nowhere else."""

import numpy as np
import pytest

from servewatch.baseline import Baseline
from servewatch.monitor.likeness import (
    FACTORS,
    Shape,
    renamed,
    shape_after,
    shape_before,
    swapped,
    unit_words,
)
from servewatch.sketch import moments
from servewatch.sketch.bins import cell

ROWS = 60
RUNS = 100


def sample(rng: np.random.Generator, kind: str, rows: int) -> np.ndarray:
    match kind:
        case "normal":
            return rng.normal(20.0, 5.0, rows)
        case "lognormal":
            return rng.lognormal(1.0, 0.6, rows)
        case _:
            return rng.poisson(9.0, rows).astype(float)


def shapes(rng: np.random.Generator, kind: str, factor: float) -> tuple[Shape, Shape]:
    baseline = Baseline.build({"x": sample(rng, kind, 4000)})
    before = shape_before(baseline.profiles["x"])
    after = shape_after(moments.of(factor * sample(rng, kind, ROWS)[None, :])[0])
    assert before is not None
    assert after is not None
    return before, after


@pytest.mark.parametrize("kind", ["normal", "lognormal", "poisson"])
def test_another_unit_is_named_in_nearly_every_run(kind: str) -> None:
    rng = np.random.default_rng(11)
    for text, factor in FACTORS.items():
        said = [unit_words(*shapes(rng, kind, factor)) for _ in range(RUNS // 10)]
        number = text.removeprefix("1/")
        told = [words for words in said if words and words.endswith(f" by {number}")]
        assert len(told) >= len(said) - 2, text


@pytest.mark.parametrize("kind", ["normal", "lognormal", "poisson"])
@pytest.mark.parametrize("factor", [1.0, 1.3, 0.7, 2.0, 4.0])
def test_what_is_no_other_unit_is_not_called_one(kind: str, factor: float) -> None:
    rng = np.random.default_rng(12)
    assert not any(unit_words(*shapes(rng, kind, factor)) for _ in range(RUNS // 4))


def test_a_changed_sign_and_fahrenheit_are_named() -> None:
    assert unit_words(Shape(20.0, 5.0), Shape(-20.4, 5.2)) == (
        "its values look to have changed their sign"
    )
    assert unit_words(Shape(20.0, 5.0), Shape(68.3, 9.1)) == (
        "its values look like degrees Fahrenheit instead of Celsius"
    )
    assert unit_words(Shape(68.0, 9.0), Shape(20.2, 4.9)) == (
        "its values look like degrees Celsius instead of Fahrenheit"
    )
    assert unit_words(Shape(0.1, 5.0), Shape(-0.1, 5.0)) is None
    assert unit_words(Shape(3.0, 1.0), Shape(3.0, 0.0)) is None


def test_few_rows_have_no_shape() -> None:
    assert shape_after(moments.of(np.ones((1, 19)))[0]) is None


def test_two_columns_are_swapped_only_if_each_looks_like_the_other() -> None:
    low, high, wide = Shape(0.0, 1.0), Shape(50.0, 9.0), Shape(50.0, 90.0)
    before = {"a": low, "b": high}
    assert swapped(before, {"a": high, "b": low}, ["a", "b"]) == ("a", "b")
    assert swapped(before, {"a": high, "b": high}, ["a", "b"]) is None
    assert swapped(before, {"a": wide, "b": low}, ["a", "b"]) is None
    assert swapped(before, {"a": high}, ["a", "b"]) is None
    # Three columns of two kinds: which were swapped nobody can say.
    alike = {"a": low, "b": high, "c": high}
    moved = {"a": high, "b": low, "c": low}
    assert swapped(alike, moved, ["a", "b", "c"]) is None


def test_a_category_that_vanished_for_a_new_one_is_renamed() -> None:
    baseline = Baseline.build({"land": ["UK"] * 60 + ["France"] * 30 + ["Italy"] * 10})
    profile = baseline.profiles["land"]
    after = np.array(profile.counts)
    place = profile.bins.categories.index("France")  # type: ignore[union-attr]
    after[cell(profile.bins, "unseen")] += after[place]
    after[place] = 0
    found = renamed(profile, after)
    assert found is not None
    assert "category 'France' (30 % of rows) has vanished" in found.detail
    assert "France" not in found.public
    # New values that come beside all the old ones are no other name.
    beside = np.array(profile.counts)
    beside[cell(profile.bins, "unseen")] += 30
    assert renamed(profile, beside) is None
    assert renamed(profile, np.zeros_like(after)) is None


def test_a_mean_about_zero_has_no_sign_to_change() -> None:
    # Half a deviation off zero: -mean lies further from it than what is still alike.
    assert unit_words(Shape(4.9, 5.0), Shape(-4.9, 5.0)) is None
    assert unit_words(Shape(5.1, 5.0), Shape(-5.1, 5.0)) == (
        "its values look to have changed their sign"
    )


def test_the_mean_of_fahrenheit_with_another_spread_is_no_fahrenheit() -> None:
    before = Shape(20.0, 5.0)
    for sd in (6.7, 12.0):  # 9 would be right; both are within what a sample may have
        assert unit_words(before, Shape(68.0, sd)) is None
    back = Shape(68.0, 9.0)
    for sd in (3.7, 6.7):
        assert unit_words(back, Shape(20.0, sd)) is None


def test_two_columns_that_are_alike_are_never_swapped() -> None:
    one, other = Shape(50.0, 9.0), Shape(51.0, 9.5)
    shapes = {"a": one, "b": other}
    assert swapped(shapes, {"a": other, "b": one}, ["a", "b"]) is None
    # Only one of them has moved at all, and not far.
    near = {"a": Shape(0.0, 1.0), "b": Shape(0.4, 1.0)}
    moved = {"a": Shape(0.6, 1.0), "b": Shape(0.4, 1.0)}
    assert swapped(near, moved, ["a", "b"]) is None
    assert swapped(near, moved, ["b", "a"]) is None


def said_of_lands(**after: int) -> bool:
    """Whether lands of 60, 30 and 10 rows look renamed once there are *after* rows."""
    baseline = Baseline.build({"land": ["UK"] * 60 + ["France"] * 30 + ["Italy"] * 10})
    profile = baseline.profiles["land"]
    cells = np.zeros(len(profile.counts), dtype=np.int64)
    cells[cell(profile.bins, "unseen")] = after.pop("new")
    for land, rows in after.items():
        cells[profile.bins.categories.index(land)] = rows  # type: ignore[union-attr]
    return renamed(profile, cells) is not None


def test_of_two_categories_that_vanish_nobody_knows_which_was_renamed() -> None:
    assert said_of_lands(UK=60, Italy=10, new=30)
    assert not said_of_lands(UK=60, new=40)


def test_what_takes_another_share_is_no_new_name() -> None:
    assert not said_of_lands(UK=85, Italy=10, new=5)
    assert not said_of_lands(UK=20, Italy=10, new=70)


def test_a_category_that_only_became_rare_is_not_renamed() -> None:
    assert said_of_lands(UK=60, France=3, Italy=10, new=27)
    assert not said_of_lands(UK=60, France=4, Italy=10, new=26)
