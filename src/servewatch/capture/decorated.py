"""Functions whose calls are runs of a stage, whatever kind of function they are."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])


def decorated(function: Function, open_stage: Callable[[], Any]) -> Function:
    """Give *function* as the same kind of function, each call within a new stage.

    A stage of a generator lasts from the first item asked for to the last, and its span
    is the current one only while the generator itself runs: whoever reads it may end
    anywhere.

    >>> from contextlib import nullcontext
    >>> decorated(sum, nullcontext)([1, 2])
    3
    """
    if inspect.isasyncgenfunction(function):
        found: Any = _streamed(function, open_stage)
    elif inspect.isgeneratorfunction(function):
        found = _generated(function, open_stage)
    elif inspect.iscoroutinefunction(function):
        found = _awaited(function, open_stage)
    else:
        found = _called(function, open_stage)
    return cast("Function", found)


def _called(function: Callable[..., Any], open_stage: Callable[[], Any]) -> Any:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with open_stage():
            return function(*args, **kwargs)

    return call


def _awaited(function: Callable[..., Any], open_stage: Callable[[], Any]) -> Any:
    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        async with open_stage():
            return await function(*args, **kwargs)

    return call


def _generated(function: Callable[..., Any], open_stage: Callable[[], Any]) -> Any:
    @wraps(function)
    def generate(*args: Any, **kwargs: Any) -> Any:
        with open_stage() as stage:
            stage.pause()
            inner = function(*args, **kwargs)
            step = partial(next, inner)
            while True:
                stage.resume()
                try:
                    item = step()
                except StopIteration as end:
                    return end.value
                finally:
                    stage.pause()
                try:
                    sent = yield item
                except GeneratorExit:
                    inner.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - thrown in, not ours
                    step = partial(inner.throw, error)
                else:
                    step = partial(inner.send, sent)

    return generate


def _streamed(function: Callable[..., Any], open_stage: Callable[[], Any]) -> Any:
    @wraps(function)
    async def stream(*args: Any, **kwargs: Any) -> Any:
        async with open_stage() as stage:
            stage.pause()
            inner = function(*args, **kwargs)
            step = partial(anext, inner)
            while True:
                stage.resume()
                try:
                    item = await step()
                except StopAsyncIteration:
                    return
                finally:
                    stage.pause()
                try:
                    sent = yield item
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - thrown in, not ours
                    step = partial(inner.athrow, error)
                else:
                    step = partial(inner.asend, sent)

    return stream
