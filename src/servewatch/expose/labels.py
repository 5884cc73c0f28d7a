"""Names from outside as label values that no scrape can choke on."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

BYTES = 128  # a label value is a name for people, not a place for data
_DROPPED = {"Cc", "Cs"}  # control characters; halves of characters UTF-8 cannot hold


def clean(text: str, *, limit: int = BYTES) -> str:
    r"""Give *text* without control characters and surrogates, in *limit* bytes.

    >>> clean("price\x1b[31m\n")
    'price[31m'
    """
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text
    kept = "".join(each for each in text if unicodedata.category(each) not in _DROPPED)
    return kept.encode()[:limit].decode(errors="ignore")


def distinct(names: Iterable[str]) -> dict[str, str]:
    r"""Give every name its own clean label.

    Two series with equal labels would cost the whole scrape, so a later name that
    cleans to an earlier one is numbered.

    >>> distinct(["price", "pri\x00ce"])
    {'price': 'price', 'pri\x00ce': 'price~2'}
    """
    labels: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        if name in labels:
            continue
        label, number = clean(name), 1
        while label in taken:
            number += 1
            suffix = f"~{number}"
            label = clean(name, limit=BYTES - len(suffix)) + suffix
        taken.add(label)
        labels[name] = label
    return labels
