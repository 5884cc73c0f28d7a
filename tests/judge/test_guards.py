from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.judge.guards import Envelope, SchemaChange, SourceDown
from servewatch.judge.tolerance import kl, theta_max
from tests.judge.made import value_stream, watched_column

GOOD, EMPTY = [100, 0, 0, 0], [0, 100, 0, 0]


def runs(longest_gap: int, *blocks: list[int], share: float = 0.0) -> list[str | None]:
    guard = SourceDown([watched_column(missing_share=share, longest_gap=longest_gap)])
    found: list[str | None] = []
    for number, cells in enumerate(blocks):
        guard.update(np.array(cells), 10.0 * number)
        found.append(guard.status(0))
    return found


def test_a_source_that_is_up_has_no_status() -> None:
    assert runs(0, GOOD) == [None]


def test_a_source_that_was_never_away_is_drift_at_once() -> None:
    assert runs(0, EMPTY) == ["drift"]


def test_a_gap_is_drift_once_it_is_half_as_long_again_as_the_longest() -> None:
    found = runs(2, *[EMPTY] * 5)

    assert found == ["warning", "warning", "warning", "drift", "drift"]


def test_a_gap_ends_with_the_first_good_block() -> None:
    assert runs(2, EMPTY, EMPTY, GOOD, EMPTY) == ["warning", "warning", None, "warning"]


def test_half_missing_is_down() -> None:
    assert runs(1, [50, 50, 0, 0]) == ["warning"]


def test_less_than_half_missing_is_not_down() -> None:
    assert runs(1, [51, 49, 0, 0]) == [None]


def test_a_column_usually_missing_cannot_be_down() -> None:
    assert runs(0, EMPTY, share=0.25) == [None]


def test_a_block_without_rows_of_the_column_changes_nothing() -> None:
    assert runs(2, EMPTY, [0, 0, 0, 0], EMPTY) == ["warning"] * 3


def test_the_gaps_beginning_is_remembered() -> None:
    guard = SourceDown([watched_column(longest_gap=2)])
    for number, cells in enumerate([GOOD, EMPTY, EMPTY]):
        guard.update(np.array(cells), 10.0 * number)

    assert (guard.since[0], guard.runs[0]) == (10.0, 2)


def test_a_guard_without_columns_has_nothing_to_say() -> None:
    guard = SourceDown(())
    guard.update(np.zeros(4, dtype=np.int64), 0.0)

    assert not guard.lasting.any()


@given(blocks=st.lists(st.booleans(), max_size=40), longest=st.integers(0, 5))
def test_the_status_is_that_of_a_plain_count(blocks: list[bool], longest: int) -> None:
    found = runs(longest, *[EMPTY if is_empty else GOOD for is_empty in blocks])

    run, expected = 0, list[str | None]()
    for is_empty in blocks:
        run = run + 1 if is_empty else 0
        late = "drift" if run > 1.5 * longest else "warning"
        expected.append(late if run else None)
    assert found == expected


def schema(*blocks: list[int], unknown: str = "") -> SchemaChange:
    guard = SchemaChange([watched_column()], slice(4, 6))
    for number, cells in enumerate(blocks):
        guard.update(np.array(cells), unknown, 10.0 * number, number)
    return guard


def test_an_unchanged_schema_is_no_news() -> None:
    assert schema([100, 0, 0, 0, 100, 0]).found == ()


def test_an_absent_column_is_named() -> None:
    assert schema([0, 100, 0, 100, 100, 0]).found == ("column x is absent",)


def test_another_type_is_named() -> None:
    assert schema([40, 0, 60, 0, 100, 0]).found == ("column x has another type",)


def test_new_columns_are_named() -> None:
    found = schema([100, 0, 0, 0, 50, 50], unknown="y, z").found

    assert found == ("new columns: y, z",)


def test_fewer_than_twenty_rows_are_no_change_of_schema() -> None:
    assert schema([0, 19, 0, 19, 19, 0]).found == ()


def test_less_than_half_a_block_is_no_change_of_schema() -> None:
    assert schema([51, 0, 49, 0, 100, 0]).found == ()


def test_a_change_of_schema_ends_with_the_first_good_block() -> None:
    assert schema([0, 100, 0, 100, 100, 0], [100, 0, 0, 0, 100, 0]).found == ()


def test_a_change_of_schema_is_dated_by_its_first_block() -> None:
    bad = [0, 100, 0, 100, 100, 0]

    assert schema([100, 0, 0, 0, 100, 0], bad, bad).since == 10.0


