from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servewatch.config import Config
from servewatch.judge.judge import Judge
from servewatch.judge.state import pack_judge, unpack_judge
from servewatch.judge.summary import verdicts
from servewatch.monitor.service import service_streams
from servewatch.sketch.layout import NO_COLUMNS
from tests.judge.made import block, value_stream, watched_column

CONFIG = Config(latency_reference_rows=500)
LATENCY = NO_COLUMNS.service("request_seconds")


def fresh() -> Judge:
    """A judge with values, guards and a latency that learns."""
    size = NO_COLUMNS.size
    values = value_stream([5000, 3000, 2000], start=size, deff=None)
    columns = [watched_column()]
    streams = (*service_streams(None, NO_COLUMNS, CONFIG), values)
    return Judge(streams, size + 3, CONFIG, columns=columns)


def serve(judge: Judge, blocks: int, seed: int = 1) -> Judge:
    rng = np.random.default_rng(seed)
    for _ in range(blocks):
        cells = np.zeros(NO_COLUMNS.size + 3, dtype=np.int64)
        cells[LATENCY.start + 30 : LATENCY.start + 33] = rng.multinomial(
            50, [0.5, 0.4, 0.1]
        )
        cells[-3:] = rng.multinomial(100, [0.6, 0.3, 0.1])
        judge.observe(block(cells, judge.blocks))
    return judge


@pytest.mark.parametrize("blocks", [0, 1, 9, 10, 60])
def test_a_restored_judge_goes_on_as_if_nothing_had_happened(blocks: int) -> None:
    went_on, restored = serve(fresh(), blocks), fresh()
    unpack_judge(restored, pack_judge(serve(fresh(), blocks)))

    serve(went_on, 40, seed=2)
    serve(restored, 40, seed=2)

    assert verdicts(restored) == verdicts(went_on)
    assert pack_judge(restored) == pack_judge(went_on)


def test_the_state_of_another_judge_is_refused() -> None:
    raw = pack_judge(Judge([value_stream([5, 5])], 2, CONFIG))

    with pytest.raises(ValueError, match="not the state of this judge"):
        unpack_judge(fresh(), raw)


@given(junk=st.binary(max_size=100))
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(ValueError, match="not the state of this judge"):
        unpack_judge(fresh(), junk)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(0, 99, id="version"),
        pytest.param(1, [], id="no arrays"),
        pytest.param(2, [1], id="too few numbers"),
        pytest.param(4, "then", id="time"),
    ],
)
def test_a_refused_state_leaves_the_judge_as_it_was(place: int, value: object) -> None:
    judge = serve(fresh(), 5)
    before = pack_judge(judge)
    fields = msgspec.msgpack.decode(pack_judge(serve(fresh(), 9)))
    fields[place] = value

    with pytest.raises(ValueError, match="not the state of this judge"):
        unpack_judge(judge, msgspec.msgpack.encode(fields))

    assert pack_judge(judge) == before
