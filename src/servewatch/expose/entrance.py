"""The page's door: the page for those with rights, a form for the others."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from servewatch.expose.page import SECURITY, login_page
from servewatch.expose.rights import COOKIE, Rights

FORM_BYTES = 8192


def html(page: str, status: int = 200) -> Response:
    """Give *page* under a policy that lets nothing else be loaded or run."""
    return Response(page, status, headers=SECURITY, media_type="text/html")


def refused_page(rights: Rights, request: Request) -> Response:
    """Ask for the token, or say why that would not help."""
    return html(login_page(rights, request.url.path), refusal_code(rights))


def refusal_code(rights: Rights) -> int:
    """Give 401 where a token would help, 403 where none is set."""
    return 403 if rights.token is None else 401


async def login(rights: Rights, request: Request, *, cookie_path: str) -> Response:
    """Exchange the token, sent once in a form, for the cookie."""
    form = parse_qs((await _body(request)).decode("latin-1"))
    token = form.get("token", [""])[0]
    if not rights.accepts(token):
        page = login_page(rights, request.url.path, refused=True)
        return html(page, refusal_code(rights))
    response = RedirectResponse(request.url.path, status_code=303)
    response.set_cookie(
        COOKIE,
        rights.cookie(),
        path=cookie_path,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            raise HTTPException(413, "a token is shorter than that")
    return body
