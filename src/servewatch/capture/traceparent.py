"""The W3C trace context of a request, read strictly: what is not one is nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from opentelemetry.context import Context

# Later versions may say more after the flags, and only after a dash.
_WRITTEN = re.compile(
    rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?"
)
_NO_TRACE, _NO_SPAN = b"0" * 32, b"0" * 16


class Parent(NamedTuple):
    """The span that a caller said it was in; `state` is its `tracestate`."""

    trace_id: int
    span_id: int
    flags: int
    state: tuple[str, ...]


def parent_in(headers: Iterable[tuple[bytes, bytes]]) -> Parent | None:
    """Give the caller's span; None where there is none, or what is no valid one.

    >>> parent_in([(b"traceparent", b"00-%b-%b-01" % (b"0af7" * 8, b"b7ad" * 4))]).flags
    1
    >>> parent_in([(b"traceparent", b"00-%b-%b-01" % (b"0" * 32, b"b7ad" * 4))])
    """
    given: list[bytes] = []
    state: list[bytes] = []
    for name, value in headers:
        if name == b"traceparent":
            given.append(value)
        elif name == b"tracestate":
            state.append(value)
    if len(given) != 1:
        return None
    match = _WRITTEN.fullmatch(given[0].strip(b" \t"))
    if match is None:
        return None
    version, trace, span, flags, more = match.groups()
    if version == b"ff" or trace == _NO_TRACE or span == _NO_SPAN:
        return None
    if version == b"00" and more is not None:
        return None
    states = tuple(each.decode("latin-1") for each in state)
    return Parent(int(trace, 16), int(span, 16), int(flags, 16), states)


def caller_context(headers: Iterable[tuple[bytes, bytes]]) -> Context | None:
    """Give the context of the caller's span, its baggage left out; None without one."""
    parent = parent_in(headers)
    if parent is None:
        return None
    from opentelemetry.trace import (
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        TraceState,
        set_span_in_context,
    )

    context = SpanContext(
        parent.trace_id,
        parent.span_id,
        is_remote=True,
        trace_flags=TraceFlags(parent.flags),
        trace_state=TraceState.from_header(list(parent.state)),
    )
    return set_span_in_context(NonRecordingSpan(context))
