"""The web application of a run: a route for each verb, a page to try it, its documentation."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import HTTPException
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse
from swagger_ui_bundle import swagger_ui_path

from kerasseq.runs.verbs import verb_names
from kerasseq.serving.batching import Queue
from kerasseq.serving.calls import Answer, Calls, failure
from kerasseq.serving.limits import Limits
from kerasseq.serving.requests import Refused, Requests

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from kerasseq.runs import Run

__all__ = ["LOCAL_NAMES", "make_app"]

#: Names of this machine in requests to a server that only this machine reaches.
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_JSON = "application/json"
_PAGES = Path(__file__).with_name("pages")
# The pages load nothing from elsewhere, and other sites cannot show them in a frame.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}
_FILES = {
    "/page.js": _PAGES / "page.js",
    "/page.css": _PAGES / "page.css",
    "/swagger-ui-bundle.js": Path(swagger_ui_path) / "swagger-ui-bundle.js",
    "/swagger-ui.css": Path(swagger_ui_path) / "swagger-ui.css",
}


def make_app(
    run: Run,
    limits: Limits | None = None,
    *,
    save: Callable[[], Any] | None = None,
    hosts: Collection[str] | None = LOCAL_NAMES,
) -> FastAPI:
    """Make the ASGI application that serves a run.

    `POST /VERB` takes a JSON object with the arguments of the verb, and returns JSON. `GET /` is a
    page to try it by hand, `/docs` documents it, `/openapi.json` is its OpenAPI document, and
    `/health` says whether it works.

    Args:
        run: the run.
        limits: limits of requests.
        save: called after a verb has changed the run; None to change it in memory alone.
        hosts: names of the server that requests may have in their Host header, so that no web page
            reaches it by a name of its own (DNS rebinding); None for any.

    Example:

    >>> import kerasseq
    >>> app = make_app(kerasseq.sentiment(epochs=1, units=4, quiet=True))
    >>> sorted(path for path in app.openapi()["paths"])
    ['/evaluate', '/health', '/predict']
    """
    limits = limits or Limits()
    queue = Queue(Calls(run, save), limits)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with queue.working():
            yield

    app = FastAPI(
        title=f"{run.recipe}, served by kerasseq",
        description=f"Test scores: {_scores(run)}.",
        version=run.metrics.get("versions", {}).get("kerasseq", "0"),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    for name in verb_names(run.task):
        _add_verb(app, Requests(run, name, limits), queue, limits)
    _add_pages(app, run, queue)
    _add_errors(app, verb_names(run.task))
    if hosts is not None:
        app.add_middleware(_Hosts, names={*hosts})
    return app


def _scores(run: Run) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in run.metrics["test"].items())


def _add_verb(app: FastAPI, requests: Requests, queue: Queue, limits: Limits) -> None:
    """Add the route of a verb."""

    async def call(request: Request) -> Response:
        try:
            body = await _body(request, limits.bytes)
            answer = await queue.answer(requests.read(body))
        except Refused as refusal:
            answer = failure(refusal.status, str(refusal))
        return _response(answer)

    error = {_JSON: {"schema": {"type": "object", "properties": {"error": {"type": "string"}}}}}
    text, _, details = requests.verb.text.partition("\n")
    app.add_api_route(
        f"/{requests.name}",
        call,
        methods=["POST"],
        operation_id=requests.name,
        summary=text,
        description=details.strip(),
        response_description=requests.verb.returns or "The result.",
        responses={
            413: {"description": "The request is too large.", "content": error},
            422: {"description": "The request cannot be read or answered.", "content": error},
            503: {"description": "Too many requests wait.", "content": error},
        },
        openapi_extra={
            "requestBody": {"required": True, "content": {_JSON: {"schema": requests.schema}}}
        },
    )


async def _body(request: Request, limit: int) -> bytes:
    """The body of a request.

    Raises:
        Refused: 415 if it is declared as another type than JSON, which web pages of other sites can
            send without asking; 413 if it is too large.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        raise Refused(415, f"send JSON with the header Content-Type: {_JSON}. Received: {kind!r}")
    too_large = Refused(413, f"a body may have {limit:,} bytes. Send several requests.")
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def _response(answer: Answer) -> Response:
    headers = {"Retry-After": "1"} if answer.status == 503 else None
    return Response(answer.body, answer.status, headers, _JSON)


def _add_pages(app: FastAPI, run: Run, queue: Queue) -> None:
    """Add the page to try the verbs, the documentation, and the state of the server."""

    @app.get("/health")
    async def health() -> dict[str, Any]:
        """Whether the server works, what it serves, and how many requests wait."""
        return {"status": "ok", "recipe": run.recipe, "waiting": len(queue)}

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return FileResponse(_PAGES / "index.html", headers=_HEADERS)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        page = get_swagger_ui_html(
            openapi_url="openapi.json",
            title=app.title,
            swagger_js_url="swagger-ui-bundle.js",
            swagger_css_url="swagger-ui.css",
            swagger_favicon_url="data:,",
        )
        page.headers["X-Content-Type-Options"] = "nosniff"
        return page

    def add_file(path: str, file: Path) -> None:
        @app.get(path, include_in_schema=False)
        async def send() -> Response:
            return FileResponse(file, headers=_HEADERS)

    for path, file in _FILES.items():
        add_file(path, file)


def _add_errors(app: FastAPI, verbs: Collection[str]) -> None:
    """Say errors of routing, and bugs, as JSON."""
    known = f"POST to /{', /'.join(verbs)}, or open / or /docs"

    @app.exception_handler(404)
    async def missing(request: Request, error: HTTPException) -> Response:
        return _response(failure(404, f"there is no {request.url.path:.60}: {known}"))

    @app.exception_handler(405)
    async def not_allowed(request: Request, error: HTTPException) -> Response:
        message = f"{request.url.path} does not take {request.method}: {known}"
        return _response(failure(405, message))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        return _response(failure(500, f"{type(error).__name__}: see the server's log"))


class _Hosts:
    """Middleware that refuses requests to other names of the server than the known ones."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = ""
        for header, value in scope.get("headers", ()):
            if header == b"host":
                name = re.sub(r":\d*$", "", value.decode("latin-1")).lower()
        if scope["type"] != "http" or name in self._names:
            await self._app(scope, receive, send)
            return
        message = (
            f"this server answers to {', '.join(sorted(self._names))} alone. Received: Host: "
            f"{name:.60}"
        )
        await _response(failure(403, message))(scope, receive, send)
