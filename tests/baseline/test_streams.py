from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from servewatch.baseline import Baseline
from servewatch.baseline.streams import streams, watched
from servewatch.config import Config
from servewatch.judge.panel import DRIFT, WARN, Panel
from servewatch.judge.stream import Stream
from servewatch.judge.tolerance import clopper_pearson_upper

ROWS = 2000
CONFIG = Config()


@dataclass(frozen=True)
class Made:
    baseline: Baseline
    config: Config = CONFIG

    def all(self) -> dict[str, Stream]:
        content, layout = self.baseline.content, self.baseline.layout
        return {s.name: s for s in streams(content, layout, self.config)}


def built(config: Config = CONFIG, **options: Any) -> Made:
    rng = np.random.default_rng(1)
    columns = {
        "age": rng.normal(40, 10, ROWS),
        "rating": rng.integers(1, 6, ROWS).astype(float),
        "colour": rng.choice(np.array(["red", "blue"]), ROWS),
        "constant": np.full(ROWS, 5.0),
        "holes": np.where(rng.random(ROWS) < 0.6, np.nan, rng.normal(size=ROWS)),
        "p": rng.random(ROWS),
    }
    return Made(
        Baseline.build(columns, prediction="p", ordered=True, config=config, **options),
        config,
    )


MADE = built()


def test_predictions_come_first() -> None:
    assert next(iter(MADE.all())).startswith("p/")


def test_a_columns_quality_comes_before_its_values() -> None:
    names = [name for name in MADE.all() if name.startswith("age")]

    assert names == ["age/missing", "age/invalid", "age/range", "age"]


def test_a_column_with_listed_values_has_an_unseen_stream() -> None:
    names = [name for name in MADE.all() if name.startswith("rating")]

    assert names == ["rating/missing", "rating/unseen", "rating/invalid", "rating"]


def test_a_column_with_one_value_has_no_value_stream() -> None:
    assert "constant" not in MADE.all()
    assert "constant/unseen" in MADE.all()


def test_a_target_is_not_judged() -> None:
    made = built(target="holes")

    assert not [name for name in made.all() if name.startswith("holes")]


def test_the_denominator_of_values_is_the_valid_rows() -> None:
    stream = MADE.all()["holes"]
    valid = sum(MADE.baseline.profiles["holes"].counts[: int(stream.base.sum())])

    assert set(stream.known_rows) == {float(valid)}
    assert stream.shares[stream.tails][-1] < 1


def test_the_denominator_of_quality_is_all_rows() -> None:
    stream = MADE.all()["holes/missing"]

    assert stream.known_rows.tolist() == [ROWS, ROWS]
    assert stream.shares.sum() == pytest.approx(1.0)


def test_value_sets_never_hold_a_special_cell() -> None:
    stream = MADE.all()["rating"]

    assert not stream.members[:, 5:].any()


def test_missing_may_grow_by_an_absolute_share_and_shrink_by_the_distance() -> None:
    stream = MADE.all()["holes/missing"]

    assert stream.tolerances[:, 0].tolist() == list(CONFIG.tolerance_quality)
    assert np.isnan(stream.tolerances[:, 1]).all()


def test_range_has_levels_of_its_own() -> None:
    stream = MADE.all()["age/range"]

    assert stream.tolerances[:, 0].tolist() == list(CONFIG.tolerance_range)


@pytest.mark.parametrize(
    ("name", "is_tempered"),
    [
        ("age", True),
        ("age/missing", True),
        ("age/invalid", False),
        ("age/range", False),
        ("rating/unseen", False),
    ],
)
def test_only_values_and_missing_are_tempered(name: str, *, is_tempered: bool) -> None:
    assert MADE.all()[name].tempered == is_tempered


def test_weights_of_quality_are_equal_per_set() -> None:
    assert MADE.all()["age/invalid"].weights.tolist() == [0.5, 0.5]


def test_unseen_expects_new_values_as_often_as_the_baseline_met_them() -> None:
    rng = np.random.default_rng(2)
    values = np.char.add("c", rng.integers(0, 400, ROWS).astype(str))
    made = Made(Baseline.build({"x": values}, ordered=True, config=CONFIG))
    novelty = made.baseline.profiles["x"].novelty
    assert novelty is not None

    stream = made.all()["x/unseen"]
    panel = Panel([stream], made.baseline.layout.size, CONFIG, 1)

    expected = clopper_pearson_upper(
        np.array([float(novelty.fresh)]), np.array([float(novelty.rows)]), 0.01
    )
    assert stream.shares.tolist() == [novelty.singletons / ROWS]
    assert panel.bounds[WARN].tolist() == expected.tolist()


def test_unlisted_categories_are_bounded_by_how_the_first_halfs_list_did() -> None:
    rng = np.random.default_rng(3)
    values = np.char.add("c", rng.integers(0, 400, ROWS).astype(str))
    made = Made(Baseline.build({"x": values}, ordered=True, config=CONFIG))
    stream = made.all()["x"]
    others = int(
        np.flatnonzero(stream.members[:, 50] & (stream.members.sum(1) == 1))[0]
    )

    panel = Panel([stream], made.baseline.layout.size, CONFIG, 1)

    # 350 of 400 even categories are unlisted; their own share says 79 %.
    assert stream.shares[others] < 0.8
    assert panel.bounds[DRIFT, others] > 0.875


def test_informational_columns_do_not_gate() -> None:
    made = built(Config(informational=("age",)))

    assert not made.all()["age"].gates
    assert not made.all()["age/missing"].gates
    assert made.all()["rating"].gates


def test_values_can_hold_the_overall_status() -> None:
    assert MADE.all()["age"].can_hold


def test_quality_cannot_hold_the_overall_status() -> None:
    assert not MADE.all()["age/missing"].can_hold


def test_a_mostly_missing_column_cannot_hold_the_overall_status() -> None:
    assert not MADE.all()["holes"].can_hold


def test_without_time_order_dependence_is_not_known() -> None:
    rng = np.random.default_rng(4)
    baseline = Baseline.build({"x": rng.normal(size=ROWS)}, config=CONFIG)

    found = Made(baseline).all()

    assert found["x"].design_effect is None
    assert found["x/missing"].design_effect is None
    assert found["x/range"].design_effect == 1.0


def test_the_words_of_missing_name_missing_values() -> None:
    assert MADE.all()["age/missing"].words(0)[0] == "age: missing values"


def test_the_public_words_of_range_name_no_limit() -> None:
    words, public = MADE.all()["age/range"].words(0)

    assert words.startswith("age: values outside [")
    assert public == "age: values out of range"


def test_the_guards_watch_every_column_that_is_counted() -> None:
    content, layout = MADE.baseline.content, MADE.baseline.layout

    names = [column.name for column in watched(content, layout, CONFIG)]

    assert sorted(names) == ["age", "colour", "constant", "holes", "p", "rating"]


def test_the_guards_know_how_much_was_missing() -> None:
    content, layout = MADE.baseline.content, MADE.baseline.layout

    (holes,) = (c for c in watched(content, layout, CONFIG) if c.name == "holes")

    assert holes.missing_share == pytest.approx(0.6, abs=0.05)


def test_the_guards_count_every_row_once() -> None:
    content, layout = MADE.baseline.content, MADE.baseline.layout
    for column in watched(content, layout, CONFIG):
        span = layout.spans[column.name]
        counts = np.array(MADE.baseline.profiles[column.name].counts)
        part = slice(
            column.everything.start - span.start, column.everything.stop - span.start
        )

        assert counts[part].sum() == ROWS
        assert column.absent == span.stop - 1
