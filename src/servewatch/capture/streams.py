"""Models that answer later or bit by bit: awaitables, futures and generators.

Each is handed on as what it is, and tells *done* once how it ended. A generator that
its reader closed or forgot ended by `GeneratorExit`, with what it gave until then.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
)
from contextlib import suppress
from types import TracebackType
from typing import Any

import numpy as np

Done = Callable[[Any, BaseException | None], None]
ITEMS = 8192  # of a generator, kept as its prediction
NOTHING = object()
"""The answer of a call that ended without one."""

AT_ONCE = frozenset(
    {np.ndarray, np.float64, float, int, str, bool, list, tuple, dict, type(None)}
)
"""Types of answers that are there at once, told before anything else is asked."""


def follow(result: Any, done: Done) -> Any:
    """Give *result* back, watched if its answer is yet to come, else after *done*."""
    kind = type(result)
    if issubclass(kind, AsyncGenerator):
        return WatchedAsyncGenerator(result, done)
    if issubclass(kind, Generator):
        return WatchedGenerator(result, done)
    if hasattr(kind, "add_done_callback"):  # a future, a task: told, not wrapped
        result.add_done_callback(lambda future: _future_done(future, done))
        return result
    if issubclass(kind, Awaitable):
        return _await(result, done)
    done(result, None)
    return result


async def _await(awaitable: Awaitable[Any], done: Done) -> Any:
    try:
        result = await awaitable
    except BaseException as error:
        done(NOTHING, error)
        raise
    return follow(result, done)


def _future_done(future: Any, done: Done) -> None:
    if future.cancelled():
        done(NOTHING, None)
        return
    # Not future.exception(): asyncio would take the error for seen and not log it.
    error = getattr(future, "_exception", None)
    if error is None:
        done(future.result(), None)
    else:
        done(NOTHING, error)


class _Items:
    """What a generator gave, until it ended; its end is told once."""

    def __init__(self, done: Done) -> None:
        self._done: Done | None = done
        self._items: list[Any] = []

    def add(self, item: Any) -> Any:
        if len(self._items) < ITEMS:
            self._items.append(item)
        return item

    def end(self, error: BaseException | None) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        if isinstance(error, StopIteration | StopAsyncIteration):
            done(self._items if len(self._items) < ITEMS else NOTHING, None)
        elif error is None or isinstance(error, GeneratorExit):  # closed by its reader
            done(self._items, GeneratorExit())
        else:
            done(NOTHING, error)

    def forgotten(self) -> None:
        """End what nobody will read on; in a finalizer nothing may be raised."""
        with suppress(Exception):
            self.end(None)


class WatchedGenerator(Generator[Any, Any, Any]):
    """A generator that passes everything through and notices its end."""

    def __init__(self, inner: Generator[Any, Any, Any], done: Done) -> None:
        self._inner = inner
        self._items = _Items(done)

    def __del__(self) -> None:
        self._items.forgotten()

    def send(self, value: Any) -> Any:
        """Resume with *value*."""
        try:
            return self._items.add(self._inner.send(value))
        except BaseException as error:
            self._items.end(error)
            raise

    def throw(
        self,
        kind: Any,
        error: Any = None,
        trace: TracebackType | None = None,
    ) -> Any:
        """Raise inside the generator."""
        try:
            if error is None and trace is None:
                return self._items.add(self._inner.throw(kind))
            return self._items.add(self._inner.throw(kind, error, trace))
        except BaseException as raised:
            self._items.end(raised)
            raise

    def close(self) -> None:
        """End the generator."""
        try:
            self._inner.close()
        finally:
            self._items.end(None)


class WatchedAsyncGenerator(AsyncGenerator[Any, Any]):
    """The same for an asynchronous generator."""

    def __init__(self, inner: AsyncGenerator[Any, Any], done: Done) -> None:
        self._inner = inner
        self._items = _Items(done)

    def __del__(self) -> None:
        self._items.forgotten()

    async def asend(self, value: Any) -> Any:
        """Resume with *value*."""
        try:
            return self._items.add(await self._inner.asend(value))
        except BaseException as error:
            self._items.end(error)
            raise

    async def athrow(
        self,
        kind: Any,
        error: Any = None,
        trace: TracebackType | None = None,
    ) -> Any:
        """Raise inside the generator."""
        try:
            if error is None and trace is None:
                return self._items.add(await self._inner.athrow(kind))
            return self._items.add(await self._inner.athrow(kind, error, trace))
        except BaseException as raised:
            self._items.end(raised)
            raise

    def aclose(self) -> Coroutine[Any, Any, None]:
        """End the generator."""
        return self._close()

    async def _close(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            self._items.end(None)
