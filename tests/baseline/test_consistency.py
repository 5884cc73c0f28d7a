from __future__ import annotations

from collections.abc import Callable

import pytest

from servewatch.baseline import package
from servewatch.errors import BaselineError
from tests.baseline.forged import Tree, changed, column

CONTRADICTIONS: dict[str, tuple[Callable[[Tree], object], str]] = {
    "cells": (
        lambda t: column(t)["counts"].append(0),
        r"columns\[0\]: counts: 27 cells",
    ),
    "below 0": (
        lambda t: column(t)["counts"].__setitem__(slice(0, 2), [-1, 41]),
        "counts: below 0",
    ),
    "sum": (lambda t: column(t).update(rows=401), "do not add up"),
    "beside": (
        lambda t: column(t)["counts"].__setitem__(-1, 401),
        "counts: more than rows",
    ),
    "edges": (lambda t: column(t)["bins"]["edges"].reverse(), "edges do not ascend"),
    "range": (lambda t: column(t)["bins"].update(low=99.0), "low lies above high"),
    "categories": (
        lambda t: column(t, "c")["bins"].update(categories=["u", "u", "w"]),
        "a category occurs twice",
    ),
    "others": (
        lambda t: column(t, "c")["bins"].update(others="not base64!"),
        "others is no list of hashes",
    ),
    "unsorted others": (
        lambda t: column(t, "c")["bins"].update(others="//////////8AAAAAAAAAAA=="),
        "others do not ascend",
    ),
    "kind": (lambda t: column(t).update(kind="categorical"), "not those of"),
    "two names": (lambda t: column(t).update(name="c"), "a name occurs twice"),
    "no name": (lambda t: column(t).update(name=""), "name: empty"),
    "quantiles": (
        lambda t: column(t)["summary"]["quantiles"].reverse(),
        "quantiles are not 200",
    ),
    "bin means": (
        lambda t: column(t)["summary"]["bin_means"].pop(),
        "one mean for every bin",
    ),
    "sd": (lambda t: column(t)["summary"].update(sd=-1.0), "spread below 0"),
    "novelty": (lambda t: column(t, "c")["novelty"].update(fresh=999), "novelty"),
    "design effect": (
        lambda t: column(t).update(values={"design_effect": 0.0}),
        "design effect below 1",
    ),
    "gap": (lambda t: column(t).update(longest_gap=-1), "longest_gap"),
    "envelope": (lambda t: column(t).update(envelope={"1": [0.5]}), "envelope"),
    "reservoir": (
        lambda t: t["content"]["reservoir"].update(train_rows=1),
        "reservoir: halves",
    ),
    "reservoir codes": (
        lambda t: t["content"]["reservoir"].update(train="/" * 800),
        "a bin that is not there|a byte for every row",
    ),
    "duplicates": (
        lambda t: t["content"]["duplicates"].update(repeats=401),
        "more repeats than rows",
    ),
    "segments": (
        lambda t: t["content"]["segments"][0]["counts"].pop("x"),
        "columns that are not profiled",
    ),
    "segment counts": (
        lambda t: t["content"]["segments"][0]["counts"]["x"].__setitem__(0, 999),
        "exceed the column's",
    ),
    "ignored": (lambda t: t["content"].update(ignored=["x"]), "ignored"),
    "no features": (
        lambda t: [c.update(role="target") for c in t["content"]["columns"]],
        "features",
    ),
    "blocks": (lambda t: t["content"].update(blocks=-1), "blocks: below 0"),
    "grid": (lambda t: t["content"].update(block_seconds=0.0), "block_seconds"),
    "many bins": (
        lambda t: column(t)["bins"].update(edges=[float(k) for k in range(2000)]),
        "more than codes of a byte can name",
    ),
    "category bytes": (
        lambda t: column(t, "c")["bins"].update(categories=["u", "v", "é" * 600]),
        "a category of over 1,024 bytes|a text is too long",
    ),
    "halves": (
        lambda t: t["content"]["reservoir"].update(holdout="!"),
        "a byte for every row",
    ),
    "segment rows": (
        lambda t: t["content"]["segments"][0].update(rows=999),
        "segments: more rows than the whole",
    ),
    "summary count": (
        lambda t: column(t)["summary"].update(count=0),
        "count or range does not fit",
    ),
    "levels": (
        lambda t: column(t).update(bins={"form": "levels", "levels": [2.0, 1.0]}),
        "levels do not ascend",
    ),
    "a type": (
        lambda t: column(t).update(rows="400"),
        r"Expected `int`, got `str`.*columns\[0\]\.rows",
    ),
    "a missing field": (lambda t: column(t).pop("counts"), "missing required field"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_figures_that_contradict_each_other_are_refused(name: str) -> None:
    change, reason = CONTRADICTIONS[name]

    with pytest.raises(BaselineError, match=reason):
        package.from_bytes(changed(change), "a.json")


def test_over_5_000_features_are_refused() -> None:
    def multiply(tree: Tree) -> None:
        one = column(tree)
        tree["content"]["reservoir"] = None
        tree["content"]["segments"] = []
        tree["content"]["columns"] = [one | {"name": f"x{k}"} for k in range(5001)]

    with pytest.raises(BaselineError, match="5,001 features, expected 1 to 5,000"):
        package.from_bytes(changed(multiply), "a.json")
