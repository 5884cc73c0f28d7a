from __future__ import annotations

from servewatch.baseline import Baseline
from tests.baseline.rows import ROWS, build, frame


def test_without_evaluation_the_file_says_in_sample() -> None:
    found = build()

    assert found.content.in_sample
    assert any("No evaluation rows" in note for note in found.notes)


def test_a_column_only_evaluation_has_is_ignored_and_named() -> None:
    rows = frame()

    found = build(rows[:900], evaluation=rows[900:].assign(extra=1))

    assert "extra" in found.layout.ignored
    assert any("extra" in note for note in found.notes)


def test_few_rows_say_how_wide_tolerance_becomes() -> None:
    notes = " ".join(build(frame(120)).notes)

    assert "Only 120 rows" in notes
    assert "instead of 0.10" in notes


def test_one_row_in_one_block_is_told_in_the_singular() -> None:
    notes = " ".join(Baseline.build({"x": [1.0]}, ordered=True).notes)

    assert "Only 1 row: " in notes
    assert "Only 1 block in time order" in notes


def test_constant_and_empty_columns_are_named() -> None:
    notes = " ".join(build(frame().assign(k=1, e=None)).notes)

    assert "Constant, any other value will be unseen: k." in notes
    assert "Without any value, which any value will change: e." in notes


def test_a_mostly_numeric_text_column_is_named() -> None:
    values = [str(k % 30) for k in range(ROWS - 1)] + ["?"]
    notes = " ".join(build(frame().assign(k=values)).notes)

    assert "kinds={'k': 'numeric'}" in notes


def test_a_span_shorter_than_a_year_leaves_the_season_open() -> None:
    assert any("season of a year" in note for note in build().notes)
