"""One call of ours that raises: the n-th one made from the request path.

As SQLite's tests fail the n-th I/O call for every n until a run succeeds, so here every
call that code of `capture` or `record` makes is failed once, without a list of sites
that somebody would have to keep.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import servewatch

ROOT = Path(servewatch.__file__).parent
PATH = tuple(f"{ROOT / room}/" for room in ("capture", "record"))
# The application's, the model's, the server's: the test's own code, and the event loop.
FOREIGN = (f"{Path(__file__).parent.parent}/", "/asyncio/")
THE_MODELS_OWN = ("StandIn.__getattr__", "getattr")  # what the model has, it answers
Profile = Callable[[FrameType, str, Any], object]


class Injected:
    """Raises at call number *at* of those that the path makes; counts them all."""

    def __init__(self, make: Callable[[], BaseException], at: int | None) -> None:
        self.make = make
        self.at = at
        self.calls = 0
        self.site = ""

    @property
    def was_raised(self) -> bool:
        return bool(self.site)

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Watch the calls of this thread."""
        gc.disable()  # a finalizer would be one call more, now and then
        sys.setprofile(self._seen)
        try:
            yield
        finally:
            sys.setprofile(None)
            gc.enable()

    def _seen(self, frame: FrameType, event: str, callee: Any) -> None:
        if event == "c_call":
            caller: FrameType | None = frame
            name = getattr(callee, "__qualname__", repr(callee))
            is_foreign = _is_foreign(_code_of(getattr(callee, "__self__", None)))
            is_foreign |= (frame.f_code.co_qualname, name) == THE_MODELS_OWN
        elif event == "call":
            caller, name = frame.f_back, frame.f_code.co_qualname
            is_foreign = _is_foreign(frame.f_code)
        else:
            return
        if caller is None or is_foreign:
            return
        if not caller.f_code.co_filename.startswith(PATH):
            return
        number, self.calls = self.calls, self.calls + 1
        if number == self.at:
            where = Path(caller.f_code.co_filename).relative_to(ROOT)
            self.site = f"{where}:{caller.f_lineno} calls {name}"
            raise self.make()


def _is_foreign(code: CodeType | None) -> bool:
    """Whether *code* is the application's, the model's or the server's."""
    return code is not None and any(part in code.co_filename for part in FOREIGN)


def _code_of(owner: Any) -> CodeType | None:
    """Give the code that resuming a generator or coroutine would run."""
    for name in ("gi_code", "cr_code", "ag_code"):
        code = getattr(owner, name, None)
        if isinstance(code, CodeType):
            return code
    return None
