"""`servewatch gate`: asks a served model whether a release may go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import msgspec
import typer
from rich.console import Console

from servewatch.cli.canary import (
    Against,
    Watched,
    as_object,
    explain_outcome,
    parse_since,
    shortfall,
)
from servewatch.cli.gate_options import (
    AsJson,
    Model,
    Since,
    Stable,
    StableToken,
    Token,
    Url,
    Wait,
)
from servewatch.cli.terminal import progress_bar, stderr, stdout, styled
from servewatch.client import Client, Unreachable, base_url
from servewatch.errors import GateError

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}
POLL_SECONDS = 1.0  # counts move once a second
SHOWN = 8

Answer = Mapping[str, Any]


def gate(
    url: Url,
    *,
    wait: Wait = 0.0,
    token: Token = None,
    stable: Stable = None,
    stable_token: StableToken = None,
    since: Since = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Ask whether a release may go on; the exit code is the answer.

    **0** pass: no feature or prediction has moved as far as `pass_tolerance`.
    **1** fail: something has drifted.
    **3** inconclusive: more rows are needed.
    **2** the server gave no usable answer.

    With **--stable** a canary is compared with what serves beside it, in the same
    blocks: predictions, errors and latency must not differ, and the features say
    whether the traffic is comparable (else it is inconclusive).

    For example:

    * `servewatch gate http://127.0.0.1:8000`

    * `servewatch gate https://shop.example/internal --wait 600 --json`

    * `servewatch gate http://canary:8000 --stable http://stable:8000 --wait 900`
    """
    client = Client(base=base_url(url), token=token)
    if stable is not None:
        beside = Client(base=base_url(stable), token=stable_token or token)
        _compare(client, beside, model=model, since=since, wait=wait, as_json=as_json)
    answer = _asked_with_progress(client.base, client.drift, wait)
    if as_json:
        typer.echo(msgspec.json.encode(condensed(client.base, answer)).decode())
    else:
        explain(stdout(), answer)
    raise typer.Exit(EXIT_CODES[verdict_of(answer)])


def _compare(
    canary: Client,
    stable: Client,
    *,
    model: str | None,
    since: str | None,
    wait: float,
    as_json: bool,
) -> NoReturn:
    """Answer for a canary beside what is stable, and end."""
    try:
        start = parse_since(since)
    except ValueError as error:
        raise GateError(
            "--since is no moment",
            found=since,
            expected="a time such as 2026-11-02T08:00:00Z, or Unix seconds",
        ) from error
    against = Against(Watched(canary, model), Watched(stable, model), since=start)

    def ask() -> Answer:
        outcome = against.ask()
        return {
            "gate": {"verdict": outcome.verdict},
            "reason": shortfall(outcome),
            "outcome": outcome,
        }

    answer = _asked_with_progress(canary.base, ask, wait)
    if as_json:
        found = as_object(canary.base, stable.base, answer["outcome"])
        typer.echo(msgspec.json.encode(found).decode())
    else:
        explain_outcome(stdout(), answer["outcome"])
    raise typer.Exit(EXIT_CODES[verdict_of(answer)])


def wait_for_verdict(
    ask: Callable[[], Answer],
    *,
    wait_seconds: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    tell: Callable[[str], None],
) -> Answer:
    """Ask until the gate passes or fails, or *wait_seconds* are over.

    *tell* hears how far it is. A server that does not answer is asked again as long as
    there is time: it may be starting. Raises `GateError`.
    """
    deadline = clock() + wait_seconds
    while True:
        try:
            answer = ask()
        except Unreachable as error:
            if clock() >= deadline:
                raise
            tell(error.message)
        else:
            verdict = verdict_of(answer)
            if verdict != "inconclusive" or clock() >= deadline:
                return answer
            tell(_shortfall(answer))
        sleep(min(POLL_SECONDS, max(deadline - clock(), 0.0)))


def verdict_of(answer: Answer) -> str:
    """Give the gate's verdict. Raises `GateError` where there is none."""
    verdict = str(answer["gate"].get("verdict"))
    if verdict not in EXIT_CODES:
        raise GateError(
            "the gate gives no verdict",
            found=verdict,
            expected="pass, fail or inconclusive",
            remedy="use the version of ServeWatch that the server runs",
        )
    return verdict


def condensed(url: str, answer: Answer) -> dict[str, Any]:
    """Give the gate, the overall status, and the streams that are not ok."""
    return {
        "url": url,
        **answer["gate"],
        "status": answer.get("status"),
        "model": answer.get("model"),
        "streams": [
            {key: stream.get(key) for key in ("name", "status", "since", "cause")}
            for stream in _moved(answer)
        ],
    }


def explain(console: Console, answer: Answer) -> None:
    """Print the verdict, and why it is no other, in sentences."""
    verdict = verdict_of(answer)
    rows = int(answer.get("rows") or 0)  # the gate forgets its own when it fails
    console.print(f"{styled(verdict)} after {rows:,} rows; status {answer['status']}")
    if verdict == "inconclusive":
        console.print(_shortfall(answer))
    for stream in _moved(answer):
        since = f" since {stream['since']}" if stream.get("since") else ""
        cause = f": {stream['cause']}" if stream.get("cause") else ""
        console.print(f"  {styled(stream['status'])} ", end="")
        console.print(f"{stream['name']}{since}{cause}", markup=False, soft_wrap=True)
    left_out = answer["gate"].get("left_out") or []
    if left_out:
        more = f" and {len(left_out) - SHOWN} more" if len(left_out) > SHOWN else ""
        names = ", ".join(left_out[:SHOWN])
        console.print(f"left out: {names}{more}", markup=False, soft_wrap=True)


def _asked_with_progress(
    base: str, ask: Callable[[], Answer], wait_seconds: float
) -> Answer:
    console = stderr()
    with progress_bar(console=console) as progress:
        task = progress.add_task(f"asking {base}", total=wait_seconds or None)
        started = time.monotonic()

        def tell(text: str) -> None:
            done = time.monotonic() - started
            progress.update(task, description=text, completed=done)

        return wait_for_verdict(
            ask,
            wait_seconds=wait_seconds,
            clock=time.monotonic,
            sleep=time.sleep,
            tell=tell,
        )


def _shortfall(answer: Answer) -> str:
    needed = answer["gate"].get("rows_needed")
    if not needed:
        return str(answer.get("reason") or "no pass yet")
    return f"about {int(needed):,} more rows are needed"


def _moved(answer: Answer) -> list[Mapping[str, Any]]:
    streams = answer.get("streams") or []
    return [each for each in streams if each.get("status") in {"drift", "warning"}]
