"""The value that carries a change is named, and none that merely comes along."""

import numpy as np

from servewatch.baseline import Baseline
from servewatch.monitor.carried import carriers
from servewatch.sketch.bins import CategoryBins, width
from servewatch.sketch.reservoir import Reservoir

ROWS = 400


def told(
    hits: list[bool], columns: dict[str, list[str]], share: float = 0.0
) -> list[str]:
    """Say what carries that *hits* rows of a column x are bad, one entry a row."""
    frame = {"x": ["bad" if hit else "good" for hit in hits], **columns}
    layout = Baseline.build(frame).layout
    codes, members = [], np.zeros(0, dtype=bool)
    for column, bins in zip(layout.schema.columns, layout.bins, strict=True):
        assert isinstance(bins, CategoryBins)
        codes.append([bins.categories.index(each) for each in frame[column.name]])
        if column.name == "x":
            members = np.arange(width(bins)) == bins.categories.index("bad")
    rows = Reservoir(np.arange(len(hits), dtype=np.uint64), np.array(codes, np.uint8).T)
    return [each.detail for each in carriers(layout, rows, "x", members, share)]


def first(count: int) -> list[bool]:
    return [place < count for place in range(ROWS)]


def named(count: int, value: str, other: str) -> list[str]:
    return [value if place < count else other for place in range(ROWS)]


def test_the_value_that_has_all_of_it_is_named() -> None:
    assert told(first(80), {"land": named(80, "FR", "UK")}) == [
        "land = 'FR' carries it (20 % of rows)"
    ]


def test_too_few_hits_name_nothing() -> None:
    land = {"land": named(80, "FR", "UK")}
    assert told(first(20), land)
    assert told(first(19), land) == []


def test_a_column_of_many_levels_is_left_out() -> None:
    def levels(count: int) -> dict[str, list[str]]:
        rest = [f"v{1 + place % (count - 1)}" for place in range(ROWS - 80)]
        return {"town": ["v0"] * 80 + rest}

    assert told(first(80), levels(20)) == ["town = 'v0' carries it (20 % of rows)"]
    assert told(first(80), levels(33)) == []


def test_a_value_that_nearly_all_rows_have_carries_nothing() -> None:
    assert told(first(200), {"land": named(360, "FR", "UK")}) == []
    assert told(first(200), {"land": named(240, "FR", "UK")})


def test_what_the_baseline_had_everywhere_is_no_excess() -> None:
    # All 80 rows of FR and 30 % of the others, as many as ever: FR is all that is new.
    hits = [place < 80 or place % 10 < 3 for place in range(ROWS)]
    assert told(hits, {"land": named(80, "FR", "UK")}, share=0.3) == [
        "land = 'FR' carries it (20 % of rows)"
    ]
    assert told(hits, {"land": named(80, "FR", "UK")}) == []


def test_a_value_is_not_given_the_hits_it_always_had() -> None:
    # 60 % of 160 rows and 40 % of 240, of which 30 % are usual: two thirds, not all.
    hits = [place % 10 < (6 if place < 160 else 4) for place in range(ROWS)]
    assert told(hits, {"land": named(160, "FR", "UK")}, share=0.3) == []


def test_less_than_the_baseline_had_is_no_excess() -> None:
    assert told(first(80), {"land": named(80, "FR", "UK")}, share=0.2) == []


def test_of_two_values_the_rarer_one_is_named() -> None:
    both = {"area": named(160, "south", "north"), "land": named(80, "FR", "UK")}
    assert told(first(80), both) == ["land = 'FR' carries it (20 % of rows)"]
