"""A model with what comes before and after it, as one callable and three stages."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from functools import update_wrapper
from operator import getitem
from typing import Any

from servewatch.capture.stage import Stage
from servewatch.record.recorder import Recorder

Part = tuple[str, Callable[..., Any]]  # a stage's name, and what it calls


def composed(
    preprocess: Callable[..., Any] | None,
    model: Any,
    postprocess: Callable[..., Any] | None,
    recorder: Recorder,
) -> Composed:
    """Give *postprocess* of *model* of *preprocess*, each a stage of *recorder*.

    What is called takes what the first of these takes, and gives what the last gives,
    or an awaitable of it as soon as one of them answers with one. The model is asked
    for `predict` where it has that, else it is called. The stages are named
    "preprocess", "model" and "postprocess"; what is None is left out. Raises TypeError
    for a model that can be asked for neither.

    >>> watch = composed(float, lambda x: x + 1, str, Recorder())
    >>> watch("2")
    '3.0'
    """
    return Composed(preprocess, model, postprocess, recorder)


class Composed:
    """What `composed` gives: it has all that the model has, and is saved as the model.

    Other methods of the model, such as `predict_proba`, are the model's own: they take
    what it takes.
    """

    def __init__(
        self,
        preprocess: Callable[..., Any] | None,
        model: Any,
        postprocess: Callable[..., Any] | None,
        recorder: Recorder,
    ) -> None:
        """Take the parts in their order."""
        predict = getattr(model, "predict", None)
        asked = predict if callable(predict) else model
        if not callable(asked):
            raise TypeError(
                f"a {type(model).__name__} has no predict and cannot be called; "
                "give a model that can be asked for predictions"
            )
        named = (
            ("preprocess", preprocess),
            ("model", asked),
            ("postprocess", postprocess),
        )
        parts = [(name, part) for name, part in named if part is not None]
        run = _run_of(parts, recorder)
        vars(self)["__call__"] = run
        vars(self)["_model"] = model
        if asked is predict:
            vars(self)["predict"] = run

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run all parts."""
        return vars(self)["__call__"](*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            model = vars(self)["_model"]
        except KeyError:  # it is being made
            raise AttributeError(name) from None
        return getattr(model, name)

    def __dir__(self) -> list[str]:
        return sorted({*dir(type(self)), *dir(self._model)})

    def __repr__(self) -> str:
        return f"Composed({self._model!r})"

    def __copy__(self) -> Any:
        return copy.copy(self._model)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self._model, memo)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return getitem, ((self._model,), 0)  # loads where ServeWatch is not


def _run_of(parts: Sequence[Part], recorder: Recorder) -> Callable[..., Any]:
    """Give the function that runs *parts*, a coroutine function if one of them is."""
    first = parts[0][1]

    def run(*args: Any, **kwargs: Any) -> Any:
        return _run(parts, recorder, args, kwargs)

    async def run_later(*args: Any, **kwargs: Any) -> Any:
        answer = _run(parts, recorder, args, kwargs)
        return await answer if inspect.isawaitable(answer) else answer

    is_async = any(_is_coroutine_function(part) for _, part in parts)
    # The names of its parameters are those of what takes the features.
    return update_wrapper(run_later if is_async else run, first)


def _is_coroutine_function(part: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(part) or inspect.iscoroutinefunction(
        getattr(type(part), "__call__", None)  # noqa: B004 - not whether it has one
    )


def _run(
    parts: Sequence[Part],
    recorder: Recorder,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Run *parts*; from the first that answers with an awaitable, later."""
    value: Any = None
    for place, (name, part) in enumerate(parts):
        stage = Stage(recorder, name)
        stage.__enter__()
        try:
            value = part(value) if place else part(*args, **kwargs)
        except BaseException as error:
            stage.__exit__(type(error), error, None)
            raise
        if inspect.isawaitable(value):
            stage.pause()
            return _run_rest(stage.until(value), parts[place + 1 :], recorder)
        stage.__exit__(None, None, None)
    return value


async def _run_rest(value: Any, parts: Sequence[Part], recorder: Recorder) -> Any:
    answer = await value
    if parts:
        answer = _run(parts, recorder, (answer,), {})
        if inspect.isawaitable(answer):
            answer = await answer
    return answer
