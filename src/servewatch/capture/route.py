"""The route template of a served request: bounded names instead of paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

UNMATCHED = "unmatched"
LITERAL_PREFIXES = 200


class Routes:
    """Names the route that a framework chose, as it left it in the scope.

    Starlette and FastAPI put `route` (older Starlette: `endpoint` and `router`) into
    the scope. The path itself is never used: a scanner would make a series of each.
    """

    def __init__(self) -> None:
        """Know no mounts yet."""
        self._literal: set[str] = set()

    def template(self, scope: Mapping[str, Any]) -> str:
        """Give the route's template with the prefixes of its mounts, or `unmatched`.

        >>> Routes().template({"path": "/a/b"})
        'unmatched'
        """
        route = scope.get("route")
        if route is None:
            return self._by_endpoint(scope)
        if "app_root_path" not in scope and "fastapi" not in scope:
            path = getattr(route, "path", None)
            return path if type(path) is str else UNMATCHED
        # FastAPI keeps the prefixes of included routers beside the route.
        chosen = (scope.get("fastapi") or {}).get("effective_route_context")
        if getattr(chosen, "original_route", None) is route:
            route = chosen
        mounted = "app_root_path" in scope
        prefix = self._mounts(scope) if mounted else ""
        if prefix is None:
            return UNMATCHED
        if mounted and hasattr(route, "routes"):
            return prefix  # a mounted application that names no routes of its own
        path = getattr(route, "path", None)
        return f"{prefix}{path}" if isinstance(path, str) else UNMATCHED

    def _mounts(self, scope: Mapping[str, Any]) -> str | None:
        """Give the templates of the mounts that make up the root path."""
        root = str(scope.get("root_path", ""))
        root = root[len(str(scope["app_root_path"])) :]
        if root in self._literal:
            return root
        routes = getattr(scope.get("router"), "routes", ())
        templates, concrete = _mounts_along(routes, f"{root}/")
        if concrete != root:
            return None
        if templates == root and len(self._literal) < LITERAL_PREFIXES:
            self._literal.add(root)
        return templates

    def _by_endpoint(self, scope: Mapping[str, Any]) -> str:
        endpoint = scope.get("endpoint")
        routes = getattr(scope.get("router"), "routes", ())
        if endpoint is None:
            return UNMATCHED
        root = str(scope.get("app_root_path", scope.get("root_path", "")))
        path = str(scope.get("path", "")).removeprefix(root)
        return _along(routes, path, endpoint) or UNMATCHED


def _mounts_along(routes: Iterable[Any], path: str) -> tuple[str, str]:
    """Walk down the mounts along *path*: their templates, and what these match."""
    for route in routes:
        match = _match(route, path)
        if match is None or not hasattr(route, "routes"):
            continue
        rest = "/" + match["path"]
        concrete = path[: len(path) - len(rest)]
        below, matched = _mounts_along(route.routes or (), rest)
        return route.path + below, concrete + matched
    return "", ""


def _along(routes: Iterable[Any], path: str, endpoint: object) -> str | None:
    """Find the template of the route to *endpoint* that *path* leads to."""
    for route in routes:
        match = _match(route, path)
        if match is None:
            continue
        if getattr(route, "endpoint", None) is endpoint:
            return str(route.path)
        if hasattr(route, "routes"):
            if getattr(route, "app", None) is endpoint:
                return str(route.path)
            below = _along(route.routes or (), "/" + match["path"], endpoint)
            if below is not None:
                return f"{route.path}{below}"
    return None


def _match(route: object, path: str) -> Any:
    regex = getattr(route, "path_regex", None)
    return None if regex is None else regex.match(path)
