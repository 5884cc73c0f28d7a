"""The demo's server: a model behind FastAPI, and two lines that watch it."""

from __future__ import annotations

import pickle
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servewatch.demo.retail import FEATURES

if TYPE_CHECKING:
    from fastapi import FastAPI

    from servewatch.baseline import Baseline
    from servewatch.embed import ServeWatch


def build_app(
    model: Any, baseline: Baseline | str, **settings: Any
) -> tuple[FastAPI, ServeWatch]:
    """Give an app that predicts rows at POST /predict, and what watches it.

    *settings* are `Config`'s.
    """
    import pandas as pd
    from fastapi import FastAPI

    from servewatch.embed import ServeWatch

    app = FastAPI(title="Weekly demand of a shop")
    watch = ServeWatch(model, baseline=baseline, **settings)
    watch.install(app)

    @app.post("/predict")
    def predict(rows: list[dict[str, float | None]]) -> list[float]:
        frame = pd.DataFrame(rows, columns=list(FEATURES), dtype=float)
        units: list[float] = watch.predict(frame).tolist()
        return units

    return app, watch


class Prompt:
    """Files what a prediction left at once, not at the next of ServeWatch's beats.

    Beats are a second apart, and so are the demo's weeks: now and then one beat would
    find two weeks and the next beat none.
    """

    def __init__(self, app: Any, watch: ServeWatch) -> None:
        """Stand around *app*, whose middleware has recorded when it returns."""
        self.app, self.watch = app, watch

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request, then file it."""
        await self.app(scope, receive, send)
        if scope["type"] == "http" and scope["method"] == "POST":
            self.watch.flush()


def serve(folder: Path, block_seconds: float, listening: socket.socket) -> None:
    """Serve the model and baseline of *folder* until stdin ends or told to stop."""
    import uvicorn

    # The file is the demo's own, written a moment ago into a folder of its own.
    model = pickle.loads((folder / "model.pickle").read_bytes())  # noqa: S301
    app, watch = build_app(
        model,
        str(folder / "retail.baseline.json"),
        block_seconds=block_seconds,
        grace_seconds=0,  # one process: nobody flushes late
    )
    server = uvicorn.Server(uvicorn.Config(Prompt(app, watch), log_level="warning"))

    def stop_with_the_demo() -> None:
        sys.stdin.buffer.read()  # ends when the demo does, however it does
        server.should_exit = True

    threading.Thread(target=stop_with_the_demo, daemon=True).start()
    server.run(sockets=[listening])


if __name__ == "__main__":
    _folder, _block_seconds, _descriptor = sys.argv[1:]
    serve(Path(_folder), float(_block_seconds), socket.socket(fileno=int(_descriptor)))
