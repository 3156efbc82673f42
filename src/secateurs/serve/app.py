"""The ASGI application: the routes, inside the gate, around one compressor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from secateurs.support.extras import raise_missing

try:
    import prometheus_client  # noqa: F401 - metrics.py needs it; asked here, where its absence can be explained
    from fastapi import Depends, FastAPI, Request, Response
    from fastapi.exceptions import RequestValidationError
    from fastapi.middleware.cors import CORSMiddleware
    from fastapi.security import HTTPBearer
    from starlette.exceptions import HTTPException
except ModuleNotFoundError as error:
    raise_missing(error, "fastapi", "starlette", "prometheus_client", feature="the HTTP service", extra="serve")

from secateurs import __version__
from secateurs.serve.bodies import RefusedBodyError
from secateurs.serve.gate import Gate
from secateurs.serve.refusal import RefusalError
from secateurs.serve.routes import router
from secateurs.serve.schemas import fields_of
from secateurs.serve.service import Service
from secateurs.serve.settings import ServiceSettings
from secateurs.serve.validation import refuse_body

if TYPE_CHECKING:
    from secateurs.compressor import Compressor
    from secateurs.remote import RemoteCompressor

_DESCRIPTION = """\
A query and a document go in; the same document, cut down to the sentences that matter, comes out: verbatim, with
offsets, scores and an exact count of the LLM tokens saved. Offsets are code points, half-open.

A document that fails on its own comes back whole with `status: "error"`; everything else that goes wrong is
`{"error": {"type", "message"}}` with the status that says what to do."""


def create_app(compressor: Compressor | RemoteCompressor, settings: ServiceSettings | None = None) -> FastAPI:
    """Return the service around a compressor.

    Args:
        compressor: The compressor that all requests share. It stays its owner's to close.
        settings: Limits, deadline, key; None for the defaults.

    Returns:
        An ASGI application; its `state.service` is the `Service`.

    Raises:
        MissingExtraError: The extra `serve` is not installed.

    Example:
        >>> from secateurs import Compressor
        >>> create_app(Compressor.from_pretrained()).title
        'secateurs'
    """
    settings = settings or ServiceSettings()
    service = Service(compressor, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.probe()
        yield
        service.draining = True
        service.close()

    app = FastAPI(
        title="secateurs",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # that page loads its parts from elsewhere
        redoc_url=None,
        exception_handlers={RequestValidationError: _refuse_body, HTTPException: _refuse_address},
    )
    app.state.service = service
    locked = [Depends(HTTPBearer(auto_error=False))] if settings.api_key is not None else []
    app.include_router(router, dependencies=locked)  # which only documents the key: the gate checks it
    app.add_middleware(Gate, settings=settings, metrics=service.metrics)
    if settings.allow_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.allow_origins, allow_headers=["*"], allow_methods=["GET", "POST"]
        )
    return app


async def _refuse_body(request: Request, error: RequestValidationError) -> Response:
    kind = request.headers.get("content-type", "")
    raise refuse_body(error.errors(), kind, fields_of(request.url.path))


async def _refuse_address(request: Request, error: HTTPException) -> Response:
    """Say in our words what the framework found: a body that is no JSON, an address or a method that is none."""
    if isinstance(error, RefusedBodyError):
        raise error.refusal
    if error.status_code == 400:
        raise RefusalError(400, "bad_json", "the body is not JSON in UTF-8.")
    if error.status_code == 405:
        allowed = {"Allow": (error.headers or {}).get("Allow", "")}
        raise RefusalError(405, "wrong_method", f"{request.method} is not possible here.", headers=allowed)
    raise RefusalError(404, "not_found", "there is nothing at this address. GET /openapi.json says what there is.")
