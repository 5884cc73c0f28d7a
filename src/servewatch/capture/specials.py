"""The special methods of a model, on the type of its stand-in.

Python looks these up on the type and never asks `__getattr__`, so `watch[0]` works
only where a type of ours has `__getitem__`. And a type that had them all would claim
too much: with `__len__` an estimator without members would be false. Therefore every
stand-in has a type of its own, with just the special methods of its model's type.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

_CONTAINER = """
    __len__ __length_hint__ __getitem__ __setitem__ __delitem__ __contains__
    __iter__ __next__ __reversed__ __aiter__ __anext__
"""
_CONTEXT = "__enter__ __exit__ __aexit__ __await__"
_VALUE = """
    __bool__ __int__ __float__ __index__ __complex__ __str__ __format__
    __lt__ __le__ __gt__ __ge__ __neg__ __pos__ __abs__ __invert__
"""
_OPERATORS = "add sub mul matmul truediv floordiv mod pow lshift rshift and xor or"
SPECIALS = (
    *f"{_CONTAINER} {_CONTEXT} {_VALUE}".split(),
    *(f"__{kind}{name}__" for name in _OPERATORS.split() for kind in ("", "r", "i")),
)


def kind_for(kind: type, model: Any, name: str) -> type:
    """Give a subclass of *kind*, called *name*, with the special methods of *model*.

    Its instances keep the model as `__wrapped__` and their recorded `__call__` as an
    attribute. `isinstance` takes them for the model and for *kind*; `type` tells.

    >>> class Held:
    ...     def __init__(self, model):
    ...         self.__wrapped__ = model
    >>> held = kind_for(Held, [1, 2], "Held")([1, 2])
    >>> len(held), held[0], isinstance(held, list), callable(held)
    (2, 1, True, False)
    """
    # Not by getattr, which finds what classes can do, such as `|`, and objects cannot.
    parents = type(model).__mro__[-2::-1]
    known = {each: value for kind in parents for each, value in vars(kind).items()}
    body: dict[str, Any] = {
        special: None if known[special] is None else _forwarding(special)
        for special in SPECIALS
        if special in known
    }
    if "__aenter__" in known:
        body["__aenter__"] = _entering
    if callable(model):
        body["__call__"] = _calling
    # Not for a function, class or module: what takes one for these reads its insides.
    if not (inspect.isroutine(model) or isinstance(model, type | ModuleType)):
        body["__class__"] = property(lambda self: self.__wrapped__.__class__)
        body["__dict__"] = property(lambda self: self.__wrapped__.__dict__)
    body |= {"__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(name, (kind,), body)


def rather(answer: Any, stand_in: Any) -> Any:
    """Give *stand_in* where a method answers with the model itself."""
    return stand_in if answer is stand_in.__wrapped__ else answer


def _forwarding(special: str) -> Callable[..., Any]:
    def forward(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        model = self.__wrapped__
        method = getattr(type(model), special)
        return rather(method(model, *args, **kwargs), self)

    forward.__name__ = special
    return forward


async def _entering(self: Any) -> Any:
    """Enter the model's asynchronous context."""
    model = self.__wrapped__
    return rather(await type(model).__aenter__(model), self)


def _calling(self: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call the model."""
    return self.__call__(*args, **kwargs)  # the instance's: it records
