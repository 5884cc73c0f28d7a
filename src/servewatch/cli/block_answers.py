"""What `/watch/blocks?streams=1` answers, as `gate --stable` reads it."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

import msgspec
import numpy as np

from servewatch.client import Client
from servewatch.errors import GateError
from servewatch.judge.canary import Compared, Side


class StreamAnswer(msgspec.Struct):
    """A stream; S sets, null where no absolute tolerance is given."""

    name: str
    role: str
    design_effect: float
    drift: list[float | None]
    severe: list[float | None]
    words: list[str]


class BlockAnswer(msgspec.Struct):
    """A block: hits of all sets and rows of all streams, in their order."""

    number: int
    start: datetime
    end: datetime
    hits: list[int]
    stream_rows: list[int]


class ModelAnswer(msgspec.Struct):
    """One model's blocks, and the number of the block to ask for next."""

    model: str
    version: str | None
    baseline: str | None
    block_seconds: float
    tolerance: float
    alpha: float
    streams: list[StreamAnswer]
    blocks: list[BlockAnswer]
    next: int | None


class BlocksAnswer(msgspec.Struct):
    """The blocks of all models of a server, or of the one that was asked for."""

    models: list[ModelAnswer]


def ask_for_blocks(client: Client, since: int, model: str | None) -> ModelAnswer:
    """Give the blocks of *model* numbered *since* and later, a page of them.

    Raises `GateError` where the server has several models and none was named.
    """
    asked = {"streams": "1", "since": str(since)}
    route = "/watch/blocks?" + urlencode(asked | ({"model": model} if model else {}))
    try:
        found = msgspec.json.decode(client.get(route), type=BlocksAnswer)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise GateError(
            "this is not what /watch/blocks answers",
            where=client.base + route,
            found=str(error),
            expected="models with streams and blocks",
            remedy="use one version of ServeWatch on both servers and here",
        ) from error
    if len(found.models) != 1:
        raise GateError(
            "the server watches several models",
            where=client.base,
            found=", ".join(each.model for each in found.models),
            expected="the name of one",
            remedy="name it: --model NAME",
        )
    return found.models[0]


def compared(canary: StreamAnswer, stable: StreamAnswer) -> Compared:
    """Give a stream as it is compared: by the larger design effect of the two."""
    return Compared(
        name=canary.name,
        role=canary.role,
        sets=len(canary.words),
        drift=np.array(canary.drift, dtype=np.float64),
        severe=np.array(canary.severe, dtype=np.float64),
        design_effect=max(canary.design_effect, stable.design_effect),
        words=canary.words,
    )


def side(block: BlockAnswer) -> Side:
    """Give a block as it is compared."""
    return Side(
        block.start.timestamp(),
        block.end.timestamp(),
        np.array(block.hits, dtype=np.int64),
        np.array(block.stream_rows, dtype=np.int64),
    )
