"""The names of a run: its job, its kind, its id."""

from __future__ import annotations

from servewatch.errors import ConfigError

LONGEST = 128  # they become label values and, of a Pushgateway, parts of a path


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
        found=text,
        expected=f"1 to {LONGEST} printable characters",
        remedy="correct it",
    )
