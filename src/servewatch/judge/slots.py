"""Streams for the stages of a pipeline, whose names only the traffic tells.

Panels have a fixed size, and so has the budget of false alarms. So there are as many
places as stages will be judged, each with its streams and its part of the budget; the
first stages that a sealed block holds take them, in the order of their names, and keep
them. All places together have a quarter of one stream: nobody else's threshold is
higher for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from servewatch.judge.latency import QUANTILES, learn
from servewatch.judge.stream import Stream
from servewatch.sketch.latency import BOUNDS, BUCKETS
from servewatch.sketch.stages import (
    DURATIONS,
    EVENT_LOOP,
    FAILED,
    OK,
    OTHER,
    RETRIED,
    Stages,
)

PLACES = 16
TAILS = len(QUANTILES)
OUTCOMES = (OK, FAILED, RETRIED)
WIDTH = BUCKETS + len(OUTCOMES)
LATENCY, ERRORS, RETRIES = range(3)
LEAST = BOUNDS.index(0.001)  # seconds
RARELY = np.array([0.01, 0.02, 0.05])  # of the runs may become slow (warn, drift, ...)
LAGS = 120  # of the event loop: two minutes have to do
# A slow stage is the likeliest fault. All of them have a quarter of one stream, whose
# other three are the latency of requests.
PARTS = 1 / 128, 1 / 256, 1 / 256

Words = Callable[[int], tuple[str, str]]


class Slots:
    """The places of stages: `names` are taken, in order, from sealed blocks.

    Those `calibrated` have their reference from rows that somebody had the model answer
    for it, all others from their first runs.

    >>> slots = Slots(0, (0.005, 0.01, 0.05))
    >>> len(slots.streams()), slots.size
    (48, 1184)
    """

    def __init__(
        self,
        start: int,
        tolerances: Sequence[float],
        informational: Iterable[str] = (),
    ) -> None:
        """Count from cell *start* on; *tolerances* are of the share of failed runs.

        Streams of stages named in *informational* as `stage:NAME` do not gate.
        """
        self.start, self.size = start, PLACES * WIDTH
        self.names: list[str] = []
        self.calibrated: set[str] = set()
        self._tolerances = np.array(tolerances)[:, None]
        self._informational = frozenset(informational)

    def streams(self) -> list[Stream]:
        """Give the streams of all places, none of which has a name yet."""
        return [
            stream
            for place in range(PLACES)
            for stream in (
                self._latency(place),
                self._outcome(place, ERRORS),
                self._outcome(place, RETRIES),
            )
        ]

    def cells(self, stages: Stages) -> NDArray[np.int64]:
        """Give the cells (size,) of a block's *stages*, those that have a place."""
        found = np.zeros((PLACES, WIDTH), dtype=np.int64)
        for place, name in enumerate(self.names):
            cells = stages.get(name)
            if cells is not None:
                found[place, :BUCKETS] = cells[DURATIONS]
                found[place, BUCKETS:] = cells[list(OUTCOMES)]
        return found.ravel()

    def admit(self, stages: Stages) -> bool:
        """Give places to new names among *stages*; tell whether there were any."""
        known = len(self.names)
        fresh = sorted({*stages} - {*self.names, OTHER})  # a mix is no stage
        self.names += fresh[: PLACES - known]
        return len(self.names) > known

    def named(self, stream: Stream, nth: int) -> Stream:
        """Give *stream*, the nth of `streams`, the name of its stage, if it has one."""
        place, kind = divmod(nth, len(PARTS))
        if place >= len(self.names):
            return replace(stream, name="", column="", gates=True, learns_from=None)
        name = self.names[place]
        tells: tuple[Callable[[], Words], ...] = (
            lambda: _slower(name, stream.members),
            lambda: _words(f"stage {name}: failed"),
            lambda: _words(f"stage {name}: tried again"),
        )
        ends = "", "/errors", "/retries"
        gates = self._informational.isdisjoint(
            {stage_stream(name), f"{stage_stream(name)}{ends[kind]}"}
        )
        return replace(
            stream,
            name=f"{stage_stream(name)}{ends[kind]}",
            words=tells[kind](),
            gates=gates,
            column=f"stage:{name}",
            learns_from=LAGS if name == EVENT_LOOP else None,
        )

    def _latency(self, place: int) -> Stream:
        start = self.start + place * WIDTH
        return Stream(
            name="",
            role="stage",
            family="latency",
            span=slice(start, start + BUCKETS),
            members=np.zeros((TAILS, BUCKETS), dtype=bool),
            weights=np.zeros(TAILS),
            tails=np.zeros(TAILS, dtype=bool),
            base=np.ones(BUCKETS, dtype=bool),
            shares=np.zeros(TAILS),
            known_hits=np.ones(TAILS),
            known_rows=np.ones(TAILS),
            tolerances=np.full((3, TAILS), np.nan),
            words=_words("stage"),
            design_effect=None,
            learns=True,
            unit="runs",
            part=PARTS[LATENCY],
        )

    def _outcome(self, place: int, kind: int) -> Stream:
        """Failed runs, for which nothing is normal, or retries, which are learned."""
        start = self.start + place * WIDTH + BUCKETS
        counted = np.array([True, True, kind == RETRIES])
        wanted = np.arange(len(OUTCOMES)) == (1 if kind == ERRORS else 2)
        return Stream(
            name="",
            role="stage",
            family="rate",
            span=slice(start, start + len(OUTCOMES)),
            members=wanted[None, :],
            weights=np.ones(1) if kind == ERRORS else np.zeros(1),
            tails=np.zeros(1, dtype=bool),
            base=counted,
            shares=np.zeros(1),
            known_hits=np.zeros(1) if kind == ERRORS else np.ones(1),
            known_rows=np.zeros(1) if kind == ERRORS else np.ones(1),
            tolerances=self._tolerances,
            words=_words("stage"),
            design_effect=1.0 if kind == ERRORS else None,
            tempered=kind != ERRORS,
            learns=kind == RETRIES,
            unit="runs",
            part=PARTS[kind],
        )


