"""The routes that take labels: off the event loop, a few at once, all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from servewatch.errors import StoreError
from servewatch.expose.answers import answer, problem
from servewatch.expose.bodies import RETRY, Bodies, discard
from servewatch.expose.feedback import (
    MOST_LABELS,
    Given,
    list_body,
    one_body,
    overall,
    read,
    submit,
)
from servewatch.expose.seldon import message_of, read_seldon
from servewatch.labels.inbox import Inbox

# While one waits for the disk another may be read; more would only wait in line.
AT_ONCE = 2

T = TypeVar("T")
_limiter: RunVar[CapacityLimiter] = RunVar("servewatch.expose.intake")


class Intake:
    """Answers whoever sends labels; who may do so is decided before."""

    def __init__(self) -> None:
        """Hold no body yet."""
        self._bodies = Bodies()

    async def feedback(self, request: Request, inboxes: Sequence[Inbox]) -> Response:
        """Take one label or a list, as `POST /feedback` has them."""

        def take(body: bytes) -> Response:
            items, is_list = _understood(lambda: read(body))
            _check_number(items)
            taken = submit(inboxes, items)
            if is_list:
                return answer(list_body(taken), overall(taken))
            return answer(one_body(taken[0]), taken[0].status)

        return await self._taken(request, inboxes, take)

    async def seldon(self, request: Request, inboxes: Sequence[Inbox]) -> Response:
        """Take the labels of one response, as Seldon Core v1 sends them."""
        header_id = request.headers.get("x-request-id")

        def take(body: bytes) -> Response:
            given = _understood(lambda: read_seldon(body, header_id))
            _check_number([given])
            taken = submit(inboxes, [given])
            return answer(message_of(taken), overall(taken))

        return await self._taken(request, inboxes, take)

    async def _taken(
        self,
        request: Request,
        inboxes: Sequence[Inbox],
        take: Callable[[bytes], Response],
    ) -> Response:
        if not inboxes:
            await discard(request)
            return problem(
                501,
                "no model here can be compared with labels",
                "build the baseline with target= and evaluation=; its report says "
                "where labels and predictions do not fit",
            )
        async with self._bodies.read(request) as body:
            try:
                return await _off_loop(lambda: take(body))
            except StoreError:  # where labels are kept is nothing for callers
                return problem(
                    503,
                    "labels cannot be kept now; none is acknowledged",
                    "send them again later: what was taken is not counted twice",
                    RETRY,
                )


def _understood(read_body: Callable[[], T]) -> T:
    try:
        return read_body()
    except ValueError as error:
        raise HTTPException(400, str(error)) from None


def _check_number(items: Sequence[Given]) -> None:
    if sum(each.labels for each in items) > MOST_LABELS:
        raise HTTPException(
            413, f"at most {MOST_LABELS:,} labels at once: send less at once"
        )


async def _off_loop(make: Callable[[], Response]) -> Response:
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(AT_ONCE)
        _limiter.set(limiter)
    return await to_thread.run_sync(make, limiter=limiter)
