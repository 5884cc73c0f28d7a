"""What every worker serves: one row a request, watched with a shared store.

BASELINE and STATE_DIR name files of the test; the model adds two numbers, and SHIFT.
"""

from __future__ import annotations

import json
import os

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from servewatch import ServeWatch
from tests.workers.world import BLOCK_SECONDS, NAMES, Total


def make() -> Starlette:
    """Give the watched app."""
    watch = ServeWatch(
        Total(float(os.environ.get("SHIFT", "0"))),
        baseline=os.environ["BASELINE"],
        block_seconds=BLOCK_SECONDS,
        state_dir=os.environ.get("STATE_DIR") or None,
        rows_per_second=1e6,
        cpu_budget=1.0,
    )

    async def predict(request: Request) -> JSONResponse:
        rows = np.array(json.loads(await request.body()), dtype=float)
        assert rows.shape[1] == len(NAMES)
        answer = watch.predict(rows).tolist()
        return JSONResponse(answer, headers={"pid": str(os.getpid())})

    async def pid(_: Request) -> JSONResponse:
        return JSONResponse(os.getpid())

    routes = [Route("/predict", predict, methods=["POST"]), Route("/pid", pid)]
    app = Starlette(routes=routes)
    watch.install(app)
    return app
