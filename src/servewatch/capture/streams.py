"""Models that answer later or bit by bit: awaitables, futures and generators.

Each is handed on as what it is, and tells *done* once how it ended. A generator that
its reader closed or forgot ended by `GeneratorExit`, with what it gave until then.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Coroutine,
    Generator,
)
from functools import partial
from numbers import Real
from sys import getsizeof
from types import TracebackType
from typing import Any, Protocol

import numpy as np


class Done(Protocol):
    """Who is told once how a call ended, and of faults of ours on the way there."""

    def __call__(self, result: Any, error: BaseException | None) -> None: ...

    def lose(self, site: str) -> None:
        """Count a fault at *site*; what the call gave is lost."""


STREAM_BYTES = 512 * 1024  # of what a generator gave; more is not kept at all
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
        result.add_done_callback(partial(_future_done, done))
        return result
    if issubclass(kind, Awaitable):
        return _await(result, done)
    done(result, None)
    return result


async def _await(awaitable: Awaitable[Any], done: Done) -> Any:
    try:
        result = await awaitable
    except BaseException as error:
        try:
            done(NOTHING, error)
        except Exception:  # noqa: BLE001 - the model's own error goes on
            done.lose("await")
        raise
    try:
        return follow(result, done)
    except Exception:  # noqa: BLE001 - the answer is there all the same
        done.lose("await")
        return result


def _future_done(done: Done, future: Any) -> None:
    try:
        if future.cancelled():
            done(NOTHING, None)
            return
        # Not future.exception(): asyncio would take the error for seen, unlogged.
        error = getattr(future, "_exception", None)
        if error is None:
            done(future.result(), None)
        else:
            done(NOTHING, error)
    except Exception:  # noqa: BLE001 - in a callback nobody would notice
        done.lose("future")


class _Items:
    """What a generator gave, until it ended; its end is told once.

    Nothing here raises: whoever reads the generator is served by the model alone.
    """

    def __init__(self, done: Done) -> None:
        self._done: Done | None = done
        self._items: list[Any] = []
        self._bytes = 0
        self._is_small = True

    def add(self, item: Any) -> None:
        if not self._is_small:
            return
        self._bytes += item.nbytes if isinstance(item, np.ndarray) else getsizeof(item)
        is_known = isinstance(item, Real | np.ndarray | str | None)
        if is_known and self._bytes <= STREAM_BYTES and len(self._items) < ITEMS:
            self._items.append(item)
        else:  # of a part nothing could be made: not even the part is kept
            self._is_small = False
            self._items.clear()

    def end(self, error: BaseException | None) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        if isinstance(error, StopIteration | StopAsyncIteration):
            done(self._items if self._is_small else NOTHING, None)
        elif error is None or isinstance(error, GeneratorExit):  # closed by its reader
            done(self._items if self._is_small else NOTHING, GeneratorExit())
        else:
            done(NOTHING, error)


class _Watched:
    """A generator, and what it gave; faults of ours are kept from its reader.

    Each call of ours stands in a `try` of its own: even making its frame may fail.
    """

    _items: Any = None

    def __init__(self, inner: Any, done: Done) -> None:
        self._inner = inner
        self._done = done
        self._items = _Items(done)

    def __del__(self) -> None:
        try:
            if self._items is not None:  # it never got so far
                self._items.end(None)
        except Exception:  # noqa: BLE001 - nobody would hear of it
            self._done.lose("stream")


class WatchedGenerator(_Watched, Generator[Any, Any, Any]):
    """A generator that passes everything through and notices its end."""

    def send(self, value: Any) -> Any:
        """Resume with *value*."""
        try:
            item = self._inner.send(value)
        except BaseException as error:
            try:
                self._items.end(error)
            except Exception:  # noqa: BLE001 - the generator has ended all the same
                self._done.lose("stream")
            raise
        try:
            self._items.add(item)
        except Exception:  # noqa: BLE001 - the item is the reader's all the same
            self._done.lose("stream")
        return item

    def throw(
        self,
        kind: Any,
        error: Any = None,
        trace: TracebackType | None = None,
    ) -> Any:
        """Raise inside the generator."""
        try:
            if error is None and trace is None:
                item = self._inner.throw(kind)
            else:
                item = self._inner.throw(kind, error, trace)
        except BaseException as raised:
            try:
                self._items.end(raised)
            except Exception:  # noqa: BLE001 - the generator has ended all the same
                self._done.lose("stream")
            raise
        try:
            self._items.add(item)
        except Exception:  # noqa: BLE001 - the item is the reader's all the same
            self._done.lose("stream")
        return item

    def close(self) -> None:
        """End the generator."""
        try:
            self._inner.close()
        finally:
            try:
                self._items.end(None)
            except Exception:  # noqa: BLE001 - the generator has ended all the same
                self._done.lose("stream")


class WatchedAsyncGenerator(_Watched, AsyncGenerator[Any, Any]):
    """The same for an asynchronous generator."""

    async def asend(self, value: Any) -> Any:
        """Resume with *value*."""
        try:
            item = await self._inner.asend(value)
        except BaseException as error:
            try:
                self._items.end(error)
            except Exception:  # noqa: BLE001 - the generator has ended all the same
                self._done.lose("stream")
            raise
        try:
            self._items.add(item)
        except Exception:  # noqa: BLE001 - the item is the reader's all the same
            self._done.lose("stream")
        return item

    async def athrow(
        self,
        kind: Any,
        error: Any = None,
        trace: TracebackType | None = None,
    ) -> Any:
        """Raise inside the generator."""
        try:
            if error is None and trace is None:
                item = await self._inner.athrow(kind)
            else:
                item = await self._inner.athrow(kind, error, trace)
        except BaseException as raised:
            try:
                self._items.end(raised)
            except Exception:  # noqa: BLE001 - the generator has ended all the same
                self._done.lose("stream")
            raise
        try:
            self._items.add(item)
        except Exception:  # noqa: BLE001 - the item is the reader's all the same
            self._done.lose("stream")
        return item

    def aclose(self) -> Coroutine[Any, Any, None]:
        """End the generator."""
        return self._close()

    async def _close(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            try:
                self._items.end(None)
            except Exception:  # noqa: BLE001 - the generator has ended all the same
                self._done.lose("stream")
