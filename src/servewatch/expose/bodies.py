"""Bodies that callers send: JSON, of bounded size, and never many in memory at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

BODY_BYTES = 1024 * 1024
HELD_BYTES = 8 * 1024 * 1024  # of all requests together; a worker has 64 MiB in all
RETRY = {"retry-after": "1"}


async def discard(request: Request) -> None:
    """Let a body pass unread, before its sender is refused.

    A server closes the connection on what it has not read, and then the sender may see
    that in place of the answer. Longer bodies than any we take are not waited for.
    """
    passed = 0
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            passed += len(chunk)
            if passed > BODY_BYTES:
                return


class Bodies:
    """Holds the bodies of the requests that are being answered."""

    def __init__(self, *, most: int = BODY_BYTES, held: int = HELD_BYTES) -> None:
        """Take *most* bytes a body and *held* of all bodies at any moment."""
        self._most, self._room = most, held

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """Give the body of *request*, which counts as held until `with` ends.

        Raises `HTTPException`: 415 for anything but plain JSON (a page from elsewhere
        can send other types unasked), 413 for too much, 503 where there is no room now,
        400 for half a body.
        """
        body = bytearray()
        try:
            await self._fill(body, request)
            yield bytes(body)
        except ClientDisconnect:
            raise HTTPException(400, "the body ended before its end") from None
        finally:
            self._room += len(body)

    async def _fill(self, body: bytearray, request: Request) -> None:
        try:
            _check_type(request)
            length = request.headers.get("content-length", "")
            if length.isascii() and length.isdigit() and int(length[:18]) > self._most:
                raise self._too_large()
            async for chunk in request.stream():
                if len(body) + len(chunk) > self._most:
                    raise self._too_large()
                if len(chunk) > self._room:
                    raise _no_room()
                self._room -= len(chunk)
                body += chunk
        except HTTPException:
            await discard(request)
            raise

    def _too_large(self) -> HTTPException:
        return HTTPException(
            413, f"a body has at most {self._most:,} bytes: send less at once"
        )


def _no_room() -> HTTPException:
    return HTTPException(503, "many bodies at once: send it again later", RETRY)


def _check_type(request: Request) -> None:
    media = request.headers.get("content-type", "").partition(";")[0]
    if media.strip().lower() != "application/json":
        raise HTTPException(415, "send it as content-type: application/json")
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        raise HTTPException(415, "send it without content-encoding")