def stage_stream(name: str) -> str:
    """Name the latency stream of the stage called *name*; no two are alike.

    >>> stage_stream("encode"), stage_stream("encode/errors")
    ('stage:encode', 'stage:encode%2Ferrors')
    """
    name = name.replace("%", "%25")
    if name.endswith(("/errors", "/retries")):
        name = "%2F".join(name.rsplit("/", 1))
    return f"stage:{name}"


def tails_of(counts: NDArray[np.int64], least: int = LEAST) -> NDArray[np.bool_]:
    """Give the upper tails (5, buckets) of *counts* nearest to `QUANTILES`.

    None begins below bucket *least*: what takes a tenth of a millisecond may take a
    whole one, and nobody minds.

    >>> counts = np.array([90, 9, 1])
    >>> tails_of(counts, least=0).sum(axis=1).tolist()
    [2, 2, 1, 1, 1]
    >>> tails_of(counts, least=1).sum(axis=1).tolist()
    [1, 1, 1, 1, 1]
    """
    buckets = np.arange(counts.size)
    bounds = buckets[:-1]
    shares = 1 - counts.cumsum()[:-1] / max(int(counts.sum()), 1)
    found = [int(np.abs(shares - (1 - q)).argmin()) for q in QUANTILES]
    nearest = [max(place, least) for place in found]
    return np.array([buckets > bounds[k] for k in nearest])


def learn_stage(stream: Stream, counts: NDArray[np.int64]) -> Stream:
    """Give a stage's latency its reference, and the tails that fit it."""
    members = tails_of(counts)
    name = stream.column.removeprefix("stage:")
    words = _slower(name, members)
    found = learn(replace(stream, members=members, words=words), counts)
    assert found.ceilings is not None
    return replace(found, ceilings=np.maximum(found.ceilings, RARELY[:, None]))


def _words(text: str) -> Words:
    return lambda _: (text, text)


def _slower(name: str, members: NDArray[np.bool_]) -> Words:
    def describe(index: int) -> tuple[str, str]:
        place = int(members[index].argmax()) - 1
        words = f"stage {name}: slower than {BOUNDS[max(place, 0)]:g} s"
        return words, words

    return describe
