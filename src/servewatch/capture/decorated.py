"""Functions whose calls are runs of a stage, whatever kind of function they are."""

from __future__ import annotations

import inspect
from asyncio import Future
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any, TypeVar, cast

from servewatch.capture.streams import AT_ONCE

Function = TypeVar("Function", bound=Callable[..., Any])


def decorated(function: Function, open_stage: Callable[[], Any]) -> Function:
    """Give *function* as the same kind of function, each call within a new stage.

    A stage of a generator lasts from the first item asked for to the last, and its span
    is the current one only while the generator itself runs: whoever reads it may end
    anywhere. One of what answers with an awaitable lasts until that has its result.

    A static method, a class method or a property stays one. Raises TypeError for a
    class and for what cannot be called.

    >>> from contextlib import nullcontext
    >>> decorated(sum, nullcontext)([1, 2])
    3
    """
    given: Any = function
    if isinstance(given, staticmethod | classmethod):
        inner = decorated(given.__func__, open_stage)
        return cast("Function", type(given)(inner))
    if isinstance(given, property):
        getter: Any = decorated(cast("Any", given.fget), open_stage)
        return cast("Function", given.getter(getter))
    if isinstance(given, type) or not callable(given):
        raise TypeError("a stage is of a function, no class and nothing else")
    if _is_or_has(inspect.isasyncgenfunction, given):
        found: Any = _streamed(given, open_stage)
    elif _is_or_has(inspect.isgeneratorfunction, given):
        found = _generated(given, open_stage)
    elif _is_or_has(inspect.iscoroutinefunction, given):
        found = _awaited(given, open_stage)
    else:
        found = _called(given, open_stage)
    return cast("Function", found)


def _is_or_has(is_kind: Callable[[Any], bool], function: Any) -> bool:
    """Tell whether *function* is of a kind, or an object that is called by one."""
    return is_kind(function) or is_kind(
        getattr(type(function), "__call__", None)  # noqa: B004 - not whether it has one
    )


def _called(function: Callable[..., Any], open_stage: Callable[[], Any]) -> Any:
    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        stage = open_stage()
        stage.__enter__()
        try:
            answer = function(*args, **kwargs)
        except BaseException as error:
            stage.__exit__(type(error), error, None)
            raise
        if type(answer) not in AT_ONCE and _is_later(answer):
            stage.pause()
            if not issubclass(type(answer), Future):
                return stage.until(answer)
            stage.leave_cpu()
            try:
                answer.add_done_callback(partial(_end, stage))
            except Exception:  # noqa: BLE001 - of another type's own making
                stage.__exit__(None, None, None)
            return answer
        stage.__exit__(None, None, None)
        return answer

    return call


def _is_later(answer: Any) -> bool:
    """Tell whether *answer* is nothing but to be awaited, or a future of asyncio.

    What is more, such as a client, a response to open or another library's future, is
    the caller's to use as it is.
    """
    kind = type(answer)
    if issubclass(kind, Future):
        return True
    try:
        is_more = hasattr(kind, "__aenter__") or hasattr(kind, "add_done_callback")
        return issubclass(kind, Awaitable) and not is_more
    except Exception:  # noqa: BLE001 - a type's own type may raise
        return False


def _end(stage: Any, future: Future[Any]) -> None:
    # Not future.exception(): asyncio would take the error for seen, unlogged.
    error = getattr(future, "_exception", None)
    stage.__exit__(None if error is None else type(error), error, None)


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
