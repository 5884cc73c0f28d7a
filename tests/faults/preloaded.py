"""The application that gunicorn preloads: its parent has recorded before it forks."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from servewatch import ServeWatch, ServeWatchMiddleware

BOOKS = Path(os.environ["BOOKS_OF_THE_TEST"])


def predict(rows: Any) -> list[float]:
    return [0.0] * len(rows)


watch = ServeWatch(predict, block_seconds=3600)
watch([[1.0, 2.0]])  # in the parent: its buffer and its thread are not the workers'


async def answer(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    watch([[1.0, 2.0]])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


watched = ServeWatchMiddleware(answer, watch=watch)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Serve, and write the books once a worker's lifespan is over."""
    await watched(scope, receive, send)
    if scope["type"] == "lifespan":
        books = {
            "requests": sum(watch.totals.requests.values()),
            **watch.totals.accounting(),
        }
        (BOOKS / f"{os.getpid()}.json").write_text(json.dumps(books))
