"""Whatever call of ours fails on the request path, its user cannot tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.capture.asked import Watching
from tests.faults.cases import CASES, Got, Setting
from tests.faults.injected import Injected

EXCEPTIONS: dict[str, Callable[[], BaseException]] = {
    "ValueError": lambda: ValueError("injected"),
    "MemoryError": lambda: MemoryError("injected"),
    "RecursionError": lambda: RecursionError("injected"),
    "UnicodeError": lambda: UnicodeEncodeError("latin-1", "é", 0, 1, "injected"),
}
WARM = 3  # requests before: lanes and pools are in use then
# Not a fault: `leave` expects it of another task's context, and sets the variable.
EXPECTED = "ContextVar.reset"
TIMES = {"first": 0, "later": WARM}
RUNS = [
    pytest.param(
        name,
        before,
        id=f"{name}-{when}",
    )
    for name in CASES
    for when, before in TIMES.items()
]
MOST_CALLS = 1000  # of ours in one request; it is about 60


async def got(
    name: str, *, watch: Watching | None, before: int, fault: Injected
) -> Got:
    """Give what the user of a case got while one call of ours raised."""
    setting = Setting(watch)
    once = CASES[name](setting)
    for _ in range(before):
        await once()
    setting.got.clear()
    with fault.armed():
        await once()
    return setting.got


async def check(
    name: str,
    make: Callable[[], BaseException],
    before: int,
    watching: Callable[[], Watching] = Watching,
) -> int:
    """Fail each call of ours once; give how many there were."""
    bare = await got(name, watch=None, before=before, fault=Injected(make, None))
    wrong: dict[str, str] = {}
    for number in range(MOST_CALLS):
        watch = watching()
        fault = Injected(make, number)
        mine = await got(name, watch=watch, before=before, fault=fault)
        counted = watch.totals.internal_errors
        if not fault.was_raised:
            break
        if not _same(mine, bare):
            wrong[fault.site] = f"{mine} instead of {bare}"
        elif sum(counted.values()) != 1 and not fault.site.endswith(EXPECTED):
            wrong[fault.site] = f"counted {dict(counted)}"
    if wrong:
        raise AssertionError(wrong)
    return number


def _same(mine: Got, bare: Got) -> bool:
    """Compare by value, and exceptions by identity."""
    return len(mine) == len(bare) and all(
        a is b if isinstance(b, BaseException) else a == b
        for a, b in zip(mine, bare, strict=True)
    )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("name", "before"), RUNS)
def test_a_failing_call_of_ours_changes_nothing_and_is_counted_once(
    name: str, before: int
) -> None:
    calls = asyncio.run(check(name, EXCEPTIONS["ValueError"], before))

    assert calls > 0 or name == "websocket"  # there is nothing of ours to fail


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", EXCEPTIONS)
@pytest.mark.parametrize(("name", "before"), RUNS)
def test_whatever_exception_it_is(name: str, kind: str, before: int) -> None:
    asyncio.run(check(name, EXCEPTIONS[kind], before))
