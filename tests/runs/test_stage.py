"""Stages of a run: managers, decorators, errors and retries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

import servewatch as sw
from servewatch.runs.facts import StageFacts


def test_a_stage_counts_what_is_noted_inside() -> None:
    with sw.run("train", job="a") as run, run.stage("ingest") as stage:
        stage.rows(10)
        stage.retried(2)
        stage.tokens(5)
    found = run.facts().stages["ingest"]

    assert (found.runs, found.rows, found.retries, found.tokens) == (1, 10, 2, 5)


def test_retries_may_be_told_of_from_outside() -> None:
    with sw.run("train", job="a") as run:
        run.retried("fetch")
        with run.stage("fetch"):
            pass
        run.retried("fetch", 2)

    assert run.facts().stages["fetch"].retries == run.facts().retries == 3
    assert run.facts().stages["fetch"].runs == 1


def test_an_error_that_the_job_survives_is_counted() -> None:
    with sw.run("train", job="a") as run:
        for _ in range(2):
            with pytest.raises(OSError, match="gone"), run.stage("fetch"):
                raise OSError("gone")

    assert run.facts().status == "ok"
    assert run.facts().stages["fetch"].errors == {"OSError": 2}


def test_functions_of_every_kind_are_stages() -> None:
    with sw.run("train", job="a") as run:

        @run.stage("plain")
        def plain(value: int) -> int:
            """Say what it does."""
            return value + 1

        @run.stage("awaited")
        async def awaited(value: int) -> int:
            await asyncio.sleep(0)
            return value + 1

        @run.stage("counted")
        def counted() -> Iterator[int]:
            yield from range(3)

        @run.stage("streamed")
        async def streamed() -> AsyncIterator[int]:
            for each in range(3):
                yield each

        async def gathered() -> list[int]:
            return [each async for each in streamed()]

        assert (plain(1), asyncio.run(awaited(1))) == (2, 2)
        assert list(counted()) == asyncio.run(gathered()) == [0, 1, 2]
        assert (plain.__name__, plain.__doc__) == ("plain", "Say what it does.")
    found = run.facts().stages

    assert {name: each.runs for name, each in found.items()} == dict.fromkeys(
        ("plain", "awaited", "counted", "streamed"), 1
    )
    assert found["plain"].process_cpu_seconds is not None
    assert found["counted"].process_cpu_seconds is None


def test_a_decorated_function_that_calls_itself_counts_each_call() -> None:
    with sw.run("train", job="a") as run:

        @run.stage("walk")
        def walk(depth: int) -> int:
            return 0 if depth == 0 else 1 + walk(depth - 1)

        assert walk(4) == 4

    assert run.facts().stages["walk"].runs == 5


def test_concurrent_tasks_may_share_a_stage() -> None:
    async def job() -> StageFacts:
        async with sw.run("score", job="a") as run:
            stage = run.stage("fetch")

            async def fetch() -> None:
                async with stage:
                    await asyncio.sleep(0.01)

            await asyncio.gather(*(fetch() for _ in range(10)))
        return run.facts().stages["fetch"]

    found = asyncio.run(job())

    assert found.runs == 10
    assert found.seconds >= 0.1
