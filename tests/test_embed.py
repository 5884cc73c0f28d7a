from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from servewatch import (
    Baseline,
    BaselineError,
    ConfigError,
    ServeWatch,
    ServeWatchMiddleware,
)
from servewatch.capture.request import current_id
from tests.expose.asking import ELSEWHERE, ask

Make = Callable[..., ServeWatch]


class Adder:
    """A model: the sum of each row."""

    classes_ = ("one", "two")

    def predict(self, rows: Any) -> list[float]:
        return [float(sum(row)) for row in rows]


@pytest.fixture
def make() -> Iterator[Make]:
    """Give watches that are closed at the end."""
    made: list[ServeWatch] = []

    def watch(*args: Any, **settings: Any) -> ServeWatch:
        made.append(ServeWatch(*args, **settings))
        return made[-1]

    yield watch
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    rng = np.random.default_rng(7)
    columns = {name: rng.normal(size=4000) for name in ("price", "stock")}
    table = {**columns, "predicted": columns["price"] + columns["stock"]}
    return Baseline.build(table, prediction="predicted", model="demand", version="3")


def serving(*watches: ServeWatch, install: bool = True) -> Starlette:
    """An app with a route for each watched model."""

    def route(place: int, watch: ServeWatch) -> Route:
        async def predict(request: Request) -> JSONResponse:
            return JSONResponse(watch.predict(await request.json()))

        return Route(f"/predict{place or ''}", predict, methods=["POST"])

    app = Starlette(routes=[route(i, watch) for i, watch in enumerate(watches)])
    for watch in watches if install else ():
        watch.install(app)
    return app


def predict(app: Any, rows: object, path: str = "/predict") -> Any:
    answer = ask(app, path, method="POST", json=rows)
    assert answer.status_code == 200
    return answer.json()


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_the_model_answers_as_before(make: Make) -> None:
    assert make(Adder()).predict([[1, 2], [3, 4]]) == [3.0, 7.0]


def test_a_function_is_called_as_before(make: Make) -> None:
    assert make(sum)([1, 2]) == 3


def test_the_models_own_attributes_are_there(make: Make) -> None:
    assert make(Adder()).classes_ == ("one", "two")


def test_what_neither_has_is_missed_as_in_the_model(make: Make) -> None:
    with pytest.raises(AttributeError, match="predict_log_proba"):
        _ = make(Adder()).predict_log_proba


def test_without_a_model_there_is_nothing_to_call(make: Make) -> None:
    watch = make()
    with pytest.raises(TypeError, match="no model"):
        watch([1])
    with pytest.raises(AttributeError, match="no model"):
        watch.predict([1])


def test_a_model_may_be_given_by_keyword(make: Make) -> None:
    assert make(model=Adder()).predict([[1, 2]]) == [3.0]


def test_a_name_may_be_given_by_keyword(make: Make) -> None:
    assert make(Adder(), model="adder").report().model["name"] == "adder"


def test_a_baseline_names_the_model(make: Make, baseline: Baseline) -> None:
    model = make(Adder(), baseline=baseline).report().model
    assert (model["name"], model["version"]) == ("demand", "3")


def test_a_given_name_goes_before_the_baselines(make: Make, baseline: Baseline) -> None:
    watch = make(Adder(), baseline=baseline, model="other", model_version="9")
    model = watch.report().model
    assert (model["name"], model["version"]) == ("other", "9")


def test_a_baseline_may_be_a_file(
    make: Make, baseline: Baseline, tmp_path: Path
) -> None:
    path = tmp_path / "demand.baseline.json"
    baseline.save(path)
    assert make(Adder(), baseline=path).report().model["baseline"] == baseline.digest


