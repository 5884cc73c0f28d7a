from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.sketch.codec import pack, unpack
from servewatch.sketch.layout import NO_COLUMNS
from servewatch.sketch.stages import CELLS
from servewatch.sketch.window import Window
from tests.sketch.made import LAYOUT, folded, rows_of


def read(raw: bytes) -> Window:
    return unpack(raw, LAYOUT)


@given(seed=st.integers(0, 1000), rows=st.integers(0, 50))
def test_what_was_packed_comes_back(seed: int, rows: int) -> None:
    window = folded(rows_of(seed, rows) | {"odd": np.zeros(rows)}, rows, seed)

    back = read(pack(window))

    assert (back.start, back.end) == (window.start, window.end)
    assert (back.rows, back.requests) == (window.rows, window.requests)
    np.testing.assert_array_equal(back.counts, window.counts)
    np.testing.assert_array_equal(back.moments, window.moments)
    np.testing.assert_array_equal(back.reservoir.keys, window.reservoir.keys)
    np.testing.assert_array_equal(back.reservoir.codes, window.reservoir.codes)
    assert dict(back.unknown) == dict(window.unknown)


def test_what_came_back_can_be_counted_on() -> None:
    back = read(pack(folded(rows_of(1, 5), 5)))

    assert back.merge(back).rows == 10
    back.counts[0] += 1


@given(junk=st.binary(max_size=200))
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(ValueError, match="not a window"):
        read(junk)


@given(cut=st.integers(0, 400))
def test_a_truncated_window_is_refused(cut: int) -> None:
    raw = pack(folded(rows_of(1, 5), 5))

    with pytest.raises(ValueError, match="not a window"):
        read(raw[: min(cut, len(raw) - 1)])


def altered(place: int, value: object) -> bytes:
    """Replace one field of a packed window."""
    fields = msgspec.msgpack.decode(pack(folded(rows_of(1, 5), 5)))
    fields[place] = value
    return msgspec.msgpack.encode(fields)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(0, 1, id="version"),
        pytest.param(1, "soon", id="start"),
        pytest.param(3, None, id="rows"),
        pytest.param(3, -1, id="negative rows"),
        pytest.param(4, -1, id="negative requests"),
        pytest.param(5, b"\0" * 8, id="too few cells"),
        pytest.param(5, b"\0" * 7, id="half a cell"),
        pytest.param(5, b"\xff" * 8 * LAYOUT.size, id="negative counts"),
        pytest.param(6, b"\0" * 8, id="moments"),
        pytest.param(7, b"\0" * 16, id="keys without codes"),
        pytest.param(8, b"\0", id="half a row of codes"),
        pytest.param(9, 99, id="columns"),
        pytest.param(10, 4, id="more rows kept than allowed"),
        pytest.param(11, {f"n{k}": 1 for k in range(17)}, id="too many names"),
        pytest.param(11, {"x": "many"}, id="a name without a count"),
        pytest.param(14, {"encode": b"\0" * 8}, id="too few cells of a stage"),
        pytest.param(14, {"encode": b"\xff" * 8 * CELLS}, id="negative runs"),
        pytest.param(
            14, {f"s{k}": b"\0" * 8 * CELLS for k in range(34)}, id="too many stages"
        ),
    ],
)
def test_a_window_with_an_impossible_field_is_refused(
    place: int, value: object
) -> None:
    with pytest.raises(ValueError, match="not a window"):
        read(altered(place, value))


def test_keys_out_of_order_are_refused() -> None:
    window = folded(rows_of(1, 5), 5)
    backwards = window.reservoir.keys[::-1].astype("<u8").tobytes()

    with pytest.raises(ValueError, match="not a window"):
        read(altered(7, backwards))


def test_a_window_of_another_layout_is_refused() -> None:
    raw = pack(folded(rows_of(1, 5), 5))

    with pytest.raises(ValueError, match="not a window"):
        unpack(raw, NO_COLUMNS)


def test_stages_survive_the_way_to_bytes_and_back() -> None:
    window = Window.empty(LAYOUT, 0.0, 10.0)
    window.stages = {"encode": np.arange(CELLS)}
    back = read(pack(window))
    assert back.stages.keys() == {"encode"}
    assert back.stages["encode"].tolist() == list(range(CELLS))
