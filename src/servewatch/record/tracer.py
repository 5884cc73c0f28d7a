"""The tracer of the process, where an application has installed a provider."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


def installed_tracer(schema: str | None = None) -> Tracer | None:
    """Give a real provider's tracer, whose spans follow *schema*; None without one.

    OpenTelemetry is not imported for it: where nothing has done so, nothing has
    installed a provider either.

    >>> installed_tracer() is None
    True
    """
    api = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    provider = api.get_tracer_provider()
    if isinstance(provider, api.ProxyTracerProvider | api.NoOpTracerProvider):
        return None
    tracer: Tracer = provider.get_tracer("servewatch", schema_url=schema)
    return None if isinstance(tracer, api.NoOpTracer) else tracer
