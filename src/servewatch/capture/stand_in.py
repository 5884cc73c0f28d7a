"""A model's stand-in: its own attributes, with the calls that predict recorded."""

from __future__ import annotations

import inspect
from typing import Any

from servewatch.capture.model import watched_call
from servewatch.record.recorder import Recorder

METHODS = frozenset(
    {
        "__call__",
        "decision_function",
        "forward",
        "predict",
        "predict_proba",
        "run",
        "transform",
    }
)
MODEL = "__servewatch_model__"
RECORDER = "__servewatch_recorder__"


def watched(model: Any, recorder: Recorder) -> Any:
    """Give a stand-in for *model* that records to *recorder*.

    A plain function or method becomes a function; any other object keeps all its
    attributes, with `METHODS` recorded.

    >>> watched(lambda row: sum(row), Recorder())([1, 2])
    3
    """
    if inspect.isroutine(model):
        return watched_call(model, "__call__", recorder)
    return WatchedModel(model, recorder)


class WatchedModel:
    """A model whose calls are recorded; everything else is the model's own."""

    def __init__(self, model: Any, recorder: Recorder) -> None:
        """Stand in for *model*."""
        self.__dict__[MODEL] = model
        self.__dict__[RECORDER] = recorder

    def __getattr__(self, name: str) -> Any:
        if MODEL not in self.__dict__:  # a copy being made: nothing is there yet
            raise AttributeError(name)
        value = getattr(self.__dict__[MODEL], name)
        if name in METHODS and callable(value):
            value = watched_call(value, name, self.__dict__[RECORDER])
            self.__dict__[name] = value  # found without this function from now on
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__[MODEL], name, value)
        self.__dict__.pop(name, None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model."""
        call = self.__dict__.get("__call__")
        if call is None:
            model = self.__dict__[MODEL]
            if not callable(model):
                return model(*args, **kwargs)  # raises as the model does
            call = watched_call(model.__call__, "__call__", self.__dict__[RECORDER])
            self.__dict__["__call__"] = call
        return call(*args, **kwargs)

    def __dir__(self) -> list[str]:
        return dir(self.__dict__[MODEL])

    def __repr__(self) -> str:
        return f"WatchedModel({self.__dict__[MODEL]!r})"
