"""An open span: who may end it, and what was current before it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Token
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind, StatusCode

Facts = dict[str, str | int]


class Api(NamedTuple):
    """What is used of OpenTelemetry: an `import` in a function costs each time."""

    attach: Callable[[Context], Token[Context]]
    detach: Callable[[Token[Context]], None]
    in_context: Callable[[Span], Context]
    current: Callable[[], Span]
    server: SpanKind
    failed: StatusCode


@cache
def api() -> Api:
    """Import OpenTelemetry; asked only where a provider is installed."""
    from opentelemetry.context import attach, detach
    from opentelemetry.trace import (
        SpanKind,
        StatusCode,
        get_current_span,
        set_span_in_context,
    )

    return Api(
        attach,
        detach,
        set_span_in_context,
        get_current_span,
        SpanKind.SERVER,
        StatusCode.ERROR,
    )


class Traced:
    """An open span, current from `enter` to `leave`. Not every one is ours to end.

    `trace_id` is its trace's where that is sampled, else 0.
    """

    __slots__ = ("is_own", "span", "token", "trace_id")

    def __init__(self, span: Span, *, is_own: bool = True) -> None:
        self.span = span
        self.is_own = is_own
        self.token: Any = None
        context = span.get_span_context()
        self.trace_id = context.trace_id if context.trace_flags.sampled else 0

    def enter(self) -> None:
        """Make the span the current one."""
        known = api()
        self.token = known.attach(known.in_context(self.span))

    def leave(self) -> None:
        """Make current what was so before, unless this is another context by now.

        OpenTelemetry's own `detach` logs an error then: a coroutine that is closed by
        another task, or by the collector, ends in a context it did not begin in.
        """
        token, self.token = self.token, None
        if isinstance(token, Token):
            try:
                token.var.reset(token)
            except ValueError:
                return
        elif token is not None:  # a runtime context of somebody else's making
            api().detach(token)

    def describe(self, facts: Facts, error: str | None) -> None:
        """Set attributes; the type of an *error*, and no word of its text, fails it."""
        if error is not None:
            facts["error.type"] = error
            self.span.set_status(api().failed)
        if facts:
            self.span.set_attributes(facts)


def error_type(kind: type[BaseException]) -> str:
    """Name a type of errors as `error.type` wants it.

    >>> error_type(ValueError)
    'ValueError'
    """
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"
