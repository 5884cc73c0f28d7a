"""Keys stay inside of the process, and reasons are told on /metrics alone."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from servewatch import ServeWatch
from servewatch.capture.fallback import fallback

KEYS = [f"canary-key-{number // 2}" for number in range(20)]


def test_keys_are_nowhere_and_reasons_only_where_they_are_counted(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = ServeWatch(retry_header="idempotency-key", served_events=1.0)

    async def predict(_: Request) -> JSONResponse:
        fallback(watch.recorder, "canary-reason")
        return JSONResponse({})

    app = Starlette(routes=[Route("/predict", predict)])
    watch.install(app)

    async def ask() -> dict[str, str]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://a") as http:
            for key in KEYS:
                await http.get("/predict", headers={"Idempotency-Key": key})
            watch.flush()
            paths = ("/drift", "/drift?format=html", "/watch/health", "/metrics")
            return {path: (await http.get(path)).text for path in paths}

    with caplog.at_level(logging.DEBUG):
        told = asyncio.run(ask())
        watch.close()
    logged = caplog.text + "".join(capsys.readouterr())

    metrics = told.pop("/metrics")
    assert 'servewatch_request_retries_total{model="model"} 10.0' in metrics
    reasons = [line for line in metrics.splitlines() if "canary" in line]
    assert reasons == [
        'servewatch_fallbacks_total{model="model",reason="canary-reason"} 20.0'
    ]
    assert "failures/retries" in told["/drift"]
    assert "canary" not in "".join(told.values())
    assert "canary" not in logged
