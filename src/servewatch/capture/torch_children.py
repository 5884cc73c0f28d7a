"""Stages of a torch module's children, by hooks that torch itself calls.

torch is never imported here: what is used of it are methods of the module. The hooks
are set on the module, so it is changed until they are removed again. They are copied
and saved as hooks that do nothing, which load where ServeWatch is not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from threading import local
from typing import Any, NamedTuple

from servewatch.capture.stage import Stage
from servewatch.capture.step import rows_in
from servewatch.record.recorder import Recorder

SITE = "torch"
DEEPEST = 64  # children open in one thread; where there are more, some never ended
# What is compiled has left Python: hooks would not be called, or would break it up.
COMPILED = frozenset({"OptimizedModule", "ScriptModule"})


def stage_children(module: Any, recorder: Recorder) -> Callable[[], None]:
    """Make every child of *module* a stage of its name; give what undoes it.

    Of a ModuleList or ModuleDict, which nobody calls, the members are: `blocks/0`. A
    stage is what a child takes on the host: a GPU may still be at work then. Rows are
    the first dimension of the child's first argument. Nothing is done to what is no
    torch module or is compiled, and nothing raised.

    >>> remove = stage_children([1, 2], Recorder())
    >>> remove()
    """
    handles: list[Any] = []

    def remove() -> None:
        while handles:
            handles.pop().remove()

    try:
        kinds = {kind.__name__ for kind in type(module).__mro__}
        if "Module" in kinds and not kinds & COMPILED:
            here = _Here()
            for name, child in _called(module, ""):
                child_calls = _Child(recorder, name, here)
                # The latter last: without the former it does nothing.
                handles.append(child.register_forward_pre_hook(_Begin(child_calls)))
                handles.append(_at_end(child, _End(child_calls)))
    except Exception:  # noqa: BLE001 - then it is called as it is
        recorder.totals.fault(SITE)
        remove()
    return remove


def _called(module: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, child in module.named_children():
        if type(child).forward.__name__ == "_forward_unimplemented":
            yield from _called(child, f"{path}{name}/")
        else:
            yield f"{path}{name}", child


def _at_end(child: Any, hook: _End) -> Any:
    try:
        return child.register_forward_hook(hook, always_call=True)
    except TypeError:  # before torch 2.0: what fails is no run of its stage then
        return child.register_forward_hook(hook)


class _Child(NamedTuple):
    recorder: Recorder
    name: str
    here: _Here


class _Open(NamedTuple):
    """A child that is at work, and the error that was being handled when it began."""

    child: _Child
    stage: Stage
    handled: BaseException | None


class _Here(local):
    """The open children of one thread, the innermost last."""

    def __init__(self) -> None:
        self.open: list[_Open] = []


class _Hook:
    """What torch calls for one child."""

    def __init__(self, child: _Child) -> None:
        self.child = child

    def __reduce__(self) -> tuple[Any, ...]:
        # Takes whatever it is given, gives None, and is of the standard library.
        return getattr, (nullcontext(), "__exit__")


class _Begin(_Hook):
    """Called before a child is."""

    def __call__(self, module: Any, args: tuple[Any, ...]) -> None:
        child = self.child
        try:
            if not child.recorder.armed:
                return
            waiting = child.here.open
            while len(waiting) >= DEEPEST:
                waiting.pop().stage.pause()
            stage = Stage(
                child.recorder, child.name, rows_in(args[0]) if args else None
            )
            waiting.append(_Open(child, stage, sys.exc_info()[1]))
            stage.__enter__()
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            child.recorder.totals.fault(SITE)


class _End(_Hook):
    """Called after a child was, also where it raised: then that error is handled."""

    def __call__(self, module: Any, args: Any, answer: Any) -> None:
        child = self.child
        try:
            waiting = child.here.open
            if not any(each.child is child for each in waiting):
                return  # it began while nothing was recorded
            while (last := waiting.pop()).child is not child:
                last.stage.pause()  # left without a word
            error = sys.exc_info()[1]
            if error is None or error is last.handled:
                last.stage.__exit__(None, None, None)
            else:
                last.stage.__exit__(type(error), error, None)
        except Exception:  # noqa: BLE001 - inside a request nothing is raised
            child.recorder.totals.fault(SITE)
