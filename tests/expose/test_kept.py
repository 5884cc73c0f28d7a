from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count

from servewatch.expose.kept import Kept
from tests.expose.given import Clock


def get(kept: Kept, numbers: Iterator[int], key: str = "a") -> int:
    return asyncio.run(kept.get(key, lambda: next(numbers)))


def test_an_answer_is_kept() -> None:
    kept, numbers = Kept(Clock()), count()
    assert [get(kept, numbers), get(kept, numbers)] == [0, 0]


def test_an_answer_is_made_anew_after_a_second() -> None:
    clock, numbers = Clock(), count()
    kept = Kept(clock)
    get(kept, numbers)
    clock.now = 1.0
    assert get(kept, numbers) == 1


def test_an_answer_is_made_anew_when_there_is_news() -> None:
    kept, numbers = Kept(Clock()), count()
    get(kept, numbers)
    kept.forget()
    assert get(kept, numbers) == 1


def test_every_question_has_its_own_answer() -> None:
    kept, numbers = Kept(Clock()), count()
    assert [get(kept, numbers, "a"), get(kept, numbers, "b")] == [0, 1]


def test_fifty_at_once_make_one_answer() -> None:
    kept, numbers = Kept(Clock()), count()

    async def storm() -> set[int]:
        asked = (kept.get("a", lambda: next(numbers)) for _ in range(50))
        return set(await asyncio.gather(*asked))

    assert asyncio.run(storm()) == {0}
    assert next(numbers) == 1


def test_an_answer_made_of_old_news_is_not_kept() -> None:
    kept, numbers = Kept(Clock()), count()

    def overtaken() -> int:
        kept.forget()
        return next(numbers)

    asyncio.run(kept.get("a", overtaken))
    assert get(kept, numbers) == 1
