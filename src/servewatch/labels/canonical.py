"""One text for one label, however it was written."""

from __future__ import annotations

from math import isfinite

from servewatch.sketch.encode import ODD_TEXT, to_numbers, to_texts
from servewatch.sketch.truth import Truth

LONGEST = 256
TRUTHS = {"true": "1", "false": "0"}


def canonical(truth: Truth, label: object) -> str | None:
    """Give *label* as the text that equal labels share; None where it can be none.

    Classes are texts as the baseline's categories are, numbers finite ones, also where
    they come as texts (from a CSV file).

    >>> flag = Truth(task="classification", target="y", classes=("0", "1"))
    >>> canonical(flag, True), canonical(flag, "1"), canonical(flag, 1.0)
    ('1', '1', '1')
    >>> amount = Truth(task="regression", target="y")
    >>> canonical(amount, 3), canonical(amount, "3.0"), canonical(amount, "many")
    ('3.0', '3.0', None)
    """
    if truth.task == "regression":
        return _number(label)
    (text,) = to_texts([label])
    if text is None or text == ODD_TEXT or len(text) > LONGEST:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate: no store could write it down
        return None
    said = TRUTHS.get(text)
    return said if said in truth.classes and text not in truth.classes else text


def _number(label: object) -> str | None:
    if isinstance(label, bool):
        return None
    if isinstance(label, str):
        try:
            number = float(label)
        except ValueError:
            return None
    else:
        number = float(to_numbers([label])[0][0])
    return repr(number + 0.0) if isfinite(number) else None
