"""Everything ServeWatch raises on purpose.

ServeWatchError
├── ConfigError      a setting cannot be used
├── BaselineError    a baseline cannot be built, loaded or trusted
├── SchemaMismatch   columns are not the ones the baseline knows
├── DataError        rows handed in cannot be read
├── MissingExtra     an optional package is not installed
├── StoreError       shared state cannot be read or written
└── GateError        a gate could not be asked

They are raised at start-up and by the command line. Inside a request nothing is
raised: faults there are counted.
"""

FOUND_LENGTH = 200
"""A found value is shown up to here: it may be a whole file or a data frame."""


class ServeWatchError(Exception):
    """Something went wrong; the message says what, where, and what to do next.

    Every part but *message* may be left out and then does not show. The parts stay
    readable as attributes; ``None`` means "not known".

    >>> print(
    ...     ServeWatchError(
    ...         "bins must ascend",
    ...         where="a.json",
    ...         found=[2, 1],
    ...         expected="ascending edges",
    ...         remedy="rebuild it",
    ...     )
    ... )
    bins must ascend (in a.json): found [2, 1], expected ascending edges; rebuild it
    """

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        found: object = None,
        expected: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.message = message
        self.where = where
        self.found = found
        self.expected = expected
        self.remedy = remedy
        super().__init__(message)

    def __str__(self) -> str:
        place = "" if self.where is None else f" (in {self.where})"
        facts = []
        if self.found is not None:
            facts.append(f"found {_shortened(self.found)}")
        if self.expected is not None:
            facts.append(f"expected {self.expected}")
        contrast = f": {', '.join(facts)}" if facts else ""
        remedy = "" if self.remedy is None else f"; {self.remedy}"
        return f"{self.message}{place}{contrast}{remedy}"


class ConfigError(ServeWatchError):
    """A setting cannot be used; *field* is its name in `Config`, where it has one."""

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        where: str | None = None,
        found: object = None,
        expected: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.field = field
        super().__init__(
            message, where=where, found=found, expected=expected, remedy=remedy
        )


class BaselineError(ServeWatchError):
    """A baseline cannot be built, loaded or trusted."""


class SchemaMismatch(ServeWatchError):  # noqa: N818 - the public name says what it is
    """Columns are not the ones the baseline knows."""


class DataError(ServeWatchError):
    """Rows handed in (a frame, a file, a column) cannot be read."""


class MissingExtra(ServeWatchError):  # noqa: N818 - the public name says what it is
    """*what* needs packages that only the extra *extra* installs.

    >>> print(MissingExtra("RedisStore", extra="redis"))
    RedisStore needs packages that are not installed; pip install 'servewatch[redis]'
    """

    def __init__(self, what: str, *, extra: str) -> None:
        self.what = what
        self.extra = extra
        super().__init__(
            f"{what} needs packages that are not installed",
            remedy=f"pip install 'servewatch[{extra}]'",
        )


class StoreError(ServeWatchError):
    """Shared state cannot be read or written."""


class GateError(ServeWatchError):
    """A gate could not be asked: no answer, or one that is not a gate's."""


def _shortened(found: object) -> str:
    text = repr(found)
    return text if len(text) <= FOUND_LENGTH else f"{text[:FOUND_LENGTH]}…"
