"""`servewatch gate --stable`: what two servers have seen in the same blocks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from servewatch.cli.block_answers import ModelAnswer, ask_for_blocks, compared, side
from servewatch.cli.terminal import styled
from servewatch.client import Client
from servewatch.errors import GateError
from servewatch.judge.canary import Canary, Difference, Outcome, Side, aligned

SHOWN = 8
NOTHING_COMMON = "no block has rows of both yet"


class Watched:
    """One of the two servers, and the blocks that it has told of."""

    def __init__(self, client: Client, model: str | None) -> None:
        """Ask nothing yet; *model* is the one of several."""
        self.client, self._model = client, model
        self.blocks: list[Side] = []
        self._next = 0

    def ask(self) -> ModelAnswer:
        """Take in what is new, and give what the server says of itself."""
        while True:
            answer = ask_for_blocks(self.client, self._next, self._model)
            self.blocks += map(side, answer.blocks)
            if answer.blocks:
                self._next = answer.blocks[-1].number + 1
            if answer.next is None:
                return answer


class Against:
    """Asks a canary and what is stable, and compares them."""

    def __init__(self, canary: Watched, stable: Watched, *, since: float) -> None:
        """Compare blocks that began at *since* (Unix seconds) or later."""
        self._canary, self._stable, self._since = canary, stable, since

    def ask(self) -> Outcome:
        """Compare all that both have told of up to now. Raises `GateError`."""
        one, other = self._canary.ask(), self._stable.ask()
        self._check(one, other)
        canary = Canary(
            [compared(*pair) for pair in zip(one.streams, other.streams, strict=True)],
            drift=one.tolerance,
            alpha=one.alpha,
        )
        for pair in aligned(self._late(self._canary), self._late(self._stable)):
            canary.add(*pair)
        return canary.outcome()

    def _late(self, watched: Watched) -> list[Side]:
        return [block for block in watched.blocks if block.start >= self._since]

    def _check(self, one: ModelAnswer, other: ModelAnswer) -> None:
        """Raise where what the two count cannot be compared."""
        if one.baseline != other.baseline or one.baseline is None:
            raise self._unlike(
                "the two servers count by different baselines",
                found=other.baseline,
                expected=one.baseline,
                remedy="serve both with one baseline file",
            )
        if one.block_seconds != other.block_seconds:
            raise self._unlike(
                "the two servers have blocks of different lengths",
                found=other.block_seconds,
                expected=one.block_seconds,
                remedy="set block_seconds alike",
            )
        mine, theirs = ({s.name for s in each.streams} for each in (one, other))
        if mine != theirs:
            raise self._unlike(
                "the two servers judge different streams",
                found=", ".join(sorted(theirs - mine)) or "none more",
                expected=", ".join(sorted(mine - theirs)) or "none more",
                remedy="set informational and alert_on alike",
            )

    def _unlike(
        self, what: str, *, found: object, expected: object, remedy: str
    ) -> GateError:
        return GateError(
            what,
            where=self._stable.client.base,
            found=found,
            expected=f"{expected} as of {self._canary.client.base}",
            remedy=remedy,
        )


def parse_since(text: str | None) -> float:
    """Give a moment as Unix seconds: they, or ISO 8601; naive times are UTC.

    Raises ValueError.

    >>> parse_since("2026-11-02T08:00:00Z"), parse_since(None)
    (1793606400.0, 0.0)
    """
    if text is None:
        return 0.0
    try:
        return float(text)
    except ValueError:
        at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def shortfall(outcome: Outcome) -> str:
    """Say why there is no verdict yet.

    >>> shortfall(Outcome("inconclusive", [], [], 0, None, []))
    'no block has rows of both yet'
    """
    if outcome.incomparable:
        names = ", ".join(each.stream for each in outcome.incomparable[:SHOWN])
        return f"the traffic is not comparable: {names}"
    if outcome.rows == 0:
        return NOTHING_COMMON
    if outcome.rows_needed is None:
        few = ", ".join(outcome.undecided[:SHOWN])
        return f"more rows are needed, nobody knows how many: {few} differ a little"
    return f"about {outcome.rows_needed:,} more rows of the canary are needed"


def as_object(canary: str, stable: str, outcome: Outcome) -> dict[str, Any]:
    """Give the outcome as plain JSON values."""
    return {
        "url": canary,
        "stable": stable,
        "verdict": outcome.verdict,
        "ok": {"pass": True, "fail": False, "inconclusive": None}[outcome.verdict],
        "reason": shortfall(outcome) if outcome.verdict == "inconclusive" else None,
        "rows": outcome.rows,
        "rows_needed": outcome.rows_needed,
        "differences": [_described(each) for each in outcome.differences],
        "incomparable": [_described(each) for each in outcome.incomparable],
        "undecided": list(outcome.undecided),
        "left_out": list(outcome.left_out),
    }


def _described(difference: Difference) -> dict[str, Any]:
    return {
        "stream": difference.stream,
        "role": difference.role,
        "words": difference.words,
        "stable": difference.stable,
        "canary": difference.canary,
        "rows": difference.rows,
    }


def explain_outcome(console: Console, outcome: Outcome) -> None:
    """Print the verdict, and why it is no other, in sentences."""
    console.print(
        f"{styled(outcome.verdict)} after {outcome.rows:,} rows of the canary"
    )
    if outcome.verdict == "inconclusive":
        console.print(shortfall(outcome), markup=False, soft_wrap=True)
    _tell(console, "fail", outcome.differences)
    _tell(console, "inconclusive", outcome.incomparable)
    if outcome.left_out:
        more = len(outcome.left_out) - SHOWN
        names = ", ".join(outcome.left_out[:SHOWN])
        rest = f" and {more} more" if more > 0 else ""
        console.print(f"left out: {names}{rest}", markup=False, soft_wrap=True)


def _tell(console: Console, style: str, differences: Sequence[Difference]) -> None:
    for each in differences:
        console.print(f"  {styled(style)} ", end="")
        told = f"{each.words}: stable {each.stable:.1%}, canary {each.canary:.1%}"
        console.print(told, markup=False, soft_wrap=True)
