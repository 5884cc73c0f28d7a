"""The model that a watch stands before, as it was given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from servewatch.capture.composed import composed
from servewatch.capture.stand_in import NO_MODEL
from servewatch.capture.steps import staged
from servewatch.errors import ConfigError
from servewatch.record.recorder import Recorder

PARTS = ("preprocess", "postprocess")


def model_in(model: Any, settings: Mapping[str, Any]) -> Any:
    """Give the model, also from ServeWatch(model=net), where it is no name.

    >>> model_in(None, {"model": "demand"}) is None
    True
    """
    named = settings.get("model")
    is_model = model is None and named is not None and not isinstance(named, str)
    return named if is_model else model


def with_parts(
    model: Any, settings: Mapping[str, Any], recorder: Recorder | None = None
) -> Any:
    """Give *model* with the `preprocess` and `postprocess` of *settings*, if any.

    Raises `ConfigError` where there is nothing to put them around.

    >>> with_parts(abs, {"preprocess": float})("-2")
    2.0
    """
    before, after = (settings.get(part) for part in PARTS)
    if before is None and after is None:
        return model
    for name, part in zip(PARTS, (before, after), strict=True):
        if part is not None and not callable(part):
            raise ConfigError(
                f"{name} cannot be called",
                found=type(part).__name__,
                expected="a function of what is passed on",
                remedy=f"give the function itself: {name}=clean",
            )
    if model is None or not (callable(model) or hasattr(model, "predict")):
        raise ConfigError(
            "preprocess and postprocess need a model between them",
            found="no model" if model is None else type(model).__name__,
            expected="a model with predict, or a function",
            remedy="give it: ServeWatch(model, preprocess=clean)",
        )
    known = recorder or Recorder()
    return composed(before, staged(model, known), after, known)


def call_nothing(*_: Any, **__: Any) -> Any:
    """Say what a watch without a model lacks, by `TypeError`."""
    raise TypeError(NO_MODEL)


def answering(
    model: Any, settings: Mapping[str, Any], recorder: Recorder
) -> Callable[[Any], Any]:
    """Give what answers a row, with its stages recorded to *recorder* and no more.

    `predict` where there is one, else the call itself.

    >>> answering(len, {}, Recorder())([1, 2])
    2
    """
    served = staged(with_parts(model, settings, recorder), recorder)
    predict = getattr(served, "predict", None)
    found: Callable[[Any], Any] = predict if callable(predict) else served
    return found
