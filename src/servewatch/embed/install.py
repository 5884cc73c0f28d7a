"""A watch put into a Starlette or FastAPI application, beside the app's own routes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from servewatch.capture.asgi import ServeWatchMiddleware, Watch
from servewatch.capture.messages import App
from servewatch.config import Config
from servewatch.errors import ConfigError
from servewatch.expose.app import Exposed
from servewatch.expose.events import Events
from servewatch.expose.shadow import shadowed

T = TypeVar("T")


class Hosted(Watch, Protocol):
    """A watch that leaves an app the routes that are the app's own."""

    own_paths: frozenset[str]

    @property
    def exposed(self) -> Exposed: ...
    def note_loop(self) -> None:
        """Know the event loop that requests are served in."""


def installed_in(app: Any, kind: type[T]) -> T | None:
    """Give the watch of *kind* that *app* has; None where it has none.

    Raises `ConfigError` for what takes no middleware.
    """
    if not hasattr(app, "add_middleware"):
        raise ConfigError(
            "install is for Starlette and FastAPI",
            found=type(app).__name__,
            expected="an application with add_middleware",
            remedy="wrap it: app = ServeWatchMiddleware(app, watch=watch)",
        )
    for middleware in getattr(app, "user_middleware", ()):
        kwargs = getattr(middleware, "kwargs", None)
        watch = kwargs.get("watch") if isinstance(kwargs, Mapping) else None
        if isinstance(watch, kind):
            return watch
    return None


def add(app: Any, watch: Hosted, events: Events) -> None:
    """Add *watch*'s middleware to *app*.

    Raises `ConfigError` for routes that would hide the app's, and once it serves.
    """
    _yield_to(app, watch)
    hidden = shadowed(app.routes, watch.own_paths)
    if hidden:
        raise ConfigError(
            "the app already has routes that ServeWatch would hide",
            field="prefix",
            found=hidden,
            remedy='put ours elsewhere: ServeWatch(..., prefix="/internal")',
        )
    try:
        app.add_middleware(_watching, watch=watch, host=app, events=events)
    except RuntimeError as error:
        raise ConfigError(
            "the app is already serving",
            remedy="install the watch where the app is made",
        ) from error


def _yield_to(app: Any, watch: Hosted) -> None:
    """Leave *app* what it has for itself and needs no word about."""
    yielding = watch.own_paths & watch.exposed.yielding_paths
    watch.own_paths -= frozenset(shadowed(app.routes, yielding))


def check_agreement(first: Config, second: Config) -> None:
    """Raise `ConfigError` where watches of one app would answer differently."""
    for name in ("token", "metrics_open", "prefix"):
        if getattr(second, name) != getattr(first, name):
            raise ConfigError(
                f"two watches of one app differ in {name}",
                field=name,
                expected="the same for both: they answer the same routes",
                remedy=f"give both the same {name}",
            )


def _watching(
    app: App, *, watch: Hosted, host: Any, events: Events
) -> ServeWatchMiddleware:
    """Give *host*'s middleware; Starlette asks when it is about to serve.

    Routes that the app added since then are left to it.
    """
    watch.note_loop()
    _yield_to(host, watch)
    hidden = shadowed(host.routes, watch.own_paths)
    if hidden:
        watch.own_paths -= frozenset(hidden)
        events.emit(
            "route.shadowed",
            at=time.time(),
            paths=hidden,
            remedy='put ours elsewhere: ServeWatch(..., prefix="/internal")',
        )
    return ServeWatchMiddleware(app, watch=watch)