def test_settings_are_read_from_the_environment_when_made(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVEWATCH_BLOCK_SECONDS", "3")
    watch = make()
    monkeypatch.setenv("SERVEWATCH_BLOCK_SECONDS", "5")
    assert watch.config.block_seconds == 3


def test_arguments_go_before_the_environment(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVEWATCH_BLOCK_SECONDS", "3")
    assert make(block_seconds=4).config.block_seconds == 4


def test_what_is_no_baseline_is_refused() -> None:
    with pytest.raises(BaselineError, match="found 'int', expected a Baseline or the"):
        ServeWatch(Adder(), baseline=5)  # type: ignore[arg-type]


def test_a_store_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="store"):
        ServeWatch(Adder(), store="redis://localhost")


def test_rows_of_a_call_are_counted(make: Make) -> None:
    watch = make(Adder())
    watch.predict([[1, 2], [3, 4]])
    assert watch.report().accounting["recorded"] == 2


def test_rows_recorded_by_hand_are_counted(make: Make, baseline: Baseline) -> None:
    watch = make(baseline=baseline)
    watch.record({"price": 1.0, "stock": 2.0}, 3.0, latency_seconds=0.004)
    report = watch.report()
    assert report.accounting["recorded"] == 1
    assert report.latency["inference"]["count"] == 1


def test_without_a_baseline_drift_is_not_known_and_says_why(make: Make) -> None:
    app = serving(make(Adder()))
    predict(app, [[1, 2]])
    body = ask(app, "/drift").json()
    assert body["status"] == "insufficient_data"
    assert "no baseline" in body["reason"]


def test_without_a_baseline_latency_and_errors_are_watched(make: Make) -> None:
    names = [stream.name for stream in make(Adder()).report().streams]
    assert {"errors", "latency"} <= set(names)


def test_one_request_is_one_observation(make: Make, baseline: Baseline) -> None:
    watch = make(Adder(), baseline=baseline)
    app = serving(watch)
    predict(app, [[1.0, 2.0], [3.0, 4.0]])
    watch.flush()
    metrics = ask(app, "/metrics").text
    label = 'model="demand"'
    counted = f'{{method="POST",{label},route="/predict",status="200"}} 1.0'
    assert f"servewatch_requests_total{counted}" in metrics
    assert f"servewatch_rows_total{{{label}}} 2.0" in metrics
    assert f"servewatch_inference_duration_seconds_count{{{label}}} 1.0" in metrics


def test_asking_servewatch_is_not_a_request_to_the_model(make: Make) -> None:
    watch = make(Adder())
    app = serving(watch)
    for path in sorted(watch.own_paths):
        ask(app, path)
    watch.flush()
    assert "servewatch_requests_total{" not in ask(app, "/metrics").text


def test_what_the_app_answers_is_left_alone(make: Make) -> None:
    app = Starlette(routes=[Route("/watch/me", lambda _: PlainTextResponse("mine"))])
    make(Adder()).install(app)
    assert ask(app, "/watch/me").text == "mine"
    assert ask(app, "/watch/nothing").text == "Not Found"


def test_counts_are_current_after_a_flush(make: Make) -> None:
    watch = make(Adder())
    app = serving(watch)
    for rows in (1, 2):
        predict(app, [[1, 2]])
        watch.flush()
        assert ask(app, "/drift").json()["rows"] == rows


def test_a_prefix_stands_before_our_routes(make: Make) -> None:
    app = serving(make(Adder(), prefix="/internal"))
    assert ask(app, "/internal/drift").status_code == 200
    assert ask(app, "/drift").status_code == 404


def test_a_token_closes_the_detail(make: Make) -> None:
    app = serving(make(Adder(), token="secret-word"))
    assert ask(app, "/watch", peer=ELSEWHERE).status_code == 401
    bearer = {"authorization": "Bearer secret-word"}
    assert ask(app, "/watch", peer=ELSEWHERE, headers=bearer).status_code == 200


def hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("the app's own")


ANYTHING = PlainTextResponse("the app's own")


@pytest.mark.parametrize(
    "route",
    [
        Route("/metrics", hello),
        Mount("/metrics", ANYTHING),
        Mount("/drift", routes=[Route("/gate", hello)]),
        Mount("", routes=[Route("/watch", hello)]),
    ],
)
def test_a_route_that_would_be_hidden_is_refused(make: Make, route: Any) -> None:
    watch = make(Adder())
    with pytest.raises(ConfigError, match=r"prefix=\"/internal\""):
        watch.install(Starlette(routes=[route]))


@pytest.mark.parametrize(
    "route",
    [Route("/{path:path}", hello), Mount("/", ANYTHING), Mount("/dri", ANYTHING)],
)
def test_a_catch_all_is_no_conflict(make: Make, route: Any) -> None:
    app = Starlette(routes=[route])
    make(Adder()).install(app)
    assert ask(app, "/drift").json()["status"] == "insufficient_data"


def test_a_route_added_later_is_the_apps(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    app = Starlette()
    make(Adder()).install(app)
    app.router.routes.append(Route("/metrics", hello))
    assert ask(app, "/metrics").text == "the app's own"
    assert ask(app, "/drift").status_code == 200
    (told,) = [each for each in events(capsys) if each["event"] == "route.shadowed"]
    assert told["paths"] == ["/metrics"]


def test_an_app_that_already_serves_is_refused(make: Make) -> None:
    app = Starlette()
    ask(app, "/")
    with pytest.raises(ConfigError, match="already serving"):
        make(Adder()).install(app)


def test_what_is_no_framework_is_to_be_wrapped(make: Make) -> None:
    with pytest.raises(ConfigError, match="ServeWatchMiddleware"):
        make(Adder()).install(hello)


def test_any_asgi_app_can_be_wrapped(make: Make) -> None:
    watch = make(Adder())
    app = ServeWatchMiddleware(serving(watch, install=False), watch=watch)
    assert predict(app, [[1, 2]]) == [3.0]
    assert ask(app, "/drift").status_code == 200


def test_installing_twice_is_installing_once(make: Make) -> None:
    watch = make(Adder())
    app = serving(watch)
    watch.install(app)
    predict(app, [[1, 2]])
    watch.flush()
    assert sum(watch.totals.requests.values()) == 1


def test_a_second_model_joins_the_first(make: Make) -> None:
    app = serving(make(Adder(), model="a"), make(Adder(), model="b"))
    models = [each["name"] for each in ask(app, "/drift").json()["models"]]
    assert models == ["a", "b"]
    assert ask(app, "/drift?model=b").json()["model"]["name"] == "b"


def test_rows_of_joined_models_are_counted_apart(make: Make) -> None:
    first, second = make(Adder(), model="a"), make(Adder(), model="b")
    app = serving(first, second)
    predict(app, [[1, 2]])
    predict(app, [[1, 2], [3, 4]], "/predict1")
    first.flush()
    second.flush()
    assert first.report().accounting["recorded"] == 1
    assert second.report().accounting["recorded"] == 2


def test_joined_models_of_one_name_are_refused(make: Make) -> None:
    with pytest.raises(ConfigError, match="same name"):
        serving(make(Adder()), make(Adder()))


def test_joined_models_need_the_same_token(make: Make) -> None:
    with pytest.raises(ConfigError, match="differ in token"):
        serving(make(Adder(), model="a"), make(Adder(), model="b", token="word"))


def test_the_callers_own_id_is_current_inside_a_request(make: Make) -> None:
    with make(Adder()).request(id="order-7"):
        assert current_id() == "order-7"


def test_an_answer_carries_its_prediction_id(make: Make) -> None:
    app = serving(make(Adder()))
    answer = ask(
        app, "/predict", method="POST", json=[[1]], headers={"x-request-id": "order-7"}
    )
    assert answer.headers["x-prediction-id"] == "order-7"


def test_the_id_can_be_left_out(make: Make) -> None:
    app = serving(make(Adder(), prediction_id_header=None))
    answer = ask(app, "/predict", method="POST", json=[[1]])
    assert "x-prediction-id" not in answer.headers


def test_the_start_says_what_is_open(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    make(Adder(), token="secret-word").install(Starlette())
    text = capsys.readouterr().err
    (told,) = [
        each
        for each in map(json.loads, text.splitlines())
        if each["event"] == "watch.started"
    ]
    assert "/metrics" in told["open"]
    assert told["full"] == "callers with the token"
    assert "secret-word" not in text


def test_the_start_says_what_is_closed(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    make(Adder(), token="secret-word", metrics_open=False).install(Starlette())
    assert events(capsys)[-1]["open"] == ["/watch/health"]


def test_a_loaded_baseline_is_told(
    make: Make, baseline: Baseline, capsys: pytest.CaptureFixture[str]
) -> None:
    make(Adder(), baseline=baseline)
    (told,) = events(capsys)
    assert (told["event"], told["baseline"]) == ("baseline.loaded", baseline.digest)


def test_nothing_runs_before_the_first_row(make: Make) -> None:
    watch = make(Adder())
    assert not watch._heartbeat.is_alive
    watch.predict([[1, 2]])
    assert watch._heartbeat.is_alive


def test_nothing_runs_after_the_end(make: Make) -> None:
    watch = make(Adder())
    watch.predict([[1, 2]])
    watch.close()
    assert not watch._heartbeat.is_alive
    assert watch.monitor.latest.accounting["pending"] == 0


def test_no_value_of_a_row_gets_out_by_itself(
    make: Make, baseline: Baseline, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = make(baseline=baseline, block_rows=1, token="secret-word")
    app = ServeWatchMiddleware(hello_app(watch), watch=watch)
    canary = "canary-7f3a"
    for number in range(30):
        row = {"price": canary, "stock": 918273.5, f"extra-{number}": canary}
        ask(app, "/", method="POST", json=[row] * 20, headers={"x-secret": canary})
        watch.monitor.tick(watch.monitor.latest.at + 10 * (number + 1))
    watch.exposed.forget()
    assert watch.report().status == "drift"
    for path in ("/metrics", "/drift", "/drift/gate", "/watch/health"):
        text = ask(app, path, peer=ELSEWHERE).text
        assert canary not in text
        assert "918273" not in text
    told = capsys.readouterr().err
    assert "drift.started" in told
    assert canary not in told
    assert "918273" not in told


def hello_app(watch: ServeWatch) -> Starlette:
    async def take(request: Request) -> PlainTextResponse:
        for row in await request.json():
            watch.record(row, 1.0)
        return PlainTextResponse("taken")

    return Starlette(routes=[Route("/", take, methods=["POST"])])


def test_a_row_after_close_starts_the_background_again(make: Make) -> None:
    watch = make(Adder())
    watch.predict([[1, 2]])
    watch.close()
    assert not watch._heartbeat.is_alive

    watch.predict([[1, 2]])

    assert watch._heartbeat.is_alive


def test_an_odd_latency_is_told_by_the_metrics(make: Make) -> None:
    watch = make()
    app = Starlette()
    watch.install(app)

    watch.record([1.0], 0.5, latency_seconds=float("nan"))
    watch.flush()

    told = ask(app, "/metrics").text
    assert 'servewatch_odd_latencies_total{model="model"} 1' in told
    assert "NaN" not in "".join(
        line for line in told.splitlines() if "inference_duration" in line
    )
