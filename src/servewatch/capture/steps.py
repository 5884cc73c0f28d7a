"""Stages and taps of scikit-learn's pipelines, without a line of the user's code.

A shell runs the pipeline's own methods on the pipeline's own attributes (it has the
same `__dict__`), with one exception: the list of steps that it sees holds a timed
`Step` for each. So nothing of the pipeline is changed, whatever its methods set is set
on it, and only what stands in that list is looked at again before each call.
scikit-learn is known by its structure and never imported.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from functools import wraps
from operator import getitem, is_
from typing import Any, NamedTuple

from servewatch.capture.shell import shell_kind, shell_of
from servewatch.capture.specials import kind_for
from servewatch.capture.step import CALLS, SITE, Part, step
from servewatch.record.recorder import Recorder

# What has steps, by the attribute that lists them, the parameter that it always has,
# and a property of its class.
STRUCTURES = (
    ("steps", "steps", "named_steps"),
    ("transformers_", "transformers", "named_transformers_"),
    ("transformer_list", "transformer_list", "named_transformers"),
)
SEARCHED = "best_estimator_"  # of a search: a pipeline, mostly
HELD = "__servewatch_held__"


def staged(model: Any, recorder: Recorder) -> Any:
    """Give what to call instead of *model*, so that each of its steps is a stage.

    A Pipeline's steps are stages of their names; the parts of a ColumnTransformer or
    FeatureUnion, and steps within steps, are `step/part`, at any depth. What a step of
    a Pipeline gives is seen as the tap of that name where the baseline has it, but for
    the last step's. *model* itself is given back where it has no steps; it is never
    changed.

    >>> staged([1, 2], Recorder())
    [1, 2]
    """
    try:
        attribute = listed_as(model)
        if attribute is None:
            return model
        return _calling(Held(model, attribute, "", recorder))
    except Exception:  # noqa: BLE001 - then the model is called as it is
        recorder.totals.fault(SITE)
        return model


def listed_as(model: Any) -> str | None:
    """Name the attribute that lists the steps of *model*; None where it has none.

    >>> class Chain:
    ...     named_steps = property(lambda self: dict(self.steps))
    ...
    ...     def __init__(self, steps):
    ...         self.steps = steps
    >>> listed_as(Chain([])), listed_as(3)
    ('steps', None)
    """
    fields, kind = getattr(model, "__dict__", {}), type(model)
    if isinstance(model, type | types.ModuleType):
        return None
    for attribute, parameter, described in STRUCTURES:
        if parameter in fields and hasattr(kind, described):
            return attribute
    if SEARCHED in fields and listed_as(fields[SEARCHED]) is not None:
        return SEARCHED
    return None


class Made(NamedTuple):
    """What to `call`, and the attributes and steps of the model it was made from."""

    fields: object
    listed: Sequence[Any]
    call: Any


class Held:
    """A model with steps, and its shell as long as the steps are the same objects."""

    def __init__(
        self,
        model: Any,
        attribute: str,
        path: str,
        recorder: Recorder,
    ) -> None:
        """Have stages below *path* for what *model* lists as *attribute*."""
        self.model = model
        self._attribute = attribute
        self._path = path
        self._recorder = recorder
        self._kind = shell_kind(type(model), attribute)
        self._made = Made(None, (), model)

    def fresh(self) -> Any:
        """Give the shell for the steps of this moment, or the model; never raises."""
        model = self.model
        try:
            fields = model.__dict__
            listed = self._listed(fields)
            if listed is None:
                return model
            made = self._made
            if (
                made.fields is fields
                and len(made.listed) == len(listed)
                and all(map(is_, made.listed, listed))
            ):
                return made.call
            self._made = made = self._make(fields, tuple(listed))
        except Exception:  # noqa: BLE001 - then the model is called as it is
            self._recorder.totals.fault(SITE)
            return model
        return made.call

    def _listed(self, fields: dict[str, Any]) -> Sequence[Any] | None:
        """Give what the model lists now; None where it is to be called as it is."""
        listed: Sequence[Any] | None = fields.get(self._attribute)
        if self._attribute == SEARCHED:
            return None if listed is None else (listed,)
        if self._attribute != "steps" and fields.get("n_jobs") not in {None, 1}:
            return None  # its parts are sent to other processes: without us
        return listed

    def _make(self, fields: dict[str, Any], listed: tuple[Any, ...]) -> Made:
        try:
            return Made(fields, listed, self._shell(listed))
        except Exception:  # noqa: BLE001 - counted once, not at every call
            self._recorder.totals.fault(SITE)
            return Made(fields, listed, self.model)

    def _shell(self, listed: Sequence[Any]) -> Any:
        if self._attribute == SEARCHED:
            seen = self._inner(listed[0], self._path)
            if seen is None:
                return self.model
            stood_for: Any = _calling(seen)
        elif not all(type(each) is tuple for each in listed):
            return self.model  # pairs that may change unseen
        else:
            last = len(listed) - 1 if self._attribute == "steps" else 0
            stood_for = [
                (name, self._step(name, estimator, is_tapped=place < last), *more)
                for place, (name, estimator, *more) in enumerate(listed)
            ]
        return shell_of(self.model, self._kind, self._attribute, stood_for)

    def _step(self, name: object, estimator: Any, *, is_tapped: bool) -> Any:
        if estimator is None or isinstance(estimator, str):  # drop, passthrough
            return estimator
        path = f"{self._path}/{name}" if self._path else f"{name}"
        inner = self._inner(estimator, path)
        part = Part(
            self._recorder,
            self._recorder.stage_runs.named(path),
            path if is_tapped else None,
            None if inner is None else inner.fresh,
        )
        return step(estimator, part)

    def _inner(self, estimator: Any, path: str) -> Held | None:
        try:
            attribute = listed_as(estimator)
            if attribute is None:
                return None
            return Held(estimator, attribute, path, self._recorder)
        except Exception:  # noqa: BLE001 - it is a stage as a whole
            self._recorder.totals.fault(SITE)
            return None


class Staged:
    """A model with steps: its `CALLS` go through the shell, all else is its own."""

    __servewatch_held__: Held
    __wrapped__: Any

    def __init__(self, held: Held) -> None:
        """Call what *held* has fresh."""
        keep = object.__setattr__
        keep(self, "__wrapped__", held.model)
        keep(self, HELD, held)
        if callable(held.model):
            keep(self, "__call__", held.model)

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.__wrapped__, name)
        if name not in CALLS:
            return method
        return _through(self.__servewatch_held__, name, method)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__wrapped__, name, value)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return getitem, ((self.__wrapped__,), 0)


def _calling(held: Held) -> Any:
    return kind_for(Staged, held.model, type(held.model).__name__)(held)


def _through(held: Held, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    known: tuple[Any, Any] = held.model, method

    @wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal known
        shell, bound = known
        fresh = held.fresh()
        if fresh is not shell:
            bound = getattr(fresh, name)
            known = fresh, bound
        return bound(*args, **kwargs)

    return call
