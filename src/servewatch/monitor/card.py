"""The cause card: what happened, where it began, and what it reaches, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from servewatch.monitor.report import iso


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence with values of the data, and one without any."""

    detail: str
    public: str

    @staticmethod
    def same(text: str) -> Said:
        """Give a sentence that names no value."""
        return Said(text, text)

    def told(self, *, detail: bool) -> str:
        """Give the one sentence or the other."""
        return self.detail if detail else self.public


@dataclass(frozen=True, slots=True)
class Slowed:
    """A stage whose runs take longer: 95 % took at most so many seconds.

    None where that is beyond the last bucket.
    """

    stage: str
    before: float | None
    after: float | None

    @property
    def words(self) -> str:
        """Give it as a sentence.

        >>> Slowed("encode", 0.002, 0.032).words
        'stage encode slowed: p95 2 ms -> 32 ms'
        """
        before, after = _seconds(self.before), _seconds(self.after)
        return f"stage {self.stage} slowed: p95 {before} -> {after}"


@dataclass(frozen=True, slots=True)
class Example:
    """A request to look at, and `why` it was chosen; `at` in Unix seconds."""

    why: str
    id: str | None
    trace_id: str | None
    at: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON values."""
        return {
            "why": self.why,
            "id": self.id,
            "trace_id": self.trace_id,
            "at": iso(self.at),
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of an incident from counts; nothing in it is a model's guess.

    `headline` names the likeliest cause with before and after; `departs` where the data
    is first unlike the baseline's ("input", or the name of a step); `slowed` the stages
    that take longer; `segments` the values of a column that carry most of it;
    `prediction` and `performance` say what these did ("moved", "held", None: unknown;
    "rose", "held", "fell", with `basis` "measured" or "estimated"); `changes` what was
    deployed or declared about that time; `impacted` the steps from there on, in order;
    `consumers` who uses the predictions; `examples` requests to look at.
    """

    since: float | None
    headline: Said
    departs: str | None = None
    departs_after: Sequence[str] = ()
    slowed: Sequence[Slowed] = ()
    segments: Sequence[Said] = ()
    prediction: str | None = None
    performance: str | None = None
    basis: str | None = None
    changes: Sequence[str] = ()
    impacted: Sequence[str] = ()
    consumers: Sequence[str] = ()
    source: str | None = None
    examples: Sequence[Example] = ()
    more: Sequence[Said] = field(default_factory=tuple)

    def lines(self, *, detail: bool = True) -> list[str]:
        """Give the card as sentences, the first one the headline."""
        found = [self.headline.told(detail=detail)]
        found += [said.told(detail=detail) for said in self.more]
        if detail and self.source is not None:
            found.append(f"it comes from {self.source}")
        if self.departs is not None:
            found.append(self._departure())
        found += [each.words for each in self.slowed]
        found += [said.told(detail=detail) for said in self.segments]
        if self.prediction is not None and not found[0].startswith("predictions moved"):
            moved = {"moved": "predictions moved", "held": "predictions have not moved"}
            found.append(moved[self.prediction])
        if self.performance is not None:
            by = "by labels" if self.basis == "measured" else "by estimate"
            told = {"rose": "rose", "fell": "fell", "held": "has not risen"}
            found.append(f"the model's error {told[self.performance]} ({by})")
        if detail:
            found += [f"at that time: {change}" for change in self.changes]
        if self.impacted:
            found.append(f"reaches {' -> '.join(self.impacted)}")
        if detail and self.consumers:
            found.append(f"used by {', '.join(self.consumers)}")
        return found

    def _departure(self) -> str:
        if self.departs == "input":
            return "the data is unlike the baseline's before the first step"
        as_before = ", ".join(self.departs_after)
        return (
            f"the data first departs after the step {self.departs}; "
            f"before it ({as_before}) it is as in the baseline"
        )

    def to_dict(self, *, detail: bool = True) -> dict[str, Any]:
        """Give plain JSON values.

        Without *detail* none of them is of the data, names a request or a system
        outside, or is what somebody wrote about a deployment.
        """
        return {
            "headline": self.headline.told(detail=detail),
            "lines": self.lines(detail=detail),
            "since": iso(self.since),
            "departs": self.departs,
            "slowed": [
                {
                    "stage": each.stage,
                    "p95_before": each.before,
                    "p95_after": each.after,
                }
                for each in self.slowed
            ],
            "segments": [said.told(detail=detail) for said in self.segments],
            "prediction": self.prediction,
            "performance": _performance(self.performance, self.basis),
            "changes": list(self.changes) if detail else [],
            "impacted": list(self.impacted),
            "consumers": list(self.consumers) if detail else [],
            "source": self.source if detail else None,
            "examples": [each.to_dict() for each in self.examples] if detail else [],
        }


def _performance(moved: str | None, basis: str | None) -> Mapping[str, str] | None:
    if moved is None:
        return None
    return {"error": moved, "basis": basis or ""}


def _seconds(value: float | None) -> str:
    """Give a duration as people say it.

    >>> _seconds(0.0016), _seconds(2.5), _seconds(None)
    ('1.6 ms', '2.5 s', 'beyond 80 s')
    """
    if value is None:
        return "beyond 80 s"
    return f"{value:g} s" if value >= 1 else f"{1000 * value:g} ms"
