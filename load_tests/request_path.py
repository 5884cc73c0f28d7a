"""What ServeWatch adds to a one-row request, in process, beside the bare app.

Two apps: one that answers without reading a body, and one that takes 30 floats as
JSON, calls a model and answers JSON. Each is asked bare, behind a middleware that does
nothing (the control), and watched: middleware alone, with and without the prediction
id, wrapper alone, both. No socket: it would drown a microsecond. Where a figure has
`_all` in its name, the CPU time of all threads is taken, after everything waiting was
counted.
"""

from __future__ import annotations

import asyncio
from typing import Any

from load_tests.asgi_load import App, Untouched, asked, json_app, lean_app, some_bodies
from load_tests.subjects import Linear, a_watch, settle
from load_tests.turns import Action, Turns, take_turns
from servewatch import ServeWatch, ServeWatchMiddleware

LIMITS = {"ratio": 1.7}  # 10 µs beside a bare request of 21 µs, and 0.2 for noise


def measure(groups: int = 5, rounds: int = 10, requests: int = 500) -> dict[str, float]:
    """Give microseconds a request: of the JSON app, then of the lean one.

    `ratio` is watched over bare; `control_us` what doing nothing adds; `drain_us` is
    spent in the background for each request.
    """
    return {
        **_with_a_model(groups, rounds, requests),
        **_without_a_body(groups, rounds, requests),
    }


def _with_a_model(groups: int, rounds: int, requests: int) -> dict[str, float]:
    called, timed, with_id, quiet = (
        a_watch(Linear()),
        a_watch(Linear(), prediction_id_header=None),
        a_watch(Linear()),
        a_watch(Linear(), prediction_id_header=None),
    )
    whole = a_watch(Linear())
    apps: dict[str, tuple[App, ServeWatch | None]] = {
        "bare": (json_app(Linear()), None),
        "control": (Untouched(json_app(Linear())), None),
        "wrapper": (json_app(called), called),
        "timing": (_behind(timed, json_app(Linear())), timed),
        "with_id": (_behind(with_id, json_app(Linear())), with_id),
        "no_id": (_behind(quiet, json_app(quiet)), quiet),
        "watched": (_behind(whole, json_app(whole)), whole),
    }
    found = _turns(apps, groups, rounds, requests)
    added = {name: found.added(name, "bare") for name in apps}
    whole_us = found.added("watched_all", "bare_all", "bare")
    return {
        "requests": groups * rounds * requests,
        "bare_us": found.least("bare"),
        "watched_us": found.least("bare") + added["watched"],
        "added_us": added["watched"],
        "ratio": found.ratio("watched", "bare"),
        "control_us": added["control"],
        "drain_us": whole_us - added["watched"],
        "all_us": whole_us,
        "no_id_all_us": found.added("no_id_all", "bare_all", "bare"),
        "wrapper_us": added["wrapper"],
        "wrapper_all_us": found.added("wrapper_all", "bare_all", "bare"),
        "timing_us": added["timing"],
        "with_id_us": added["with_id"],
        # In the middleware's company the wrapper hands its call to the request.
        "wrapper_in_request_us": found.added("watched", "with_id", "bare"),
    }


def _without_a_body(groups: int, rounds: int, requests: int) -> dict[str, float]:
    timed, with_id = a_watch(None, prediction_id_header=None), a_watch(None)
    apps: dict[str, tuple[App, ServeWatch | None]] = {
        "bare": (lean_app(), None),
        "control": (Untouched(lean_app()), None),
        "timing": (_behind(timed, lean_app()), timed),
        "with_id": (_behind(with_id, lean_app()), with_id),
    }
    found = _turns(apps, groups, rounds, requests)
    return {
        "lean_bare_us": found.least("bare"),
        "lean_control_us": found.added("control", "bare"),
        "lean_timing_us": found.added("timing", "bare"),
        "lean_timing_all_us": found.added("timing_all", "bare_all", "bare"),
        "lean_timing_ratio": found.ratio("timing", "bare"),
        "lean_with_id_us": found.added("with_id", "bare"),
        "lean_with_id_all_us": found.added("with_id_all", "bare_all", "bare"),
        "lean_with_id_ratio": found.ratio("with_id", "bare"),
    }


def _behind(watch: ServeWatch, app: App) -> App:
    return ServeWatchMiddleware(app, watch=watch)


def _turns(
    apps: dict[str, tuple[App, ServeWatch | None]],
    groups: int,
    rounds: int,
    requests: int,
) -> Turns:
    bodies = some_bodies(requests)
    watches = [watch for _, watch in apps.values() if watch is not None]
    with asyncio.Runner() as runner:
        actions: list[Action] = [
            asked(name, app, bodies, runner, _flush(watch))
            for name, (app, watch) in apps.items()
        ]
        found = take_turns(actions, groups=groups, rounds=rounds)
    settle(*watches)
    return found


def _flush(watch: ServeWatch | None) -> Any:
    return (lambda: None) if watch is None else watch.flush


if __name__ == "__main__":
    for name, figure in measure().items():
        print(f"{name:24} {figure:10.3f}")
