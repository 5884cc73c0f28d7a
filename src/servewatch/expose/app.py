"""The routes of ServeWatch as one ASGI app, and who may call them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from servewatch.errors import ConfigError
from servewatch.expose import gate, openapi
from servewatch.expose.answers import answer, encode, problem
from servewatch.expose.blocks import blocks_body
from servewatch.expose.bodies import discard
from servewatch.expose.entrance import html, login, refused_page
from servewatch.expose.intake import Intake
from servewatch.expose.kept import Kept
from servewatch.expose.metrics import Exposition
from servewatch.expose.page import watch_page
from servewatch.expose.rights import Rights
from servewatch.expose.seldon import PATH as SELDON_PATH
from servewatch.expose.source import Source, worst_status
from servewatch.expose.written import Written
from servewatch.labels.inbox import Inbox
from servewatch.monitor.report import Status

_BEARER = {"www-authenticate": 'Bearer realm="servewatch"'}


class Exposed:
    """The ASGI app of all routes, for one watched model or several.

    *prefix* stands before every route, such as "/internal"; *clock* is monotonic and
    says how old a kept answer is. `own_paths` are the paths that it answers, and
    `yielding_paths` those of them that an app may have for itself without a word.
    """

    def __init__(
        self,
        source: Source,
        *,
        rights: Rights,
        prefix: str,
        clock: Callable[[], float],
    ) -> None:
        self.rights = rights
        self.prefix = prefix
        self._sources = [source]
        self._kept = Kept(clock)
        self._written = Written()
        self._intake = Intake()
        self._exposition = Exposition(lambda: self._sources)
        self._openapi = encode(openapi.document(prefix))
        routes = self._routes()
        self.own_paths = frozenset(route.path for route in routes)
        self.yielding_paths = frozenset({prefix + SELDON_PATH})
        self._app = Starlette(routes=routes, exception_handlers={HTTPException: _told})
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def join(self, source: Source) -> None:
        """Expose another model too: `/drift` says the worst of all.

        Raises `ConfigError` when a model of that name is already there.
        """
        name = source.config.model
        if any(each.config.model == name for each in self._sources):
            raise ConfigError(
                "two models on one app have the same name",
                field="model",
                found=name,
                expected="a name of its own for each",
                remedy='name one, as in ServeWatch(model, model="demand")',
            )
        self._sources.append(source)
        self.forget()

    def renew(self) -> None:
        """Forget kept answers and write again what callers asked for before.

        For the background thread, so that nobody waits for a thousand columns.
        """
        self.forget()
        self._written.renew({each.config.model: each.latest for each in self._sources})
        self._exposition.renew()

    def forget(self) -> None:
        """Make every kept answer anew: there is news."""
        self._kept.forget()

    def _routes(self) -> list[Route]:
        get, post, both = ["GET"], ["POST"], ["GET", "POST"]
        table = (
            ("/metrics", self._metrics, get),
            ("/drift", self._drift, get),
            ("/drift/gate", self._gate, both),
            ("/drift/rollback", self._rollback, both),
            ("/feedback", self._feedback, post),
            (SELDON_PATH, self._seldon, post),
            ("/watch", self._watch, both),
            ("/watch/health", self._health, get),
            ("/watch/blocks", self._blocks, get),
            ("/watch/openapi.json", self._document, get),
        )
        return [
            Route(self.prefix + path, handler, methods=methods)
            for path, handler, methods in table
        ]

    async def _metrics(self, request: Request) -> Response:
        if not self.rights.summary(request):
            return self._refusal()
        accept = request.headers.get("accept", "")
        body, content_type = await self._kept.get(
            ("metrics", self._exposition.content_type(accept)),
            lambda: self._exposition.render(accept),
        )
        return Response(body, headers={"content-type": content_type})

    async def _drift(self, request: Request) -> Response:
        if not self.rights.summary(request):
            return self._refusal()
        full, asked = self.rights.full(request), request.query_params.get("detail")
        detail = full if asked is None else _is_true(asked)
        if detail and not full:
            return self._refusal()
        sources, model = self._chosen(request)
        body, status = await self._kept.get(
            ("drift", model, detail), lambda: self._report(sources, detail=detail)
        )
        strict = _is_true(request.query_params.get("strict"))
        return answer(body, gate.FAIL if strict and status == "drift" else 200)

    def _report(
        self, sources: Sequence[Source], *, detail: bool
    ) -> tuple[bytes, Status]:
        reports = {source.config.model: source.latest for source in sources}
        status = worst_status([report.status for report in reports.values()])
        return encode(self._written.body(reports, detail=detail)), status

    async def _gate(self, request: Request) -> Response:
        given = request.query_params.get("inconclusive", str(gate.TOO_EARLY))
        if given not in {"200", "425", "503"}:
            raise HTTPException(400, "inconclusive is 200 or 503, or left out for 425")
        return await self._asked(
            request, lambda verdict: gate.gate_code(verdict, int(given))
        )

    async def _rollback(self, request: Request) -> Response:
        return await self._asked(request, gate.rollback_code)

    async def _asked(self, request: Request, code: Callable[[str], int]) -> Response:
        """Answer for the gate, with the status code that *code* gives its verdict."""
        if not self.rights.summary(request):
            return self._refusal()
        given = request.query_params.get("since")
        try:
            since = None if given is None else gate.parse_since(given)
        except (ValueError, OverflowError):
            raise HTTPException(
                400, "since is a time such as 2026-11-02T08:00:00Z, or Unix seconds"
            ) from None
        sources, model = self._chosen(request)
        body = await self._kept.get(
            ("gate", model, since), lambda: gate.gate_body(sources, since)
        )
        return answer(body, code(body["verdict"]))

    async def _health(self, request: Request) -> Response:
        return answer(gate.health_body(self._chosen(request)[0]))

    async def _blocks(self, request: Request) -> Response:
        if not self.rights.full(request):
            return self._refusal()
        given = request.query_params.get("since", "0")
        if not (given.isascii() and given.isdigit() and len(given) <= 18):
            raise HTTPException(400, "since is the number of a block, 0 or more")
        since, (sources, model) = int(given), self._chosen(request)
        streams = _is_true(request.query_params.get("streams"))
        body = await self._kept.get(
            ("blocks", model, since, streams),
            lambda: encode(blocks_body(sources, since, streams=streams)),
        )
        return answer(body)

    async def _feedback(self, request: Request) -> Response:
        if not self.rights.change(request):
            await discard(request)
            return self._refusal()
        return await self._intake.feedback(request, self._inboxes(request))

    async def _seldon(self, request: Request) -> Response:
        if not self.rights.change(request):
            await discard(request)
            return self._refusal()
        return await self._intake.seldon(request, self._inboxes(request))

    def _inboxes(self, request: Request) -> list[Inbox]:
        sources, _ = self._chosen(request)
        return [each.inbox for each in sources if each.inbox is not None]

    async def _document(self, request: Request) -> Response:
        return answer(self._openapi)

    async def _watch(self, request: Request) -> Response:
        root = request.scope.get("root_path", "")
        if request.method == "POST":
            path = root + self.prefix or "/"
            return await login(self.rights, request, cookie_path=path)
        if not self.rights.full(request):
            return refused_page(self.rights, request)
        sources, model = self._chosen(request)
        refresh = request.query_params.get("refresh") != "0"
        everything = _is_true(request.query_params.get("all"))
        page = await self._kept.get(
            ("page", model, root, refresh, everything),
            lambda: watch_page(
                sources,
                path=f"{root}{self.prefix}/watch",
                refresh=refresh,
                everything=everything,
            ),
        )
        return html(page)

    def _chosen(self, request: Request) -> tuple[Sequence[Source], str | None]:
        """Give the models that `?model=` asks for, or all, and what was asked."""
        name = request.query_params.get("model")
        if name is None:
            return tuple(self._sources), None
        chosen = [each for each in self._sources if each.config.model == name]
        if not chosen:
            names = ", ".join(each.config.model for each in self._sources)
            raise HTTPException(404, f"no model of that name is watched, but {names}")
        return chosen, name

    def _refusal(self) -> Response:
        if self.rights.token is None:
            return problem(
                403,
                "this is for callers on this machine: no token is set",
                "set SERVEWATCH_TOKEN and send it as Authorization: Bearer",
            )
        return problem(
            401,
            "this needs the token",
            "send it as Authorization: Bearer <SERVEWATCH_TOKEN>",
            _BEARER,
        )


def _is_true(text: str | None) -> bool:
    return text is not None and text.lower() in {"1", "true", "yes"}


async def _told(_: Request, error: Exception) -> Response:
    """Answer what Starlette raises in the form of our other answers."""
    assert isinstance(error, HTTPException)
    remedy = "/watch/openapi.json lists every route and what it takes"
    headers = dict(error.headers or {})
    return problem(error.status_code, str(error.detail), remedy, headers)
