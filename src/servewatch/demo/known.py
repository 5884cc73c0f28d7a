"""What is known about the data beforehand, to be held against what ServeWatch says."""

from __future__ import annotations

from typing import NamedTuple

from servewatch.demo.retail import FAULT_FROM

LOUD = frozenset({"warning", "drift"})
EMPTY = f"the fault: the source of past sales delivers nothing since {FAULT_FROM}"
FIRST_LABELS = "2010-09-13"  # of a week with the fault
WORSE = (
    "follows from the fault: in September the model errs by 62 % of the units sold, "
    "without it by 45 %"
)


class Fact(NamedTuple):
    """What is in the data of these streams from week to week (ISO, both included).

    `loud` tells why they may be warning or drift, `back` why they are not any more.
    What is known of errors is so a week later: then the labels come.
    """

    streams: tuple[str, ...]
    first: str
    last: str
    loud: str
    back: str


# The first fact that fits is the one told.
FAULT = (
    Fact(("units_lag1", "units_mean4"), FAULT_FROM, "2011-12-31", EMPTY, ""),
    Fact(
        ("predicted",),
        FAULT_FROM,
        "2011-12-31",
        "follows from the fault: the model has lost two of its seven features",
        "",
    ),
    Fact(
        ("duplicates",),
        FAULT_FROM,
        "2011-12-31",
        "follows from the fault: rows without these two features repeat more often",
        "",
    ),
    Fact(("dataset",), FAULT_FROM, "2011-12-31", "follows from the fault", ""),
    Fact(
        ("error/absolute", "error/clipped"),
        FIRST_LABELS,
        "2011-12-31",
        WORSE,
        "errors in units shrink with sales, and early 2011 sells far less than autumn",
    ),
    Fact(("error",), FIRST_LABELS, "2011-12-31", WORSE, ""),
)
REAL = (
    Fact(
        ("predicted", "dataset", "orders_lag1", "customers_lag1", "units_mean4"),
        "2010-10-04",
        "2010-12-06",
        "really there: sales grow towards Christmas",
        "",
    ),
    Fact(
        ("predicted", "dataset", "orders_lag1", "customers_lag1", "units_lag1"),
        "2010-12-13",
        "2011-01-03",
        "really there: the shop winds down for Christmas and closes for a week",
        "",
    ),
    Fact(
        (
            "predicted",
            "dataset",
            "units_mean4",
            "units_lag1",
            "orders_lag1",
            "customers_lag1",
        ),
        "2011-01-10",
        "2011-12-31",
        "really there: 2011 sells less than 2010",
        "sales have recovered from the winter",
    ),
    Fact(
        ("anon_share_lag1",),
        "2010-12-13",
        "2010-12-27",
        "really there: orders without a customer number more than double in December",
        "",
    ),
    Fact(
        ("anon_share_lag1/missing",),
        "2011-01-03",
        "2011-03-31",
        "really there: nothing was sold the week before, so the share is empty",
        "the shop has sold again",
    ),
    Fact(
        ("error",),
        "2010-12-20",
        "2011-03-31",
        "really there: the model predicts far too much as the shop winds down, and too "
        "little when it opens again",
        "since March the model errs as much as it did before Christmas",
    ),
    Fact(
        ("price",),
        "2010-12-27",
        "2011-02-28",
        "really there: the last few sales before the closed week were dearer",
        "the shop has sold again, at its usual prices",
    ),
)


def known(stream: str, week: str, status: str, *, is_faulty: bool) -> str | None:
    """Say what is known about *stream* in *week*; None: nothing.

    >>> known("units_mean4/missing", "2010-09-06", "drift", is_faulty=True)
    'the fault: the source of past sales delivers nothing since 2010-09-06'
    """
    column = stream.partition("/")[0]
    for fact in (*(FAULT if is_faulty else ()), *REAL):
        if not {stream, column} & set(fact.streams):
            continue
        if fact.first <= week <= fact.last:
            return (fact.loud if status in LOUD else fact.back) or None
    return None
