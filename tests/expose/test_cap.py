from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from servewatch.expose.cap import shown_in_turns, shown_whole

sizes = st.lists(st.integers(0, 2000), max_size=12)
rooms = st.integers(0, 6000)


def test_models_take_turns_of_a_hundred() -> None:
    assert shown_in_turns([1000, 1000], room=350) == [200, 150]


def test_what_fits_is_shown() -> None:
    assert shown_in_turns([1000, 30], room=1030) == [1000, 30]


@given(sizes, rooms)
def test_the_room_is_used_and_not_exceeded(sizes: list[int], room: int) -> None:
    shown = shown_in_turns(sizes, room)
    assert sum(shown) == min(room, sum(sizes))
    assert all(own <= size for own, size in zip(shown, sizes, strict=True))


@given(sizes, rooms)
def test_a_model_with_less_is_not_cut_more(sizes: list[int], room: int) -> None:
    shown = shown_in_turns(sorted(sizes), room)
    cut = [size - own for size, own in zip(sorted(sizes), shown, strict=True)]
    assert cut == sorted(cut)


def test_a_group_is_shown_whole_or_not_at_all() -> None:
    assert shown_whole([[10, 16], [16, 5]], room=20) == [[True, False], [False, True]]
