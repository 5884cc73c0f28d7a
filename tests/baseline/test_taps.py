"""A baseline of what lies between the steps of a pipeline."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from servewatch.baseline import Baseline
from servewatch.baseline.describe import as_dict, as_html
from servewatch.baseline.difference import as_lines, diff
from servewatch.baseline.tap_choice import MOST_COLUMNS
from servewatch.config import Config
from servewatch.errors import BaselineError, DataError
from servewatch.judge.stream import Stream
from servewatch.sketch.bins import cell
from tests.baseline.forged import refused, sealed

ROWS, HELD = 1200, 800
RNG = np.random.default_rng(7)
Z = RNG.normal(size=(ROWS + HELD, 3))


def frame(rows: int = ROWS, seed: int = 5) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    price = np.where(random.random(rows) < 0.1, np.nan, random.normal(9, 2, rows))
    return pd.DataFrame(
        {
            "price": price,
            "weight": random.exponential(size=rows),
            "shop": random.choice(["north", "south", "web"], rows),
            "p": random.random(rows),
        }
    )


TRAIN, HELD_OUT = frame(), frame(HELD, seed=6)
FEATURES = ["price", "weight", "shop"]


def pipeline() -> Pipeline:
    encode = ColumnTransformer(
        [
            ("number", SimpleImputer(), ["price", "weight"]),
            ("shop", OneHotEncoder(), ["shop"]),
        ]
    )
    steps = [("encode", encode), ("rest", "passthrough"), ("scale", StandardScaler())]
    pipe = Pipeline([*steps, ("model", LogisticRegression())])
    return pipe.fit(TRAIN[FEATURES], (TRAIN.weight > 1).astype(int))


def build(**options: Any) -> Baseline:
    return Baseline.build(
        TRAIN, evaluation=HELD_OUT, prediction="p", ordered=True, **options
    )


@cache
def plain() -> Baseline:
    return build()


@cache
def piped() -> Baseline:
    return build(pipeline=pipeline())


def tapped(baseline: Baseline, tap: str) -> dict[str, Any]:
    """The columns of one tap, by their own names."""
    start = f"tap:{tap}/"
    return {
        column.name.removeprefix(start): column
        for column in baseline.content.columns
        if column.name.startswith(start)
    }


def test_every_step_but_the_last_is_a_tap_of_its_name() -> None:
    content = piped().content

    assert content.stages == ("encode", "rest", "scale", "model")
    assert [tap.name for tap in content.taps] == ["encode", "scale"]


def test_the_columns_of_a_step_have_the_names_that_it_gives_them() -> None:
    pipe = pipeline()

    found = build(pipeline=pipe)

    names = list(pipe[0].get_feature_names_out())
    assert list(tapped(found, "encode")) == names
    assert list(tapped(found, "scale")) == names
    assert {c.role for c in tapped(found, "encode").values()} == {"tap"}


def test_a_tap_counts_what_the_step_makes_of_all_rows() -> None:
    pipe = pipeline()
    rows = pd.concat([TRAIN[FEATURES], HELD_OUT[FEATURES]])

    found = tapped(build(pipeline=pipe), "scale")

    made = pipe[:3].transform(rows)
    grains = piped().content.taps[1].grains
    for place, column in enumerate(found.values()):
        values = np.round(made[:, place] / grains[place]) * grains[place]
        edges = getattr(column.bins, "edges", None)
        if edges is None:
            counts = [int((values == level).sum()) for level in column.bins.levels]
        else:
            inner = np.searchsorted(np.array(edges), values, side="left")
            counts = np.bincount(inner, minlength=len(edges) + 1).tolist()
        assert list(column.counts[: column.bins.ordinary]) == counts
        assert column.rows == ROWS + HELD


def test_a_pipeline_that_gives_frames_goes_by_their_columns() -> None:
    scale = StandardScaler().set_output(transform="pandas")
    pipe = Pipeline([("scale", scale), ("again", StandardScaler()), ("model", None)])
    pipe.fit(TRAIN[["price", "weight"]])

    found = build(pipeline=pipe)

    assert list(tapped(found, "scale")) == ["price", "weight"]
    assert list(tapped(found, "again")) == ["price", "weight"]


def test_columns_that_nobody_names_go_by_their_number() -> None:
    halved = FunctionTransformer(lambda rows: rows[["price", "weight"]].to_numpy() / 2)
    pipe = Pipeline([("halve", halved), ("model", "passthrough")]).fit(TRAIN[FEATURES])

    assert list(tapped(build(pipeline=pipe), "halve")) == ["0", "1"]


def test_a_pipeline_fitted_on_arrays_takes_arrays() -> None:
    rows = Z[:ROWS]
    pipe = Pipeline([("scale", StandardScaler()), ("model", "passthrough")]).fit(rows)

    found = Baseline.build(rows, pipeline=pipe)

    assert [tap.width for tap in found.content.taps] == [3]


def test_columns_come_in_the_order_in_which_the_pipeline_was_fitted() -> None:
    other = Pipeline([("scale", StandardScaler()), ("model", "passthrough")])
    other.fit(TRAIN[["weight", "price"]])

    found = tapped(build(pipeline=other), "scale")

    assert list(found) == ["weight", "price"]
    assert found["weight"].counts[cell(found["weight"].bins, "missing")] == 0
    assert found["price"].counts[cell(found["price"].bins, "missing")] > 0


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (Z, ["0", "1", "2"]),
        (pd.DataFrame(Z, columns=["a", "b", "c"]), ["a", "b", "c"]),
        (pl.DataFrame(Z, schema=["a", "b", "c"]), ["a", "b", "c"]),
        ({"a": Z[:, 0], "b": Z[:, 1]}, ["a", "b"]),
        (sparse.csr_matrix(Z), ["0", "1", "2"]),
        (sparse.csc_array(Z), ["0", "1", "2"]),
        (Z[:, 0], ["0"]),
        (Z[:, 0].tolist(), ["0"]),
        (pd.Series(Z[:, 0], name="score"), ["score"]),
        ((Z[:ROWS], Z[ROWS:]), ["0", "1", "2"]),
        ((sparse.csr_matrix(Z[:ROWS]), sparse.csr_matrix(Z[ROWS:])), ["0", "1", "2"]),
    ],
)
def test_a_tap_may_be_any_table_or_column(value: Any, names: list[str]) -> None:
    found = tapped(build(taps={"encoded": value}), "encoded")

    dense = tapped(build(taps={"encoded": Z}), "encoded")
    assert list(found) == names
    assert found[names[0]].counts == dense["0"].counts
    assert found[names[0]].summary == dense["0"].summary


def test_rows_of_evaluation_alone_are_known_by_their_number() -> None:
    found = build(taps={"encoded": Z[ROWS:]})

    assert tapped(found, "encoded")["0"].rows == HELD
    assert found.content.stages == ("encoded",)


@pytest.mark.parametrize("value", [Z[:ROWS], (Z[:HELD], Z[HELD:]), (Z, Z, Z), Z[:7]])
def test_another_number_of_rows_is_refused_with_what_was_found(value: Any) -> None:
    with pytest.raises(BaselineError, match=r"2,000.*train and evaluation, or 800"):
        build(taps={"encoded": value})


def test_without_evaluation_only_the_rows_of_train_fit() -> None:
    with pytest.raises(BaselineError, match="'800 rows', expected 1,200, as in train"):
        Baseline.build(TRAIN, taps={"encoded": Z[:HELD]})


@pytest.mark.parametrize("name", ["", "a/b", "x" * 200, "a\nb", 7])
def test_what_is_no_name_of_a_tap_is_refused(name: Any) -> None:
    with pytest.raises(BaselineError, match="cannot be the name of a tap"):
        build(taps={name: Z})


@pytest.mark.parametrize("value", [np.zeros((3, 2, 2)), "nowhere.csv", 3.0, object()])
def test_what_is_no_table_is_refused(value: Any) -> None:
    with pytest.raises(BaselineError, match="no table"):
        build(taps={"encoded": value})


def test_a_tap_that_is_a_step_as_well_is_refused() -> None:
    with pytest.raises(BaselineError, match="tap 'encode' is a step"):
        build(taps={"encode": Z}, pipeline=pipeline())


def test_what_has_no_steps_is_no_pipeline() -> None:
    with pytest.raises(BaselineError, match=r"no steps.*LogisticRegression"):
        build(pipeline=LogisticRegression())


def test_a_pipeline_that_cannot_transform_the_rows_names_its_step() -> None:
    with pytest.raises(BaselineError, match="step 'encode' of the pipeline cannot"):
        build(pipeline=Pipeline([("encode", StandardScaler()), ("model", "drop")]))


def test_a_pipeline_cannot_transform_a_file(tmp_path: Path) -> None:
    TRAIN.to_csv(tmp_path / "rows.csv", index=False)

    with pytest.raises(BaselineError, match="a pipeline cannot transform this"):
        Baseline.build(tmp_path / "rows.csv", pipeline=pipeline())


def test_a_column_the_pipeline_wants_has_to_be_there() -> None:
    with pytest.raises(DataError, match="no column 'shop'"):
        Baseline.build(TRAIN.drop(columns="shop"), pipeline=pipeline())


def test_a_step_that_gives_no_table_is_said_to_have_no_tap() -> None:
    folded = FunctionTransformer(lambda rows: rows.to_numpy()[:, :, None])
    pipe = Pipeline([("fold", folded), ("model", "passthrough")]).fit(TRAIN)

    found = build(pipeline=pipe)

    assert found.content.taps == ()
    assert any(note.startswith("Step fold has no tap") for note in found.notes)


def test_an_identifier_at_a_tap_is_left_out_and_said_to_be() -> None:
    value = pd.DataFrame(Z[:, :1], columns=["a"])
    value["id"] = [f"user-{k}" for k in range(len(Z))]

    found = build(taps={"joined": value})

    assert list(tapped(found, "joined")) == ["a"]
    assert found.content.taps[0].width == 2
    assert any(note.startswith("Tap joined, left out:") for note in found.notes)


def test_of_a_wide_tap_some_columns_are_watched_and_their_number_said() -> None:
    wide = RNG.normal(size=(ROWS + HELD, 90))

    found = build(taps={"wide": wide})

    (tap,) = found.content.taps
    assert (tap.width, len(tap.places)) == (90, MOST_COLUMNS)
    assert list(tapped(found, "wide")) == [str(place) for place in tap.places]
    assert any("32 of 90 columns are watched" in note for note in found.notes)


def test_a_sparse_tap_of_many_columns_is_never_made_dense() -> None:
    rows = ROWS + HELD
    words = sparse.random_array(
        (rows, 999_999), density=2e-5, format="csr", rng=np.random.default_rng(3)
    )
    length = sparse.csr_array(RNG.random((rows, 1)))

    both = sparse.hstack([words, length], format="csr")  # 16 GB if it were dense
    (tap,) = build(taps={"words": both}).content.taps

    assert tap.width == 1_000_000
    assert tap.places[-1] == 999_999


def test_what_was_known_without_taps_is_the_same_with_them() -> None:
    without, found = plain(), piped()

    assert found.content.duplicates == without.content.duplicates
    assert found.content.reservoir == without.content.reservoir
    assert found.content.influence == without.content.influence
    assert found.content.segments == without.content.segments
    assert found.lineage.data_digest == without.lineage.data_digest
    for column in without.content.columns:
        assert found.profiles[column.name].counts == column.counts


def test_features_keep_their_cells_where_taps_are_added() -> None:
    without, found = plain().layout, piped().layout

    assert found.schema.features == without.schema.features
    assert {name: found.spans[name] for name in without.spans} == without.spans
    assert found.scored == without


def test_the_same_rows_give_the_same_digest() -> None:
    assert build(pipeline=pipeline()).digest == piped().digest


def test_the_digest_is_another_one_where_a_step_is() -> None:
    other = pipeline()
    other[2].scale_ *= 2

    assert piped().digest != build(pipeline=other).digest


def test_a_file_keeps_taps_and_stages(tmp_path: Path) -> None:
    found = piped()
    found.save(tmp_path / "a.json")

    again = Baseline.load(tmp_path / "a.json")

    assert again.content == found.content
    assert again.digest == found.digest


def test_a_baseline_without_taps_is_the_file_that_it_was(tmp_path: Path) -> None:
    plain().save(tmp_path / "a.json")

    content = json.loads((tmp_path / "a.json").read_text())["content"]

    assert not {"taps", "stages"} & set(content)


def streams_of(baseline: Baseline, **options: Any) -> dict[str, Stream]:
    from servewatch.baseline.streams import streams

    found = streams(baseline.content, baseline.layout, Config(**options))
    return {stream.name: stream for stream in found}


def test_streams_of_taps_are_judged_and_hold_nothing() -> None:
    found = streams_of(piped())

    own = [stream for stream in found.values() if stream.role == "tap"]
    assert found["tap:scale/number__price"].family == "values"
    assert found["tap:scale/number__price/missing"].family == "missing"
    assert all(stream.gates and not stream.can_hold for stream in own)
    assert found["price"].can_hold


def test_a_tap_can_be_informational() -> None:
    found = streams_of(piped(), informational=["tap:scale/shop__x"])
    assert found["tap:scale/number__price"].gates

    name = "tap:scale/number__price"
    found = streams_of(piped(), informational=[name])
    assert not found[name].gates


def test_streams_of_taps_depend_on_time_as_features_do() -> None:
    column = build(taps={"same": pd.concat([TRAIN, HELD_OUT])[["weight"]]})

    tap, feature = tapped(column, "same")["weight"], column.profiles["weight"]
    assert tap.values == feature.values
    assert tap.counts == feature.counts


def test_a_column_called_like_a_quality_has_a_stream_of_its_own() -> None:
    found = build(taps={"t": pd.DataFrame({"a": Z[:, 0], "a/missing": Z[:, 1]})})

    assert len(streams_of(found)) == len(set(streams_of(found)))
    assert {"tap:t/a/missing", "column:tap:t/a/missing"} <= set(streams_of(found))


def test_a_report_says_which_stages_and_taps_there_are() -> None:
    found = piped()

    assert "Stages: encode -> rest -> scale -> model." in found.report()
    assert "Taps: 5 of 5 columns after encode, 5 of 5 columns" in found.report()
    assert as_dict(found)["taps"]["scale"] == {"watched": 5, "columns": 5}
    assert "Stages: encode -&gt; rest" in as_html(found)


def test_a_difference_tells_stages_and_columns_of_taps() -> None:
    lines = as_lines(diff(plain(), piped()))

    assert "stages: none => encode -> rest -> scale -> model" in lines
    assert "added: tap:encode/number__price" in lines


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["taps"][0].update(places=[0, 0, 1, 2, 3]), "cannot be"),
        (lambda c: c["taps"][0].update(places=[0, 1, 2, 3, 9]), "cannot be"),
        (lambda c: c["taps"][0].update(name="other"), "named otherwise"),
        (lambda c: c["taps"].pop(), "places for 10 columns"),
        (lambda c: c["columns"].insert(0, c["columns"].pop()), "not the last"),
        (lambda c: c["taps"][0].update(name="scale"), "occurs twice"),
        (lambda c: c.update(stages=["a"] * 300), "too many"),
    ],
)
def test_a_file_whose_taps_contradict_each_other_is_refused(
    change: Any, said: str, tmp_path: Path
) -> None:
    piped().save(tmp_path / "a.json")

    tree = json.loads((tmp_path / "a.json").read_text())

    change(tree["content"])

    assert said in refused(sealed(tree))
