"""Moments, durations and sizes as people read them."""

from __future__ import annotations

from servewatch.monitor.report import iso

_STEP = 1024.0
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")


def moment(at: float | None) -> str:
    """Give Unix seconds to the second, in UTC; nothing for None.

    >>> moment(0.0), moment(None)
    ('1970-01-01 00:00:00', '')
    """
    text = iso(at)
    return "" if text is None else text[:19].replace("T", " ")


def took(seconds: float) -> str:
    """Give a duration in the unit that keeps it short.

    >>> took(0.0000012), took(0.0042), took(2.5), took(7200.0)
    ('1 µs', '4.2 ms', '2.5 s', '7,200 s')
    """
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:,.0f} s"


def size(held: float) -> str:
    """Give bytes to three digits, in steps of 1,024.

    >>> size(512), size(184_799_232), size(2**34)
    ('512 B', '176 MiB', '16 GiB')
    """
    place = 0
    while held >= _STEP and place < len(_SIZES) - 1:
        held, place = held / _STEP, place + 1
    told = f"{held:,.0f}" if held >= 100 else f"{held:.3g}"
    return f"{told} {_SIZES[place]}"
