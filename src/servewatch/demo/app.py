"""The demo's server: a model behind FastAPI, and two lines that watch it."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servewatch.demo.model import fit
from servewatch.demo.retail import BASELINE_FILE, FEATURES, read_rows

MONTH_BLOCKS = 4  # a block is a week, and the recent past not the whole demo

if TYPE_CHECKING:
    from fastapi import FastAPI

    from servewatch.baseline import Baseline


def build_app(model: Any, baseline: Baseline | str, **settings: Any) -> FastAPI:
    """Give an app that predicts rows at POST /predict, and is watched.

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

    return app


def serve(folder: Path, block_seconds: float, listening: socket.socket) -> None:
    """Serve the model with the baseline in *folder* until stdin ends or told to stop.

    The model is fitted anew, which takes a second and gives the same one.
    """
    import uvicorn

    app = build_app(
        fit(read_rows()),
        str(folder / BASELINE_FILE),
        block_seconds=block_seconds,
        grace_seconds=0,  # one process: nobody flushes late
        cpu_budget=1,  # months go by in seconds, and every row is in the story
        horizon_seconds=MONTH_BLOCKS * block_seconds,
    )
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))

    def stop_with_the_demo() -> None:
        sys.stdin.buffer.read()  # ends when the demo does, however it does
        server.should_exit = True

    threading.Thread(target=stop_with_the_demo, daemon=True).start()
    server.run(sockets=[listening])


if __name__ == "__main__":
    _folder, _block_seconds, _descriptor = sys.argv[1:]
    serve(Path(_folder), float(_block_seconds), socket.socket(fileno=int(_descriptor)))
