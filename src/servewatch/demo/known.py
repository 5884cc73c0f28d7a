"""What is known about the data beforehand, to be held against what ServeWatch says."""

from __future__ import annotations

from typing import NamedTuple

from servewatch.demo.retail import FAULT_FROM, FAULTY

DEMAND = ("units_lag1", "units_mean4", "orders_lag1", "customers_lag1", "predicted")


class Fact(NamedTuple):
    """Something that is in the data of these columns from week to week (ISO, both in).

    The first fact that fits is the one told.
    """

    columns: tuple[str, ...]
    first: str
    last: str
    sentence: str


FACTS = (
    Fact(
        ("anon_share_lag1",),
        "2010-12-13",
        "2011-01-03",
        "really there: orders without a customer number more than double in December",
    ),
    Fact(
        (*DEMAND, "dataset"),
        "2010-09-27",
        "2010-12-13",
        "really there: sales grow towards Christmas",
    ),
    Fact(
        (*DEMAND, "dataset"),
        "2010-12-20",
        "2011-01-31",
        "really there: the shop closes over Christmas and starts again from nothing",
    ),
)


def known(stream: str, week: str, status: str, *, is_faulty: bool) -> str | None:
    """Say what is known about *stream* in *week*; None: nothing.

    >>> known("units_mean4/missing", "2010-09-06", "drift", is_faulty=True)
    'the fault: the source of past sales delivers nothing since 2010-09-06'
    """
    if status == "ok":
        return None
    column = stream.partition("/")[0]
    if is_faulty and week >= FAULT_FROM:
        if column in FAULTY:
            return (
                "the fault: the source of past sales delivers nothing "
                f"since {FAULT_FROM}"
            )
        if column == "predicted":
            return "follows from the fault: two of seven features are gone"
    for fact in FACTS:
        if column in fact.columns and fact.first <= week <= fact.last:
            return fact.sentence
    return None
