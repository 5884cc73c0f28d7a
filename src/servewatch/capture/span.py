"""An open span: who may end it, and what was current before it."""

from __future__ import annotations

from contextvars import Token
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Span

Facts = dict[str, str | int]


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
        from opentelemetry.context import attach
        from opentelemetry.trace import set_span_in_context

        self.token = attach(set_span_in_context(self.span))

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
            from opentelemetry.context import detach

            detach(token)

    def describe(self, facts: Facts, error: str | None) -> None:
        """Set attributes; the type of an *error*, and no word of its text, fails it."""
        if error is not None:
            from opentelemetry.trace import StatusCode

            facts["error.type"] = error
            self.span.set_status(StatusCode.ERROR)
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
