"""The names of a run: its job, its kind, its id."""

from __future__ import annotations

from servewatch.config.limits import NOTHING
from servewatch.errors import ConfigError

LONGEST = 128  # they become label values and, of a Pushgateway, parts of a path
OTHER = "other"


def text_of(name: object) -> str:
    """Give *name* as a text of at most 128 characters, as names of stages are.

    >>> text_of(5), text_of(None), text_of("encode")
    ('5', 'None', 'encode')
    """
    try:
        return str(name).encode(errors="replace").decode()[:LONGEST]
    except Exception:  # noqa: BLE001 - a name's own methods may raise
        return OTHER


def checked_name(what: str, text: object) -> str:
    """Give *text* if it can name something; raises `ConfigError` saying *what* it is.

    >>> checked_name("job", "demand")
    'demand'
    """
    if isinstance(text, str) and 0 < len(text) <= LONGEST and text.isprintable():
        return text
    raise ConfigError(
        f"a run's {what} cannot be used",
        field=what,
        found=NOTHING if text is None else text,
        expected=f"1 to {LONGEST} printable characters",
        remedy="correct it",
    )
