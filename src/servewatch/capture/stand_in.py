"""A model's stand-in: all that the model is, with the calls that predict recorded."""

from __future__ import annotations

import copy
import inspect
from contextlib import suppress
from functools import wraps
from operator import getitem
from types import FunctionType, MethodType
from typing import Any

from servewatch.capture.model import watched_call
from servewatch.capture.specials import kind_for, rather
from servewatch.capture.steps import staged
from servewatch.record.recorder import Recorder

METHODS = frozenset(
    {
        "__call__",
        "decision_function",
        "forward",
        "predict",
        "predict_log_proba",
        "predict_proba",
        "run",
        "score_samples",
        "transform",
    }
)
CALL = "__call__"
NO_MODEL = "there is no model; give one, as in ServeWatch(model)"
RECORDED = "__servewatch_recorded__"
RECORDER = "__servewatch_recorder__"
STAGED = "__servewatch_staged__"


def watched(model: Any, recorder: Recorder) -> Any:
    """Give a stand-in for *model* that records to *recorder*.

    A plain function or method becomes a function; any other object keeps all its
    attributes, with `METHODS` recorded.

    >>> watched(lambda row: sum(row), Recorder())([1, 2])
    3
    """
    if inspect.isroutine(model):
        return watched_call(model, "__call__", recorder)
    kind = kind_for(WatchedModel, model, type(model).__name__)
    return kind(model, recorder)


class StandIn:
    """What reads, copies and saves as the model that it holds as `__wrapped__`.

    Names that it has itself go before the model's, and all others are the model's.
    What is copied or saved is the model: it loads where ServeWatch is not.
    """

    def __getattr__(self, name: str) -> Any:
        if name == "__wrapped__":
            raise AttributeError(f"{type(self).__name__}: {NO_MODEL}")
        try:
            model = self.__wrapped__
        except AttributeError:
            message = f"{type(self).__name__} has no {name!r}: {NO_MODEL}"
            raise AttributeError(message) from None
        value = getattr(model, name)
        try:
            if name in METHODS and callable(value):
                return _recorded(self, name, value)
            if isinstance(value, MethodType) and value.__self__ is model:
                return _returning(self, value)
        except Exception:  # noqa: BLE001 - then the model is called unwatched
            own(self)[RECORDER].totals.fault("look-up")
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if _is_own(self, name):
            object.__setattr__(self, name, value)
        else:
            setattr(self.__wrapped__, name, value)
            _forget(self, name)

    def __delattr__(self, name: str) -> None:
        if _is_own(self, name):
            object.__delattr__(self, name)
        else:
            delattr(self.__wrapped__, name)
            _forget(self, name)

    def __dir__(self) -> list[str]:
        kept = own(self)
        return sorted({*dir(type(self)), *kept, *dir(kept.get("__wrapped__"))})

    def __copy__(self) -> Any:
        return copy.copy(self.__wrapped__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__wrapped__, memo)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        # A call that gives its argument back, and of the standard library, so that
        # the model is saved by its own rules, whatever they are, and nothing of ours.
        return getitem, ((self.__wrapped__,), 0)


class WatchedModel(StandIn):
    """A model whose calls are recorded; everything else is the model's own."""

    def __init__(self, model: Any, recorder: Recorder) -> None:
        """Stand in for *model*."""
        hold(self, model, recorder)

    def __eq__(self, other: object) -> Any:
        if isinstance(other, WatchedModel):
            other = other.__wrapped__
        return self.__wrapped__ == other

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __repr__(self) -> str:
        return f"WatchedModel({self.__wrapped__!r})"


def hold(stand_in: StandIn, model: Any, recorder: Recorder) -> None:
    """Make *stand_in* hold *model* and record its calls and steps to *recorder*."""
    kept = own(stand_in)
    kept |= {"__wrapped__": model, RECORDER: recorder, RECORDED: {}}
    kept[STAGED] = staged(model, recorder)
    if callable(model):
        # A partial's or ufunc's `__call__` does not say what it takes; they do.
        is_written = isinstance(getattr(type(model), CALL), FunctionType)
        call = model.__call__ if is_written else model
        kept[CALL] = watched_call(call, CALL, recorder)


def own(stand_in: StandIn) -> dict[str, Any]:
    """Give what *stand_in* keeps itself; `vars` gives the model's.

    >>> own(watched([0.5], Recorder()))["__wrapped__"]
    [0.5]
    """
    kept: dict[str, Any] = _DICT.__get__(stand_in)
    return kept


_DICT = StandIn.__dict__["__dict__"]


def _is_own(stand_in: StandIn, name: str) -> bool:
    if "__wrapped__" not in own(stand_in):
        return True
    if name in METHODS:
        return False
    try:
        object.__getattribute__(stand_in, name)
    except AttributeError:
        return False
    return True


def _forget(stand_in: StandIn, name: str) -> None:
    """Look *name* up in the model again: it is another one now."""
    kept = own(stand_in)
    kept[RECORDED].pop(name, None)
    if name != CALL:
        kept.pop(name, None)


def _recorded(stand_in: StandIn, name: str, method: Any) -> Any:
    """Give *method* with its calls recorded, the same function while it is the same.

    One written in the model's class is from then on found without `__getattr__`; what
    the model makes up, as a pipeline does by its last step, is looked up every time.
    """
    kept = own(stand_in)
    recorded = kept[RECORDED]
    known = recorded.get(name)
    if known is not None and _is_same(known[0], method):
        return known[1]
    steps = kept[STAGED]
    called = method if steps is stand_in.__wrapped__ else getattr(steps, name)
    call = watched_call(called, name, kept[RECORDER])
    for part in ("__self__", "__func__"):
        with suppress(AttributeError):  # of a bound method
            setattr(call, part, getattr(method, part))
    written = inspect.getattr_static(stand_in.__wrapped__, name, None)
    if isinstance(written, FunctionType) and isinstance(method, MethodType):
        kept[name] = call
    else:
        recorded[name] = method, call
    return call


def _is_same(known: Any, method: Any) -> bool:
    if type(known) is MethodType and type(method) is MethodType:
        return known == method  # a bound method is made anew whenever it is read
    return known is method


def _returning(stand_in: StandIn, method: MethodType) -> Any:
    """Give *method* so that one answering with the model answers with *stand_in*."""
    if inspect.iscoroutinefunction(method):

        @wraps(method)
        async def answer_later(*args: Any, **kwargs: Any) -> Any:
            return rather(await method(*args, **kwargs), stand_in)

        return answer_later

    @wraps(method)
    def answer(*args: Any, **kwargs: Any) -> Any:
        return rather(method(*args, **kwargs), stand_in)

    return answer
