"""Asks an ASGI app as a caller from some address would."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

LOCAL = "127.0.0.1"
ELSEWHERE = "203.0.113.9"


def ask(
    app: Any,
    path: str,
    *,
    method: str = "GET",
    peer: str = LOCAL,
    host: str = "localhost:8000",
    **request: Any,
) -> httpx.Response:
    async def exchange() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(peer, 50_000))
        async with httpx.AsyncClient(
            transport=transport, base_url=f"http://{host}"
        ) as client:
            return await client.request(method, path, **request)

    return asyncio.run(exchange())
