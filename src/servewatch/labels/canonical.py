"""One text for one label, however it was written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite

from servewatch.sketch.encode import to_numbers, to_texts
from servewatch.sketch.truth import Truth

TRUTHS = {"true": "1", "false": "0"}
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def canonical(truth: Truth, label: object) -> str | None:
    """Give *label* as the text that equal labels share; None where it can be none.

    A class is one of those of *truth*, however it is written: `1`, `1.0`, `"1"` and
    `True`, or a text in a file that says as much. One never seen is no label, for the
    first label stays, and a mistyped one could never be mended. Numbers are finite,
    also where they come as texts.

    >>> flag = Truth(task="classification", target="y", classes=("0", "1"))
    >>> canonical(flag, True), canonical(flag, "1.0"), canonical(flag, "maybe")
    ('1', '1', None)
    >>> amount = Truth(task="regression", target="y")
    >>> canonical(amount, 3), canonical(amount, "3.0"), canonical(amount, "many")
    ('3.0', '3.0', None)
    """
    if truth.task == "regression":
        return _number(label)
    return next((text for text in _spellings(label) if text in truth.classes), None)


def expected(truth: Truth) -> str:
    """Say what a label has to be.

    >>> expected(Truth(task="regression", target="y"))
    'a label is a finite number'
    """
    if truth.task == "regression":
        return "a label is a finite number"
    return f"a label is one of the {len(truth.classes)} classes of the evaluation rows"


def _spellings(label: object) -> Iterator[str]:
    """Give what *label* may be called as a class, the closest first."""
    (text,) = to_texts([label])
    if text is None:
        return
    yield text
    if isinstance(label, str) and NUMBER.fullmatch(label):
        yield from filter(None, to_texts([float(label)]))
    said = text.lower()
    if said in TRUTHS:
        yield TRUTHS[said]
        yield from (said, said.capitalize(), said.upper())


def _number(label: object) -> str | None:
    if isinstance(label, bool):
        return None
    if isinstance(label, str):
        if not NUMBER.fullmatch(label):
            return None
        number = float(label)
    else:
        number = float(to_numbers([label])[0][0])
    return repr(number + 0.0) if isfinite(number) else None