def test_a_block_without_rows_leaves_the_schema_as_it_was() -> None:
    assert schema([0, 100, 0, 100, 100, 0], [0] * 6).found == ("column x is absent",)


def test_the_schema_can_be_watched_without_counting_unknown_columns() -> None:
    guard = SchemaChange([watched_column()], slice(0, 0))

    guard.update(np.array([0, 100, 0, 100]), "", 0.0, 1)

    assert guard.found == ("column x is absent",)


SETS = 2
LARGEST = {1: np.array([0.6, 0.6]), 4: np.array([0.55, 0.55])}


def envelope(*shares: float, rows: int = 1000, one_block: float = 1.0) -> Envelope:
    """Watch two even bins whose baseline never held more than LARGEST."""
    stream = value_stream([500, 500], deff=9.0, one_block=one_block, envelope=LARGEST)
    guard = Envelope([stream], 0.05, height=10.0)
    for number, share in enumerate(shares):
        inside = round(share * rows)
        hits = np.array([inside, rows - inside], dtype=float)
        guard.update(hits, np.array([float(rows)]), 10.0 * number)
    return guard


def test_a_share_within_the_baselines_extremes_is_quiet() -> None:
    assert envelope(0.6).culprit.tolist() == [-1]


def test_a_share_beyond_them_by_less_than_the_tolerance_is_quiet() -> None:
    assert envelope(float(theta_max(0.6, 0.05))).culprit.tolist() == [-1]


def test_a_share_far_beyond_them_is_told_with_its_set() -> None:
    guard = envelope(0.5, 0.9)

    assert (guard.culprit[0], guard.share[0], guard.since[0]) == (0, 0.9, 10.0)


def test_the_line_is_a_chernoff_bound_over_windows_and_sets() -> None:
    bound = float(theta_max(0.6, 0.05))
    line = 10.0 + np.log(4 * SETS)
    rows = line / float(kl(0.8, bound))

    assert envelope(0.8, rows=5 * int(1.05 * rows / 5)).culprit[0] == 0
    assert envelope(0.8, rows=5 * int(0.95 * rows / 5)).culprit[0] == -1


def test_the_one_block_design_effect_counts_rows_as_fewer() -> None:
    assert envelope(0.8, rows=300).culprit[0] == 0
    assert envelope(0.8, rows=300, one_block=5.0).culprit[0] == -1


def test_a_wider_window_is_held_to_its_own_extremes() -> None:
    # Within what one block may hold, and yet too much for four in a row.
    assert envelope(0.62, 0.62, 0.62, rows=20_000).culprit[0] == -1
    assert envelope(0.62, 0.62, 0.62, 0.62, rows=20_000).culprit[0] == 0


def test_the_warning_ends_when_the_window_has_passed() -> None:
    assert envelope(0.9, *[0.4] * 4).culprit[0] == -1


def test_a_stream_without_an_envelope_is_not_watched() -> None:
    guard = Envelope([value_stream([5, 5])], 0.05, height=10.0)

    guard.update(np.array([100.0, 0.0]), np.array([100.0]), 0.0)

    assert guard.culprit.tolist() == [-1]


def test_streams_around_an_envelope_do_not_disturb_it() -> None:
    watched = value_stream([500, 500], deff=9.0, envelope=LARGEST)
    guard = Envelope(
        [value_stream([5, 5, 5]), watched, value_stream([5, 5])], 0.05, height=10.0
    )
    first = value_stream([5, 5, 5]).sets
    hits = np.zeros(first + 4)
    hits[first : first + 2] = 900, 100

    guard.update(hits, np.array([10.0, 1000.0, 10.0]), 7.0)

    assert guard.culprit.tolist() == [-1, 0, -1]


@pytest.mark.parametrize("blocks", [1, 64, 200])
def test_totals_may_wrap_around(blocks: int) -> None:
    guard = envelope(*[0.9] * blocks, rows=2**30)

    assert guard.share[0] == pytest.approx(0.9)


@pytest.mark.parametrize(("rows", "status"), [(19, None), (20, "drift")])
def test_a_source_is_not_down_by_fewer_than_20_rows(
    rows: int, status: str | None
) -> None:
    guard = SourceDown([watched_column(longest_gap=0)])
    guard.update(np.array([0, rows, 0, 0, 0, 0]), 0.0)

    assert guard.status(0) == status
