"""The addresses of a service: /predict, /health, and a page with a form."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dlrun.served.bodies import MOST_BYTES, RefusedError, too_large
from dlrun.served.form import form
from dlrun.served.service import Answer, Service, failure

READ_ON = 8 * MOST_BYTES
"""Bytes of a request that is too large that are read, so that who sends it gets the answer."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src blob:"
"""What the page may load: nothing from elsewhere."""
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def app_of(service: Service, own_names: list[str]) -> Starlette:
    """The application.

    Args:
        service: what answers.
        own_names: the names that a request may call this machine by, so that no page from elsewhere reaches it under
            a name of its own; `*` for all.
    """
    page = form(service.run).encode()

    async def predict(request: Request) -> Response:
        try:
            body = await _body(request)
        except RefusedError as refused:
            return _response(failure(refused.status, refused.message))
        except ClientDisconnect:
            return Response(status_code=400)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        return _response(await run_in_threadpool(service.answer, body, kind, request.headers.get("accept", "")))

    async def health(_request: Request) -> Response:
        return Response(b'{"status": "ok"}\n', media_type="application/json", headers=HEADERS)

    async def shown(_request: Request) -> Response:
        return Response(page, media_type="text/html", headers={**HEADERS, "Content-Security-Policy": POLICY})

    routes = [
        Route("/", shown, methods=["GET"]),
        Route("/health", health, methods=["GET"]),
        Route("/predict", predict, methods=["POST"]),
    ]
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=own_names)])


async def _body(request: Request) -> bytes:
    """The body of a request.

    Raises:
        RefusedError: it is too large.
    """
    found, size = bytearray(), 0
    async for part in request.stream():
        size += len(part)
        if size <= MOST_BYTES:
            found += part
        elif size > READ_ON:
            break
    if size > MOST_BYTES:
        raise too_large()
    return bytes(found)


def _response(answer: Answer) -> Response:
    return Response(answer.content, answer.status, media_type=answer.kind, headers=HEADERS)
