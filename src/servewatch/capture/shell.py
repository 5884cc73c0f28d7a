"""A shell of a model: the model's methods on the model's attributes, all but one.

It has the same `__dict__`, so what its methods read is what the model has at that
moment, and what they set is set on the model.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Callable
from operator import getitem
from typing import Any

MODEL = "__servewatch_model__"
# Answered by the model: they ask types, and those of the steps here are ours.
ASKED = ("__sklearn_tags__", "__sklearn_is_fitted__", "get_metadata_routing")


class Shell:
    """First base of a shell's class; the second is the class of its model."""

    __slots__ = ()

    __servewatch_model__: Any

    def __init_subclass__(cls) -> None:
        """Say nothing to the model's class, which may keep a list of its subclasses."""

    def __copy__(self) -> Any:
        return copy.copy(self.__servewatch_model__)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__servewatch_model__, memo)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return getitem, ((self.__servewatch_model__,), 0)


def shell_kind(kind: type, attribute: str) -> type:
    """Give a class of shells for models of *kind* that have their own *attribute*.

    It is a slot, which goes before what `__dict__` has. Raises `TypeError` for a
    *kind* of which there are no such objects, such as one of numbers.

    >>> class Model:
    ...     def said(self):
    ...         return self.greeting, self.name
    >>> model = Model()
    >>> model.greeting, model.name = "hello", "world"
    >>> shell = shell_of(model, shell_kind(Model, "name"), "name", "shell")
    >>> model.greeting = "good night"
    >>> shell.said(), model.said()
    (('good night', 'shell'), ('good night', 'world'))
    """
    body: dict[str, Any] = {
        "__slots__": (attribute, MODEL),
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
        **{name: _asking(name) for name in ASKED if hasattr(kind, name)},
    }
    return types.new_class(
        kind.__name__, (Shell, kind), {}, lambda own: own.update(body)
    )


def shell_of(model: Any, kind: type, attribute: str, value: Any) -> Any:
    """Give the shell of *model* whose *attribute* is *value*.

    >>> class Model:
    ...     pass
    >>> model = Model()
    >>> shell = shell_of(model, shell_kind(Model, "steps"), "steps", ["timed"])
    >>> shell.seen = 3
    >>> model.seen, hasattr(model, "steps")
    (3, False)
    """
    shell: Any = object.__new__(kind)
    keep = object.__setattr__
    keep(shell, "__dict__", model.__dict__)
    keep(shell, MODEL, model)
    keep(shell, attribute, value)
    return shell


def _asking(name: str) -> Callable[..., Any]:
    def ask(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.__servewatch_model__, name)(*args, **kwargs)

    return ask
