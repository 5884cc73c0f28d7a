"""A watched application behaves as a bare one in all that Starlette documents."""

from __future__ import annotations

import asyncio

import pytest

from servewatch.capture.asgi import ServeWatchMiddleware
from servewatch.capture.messages import App
from tests.capture import (  # noqa: F401 - they add to the behaviours
    behaviours_of_clients,
    behaviours_of_connections,
)
from tests.capture.asked import Watching
from tests.capture.behaviours import BEHAVIOURS


def bare(app: App) -> App:
    return app


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_it_is_so_bare_and_watched(name: str) -> None:
    behaviour, expected = BEHAVIOURS[name]
    watch = Watching()

    def watched(app: App) -> App:
        return ServeWatchMiddleware(app, watch=watch)

    assert asyncio.run(behaviour(bare)) == expected
    assert asyncio.run(behaviour(watched)) == expected
    assert not watch.totals.internal_errors


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_it_is_so_watched_twice(name: str) -> None:
    behaviour, expected = BEHAVIOURS[name]
    inner, outer = Watching(), Watching()

    def watched(app: App) -> App:
        return ServeWatchMiddleware(ServeWatchMiddleware(app, watch=inner), watch=outer)

    assert asyncio.run(behaviour(watched)) == expected
    assert not inner.totals.internal_errors | outer.totals.internal_errors
