"""The JSON app for `uvicorn --factory`, bare and watched: what sockets.py serves."""

from load_tests.asgi_load import App, json_app
from load_tests.subjects import Linear


def bare() -> App:
    """Serve without a watch."""
    return json_app(Linear())


def watched() -> App:
    """Serve with everything on, in blocks of ten seconds as by default."""
    from load_tests.subjects import a_watch

    watch = a_watch(Linear(), block_seconds=10.0)
    app = json_app(watch)
    watch.install(app)
    return app


def instrumentator() -> App:
    """Serve with the exporter that costs least."""
    from prometheus_fastapi_instrumentator import Instrumentator

    app = json_app(Linear())
    Instrumentator().instrument(app)
    return app
