"""The HTTP service: one model behind an address, for callers in any language.

    secateurs serve --port 8080                    the command
    app = create_app(Compressor.from_pretrained())  the ASGI application, to run or to mount yourself

app.py         the routes, inside the gate, around one compressor
gate.py        what every request passes: host, key, size, patience, the caller's leaving, security headers
hosts.py       by which names the service may be called
bodies.py      what a body may hold, checked before anything is made of it; large ones read off the event loop
routes.py      the addresses; schemas.py says what requests look like, replies.py and findings.py what answers do
values.py      the values in requests, and how each is read; form.py, what a request lacks as a whole
validation.py  what is wrong with a request, in one sentence; refusal.py, how that is said
messages.py    what a request with a conversation looks like; conversation.py, what is cut of it and kept for a while
policies.py    what a request may ask of a policy; defaults.py, what it does not say of its documents together
service.py     the model's side: the deadline, the shared compressor; admission.py, how much may wait
effort.py      what an answer may cost, and whether anybody still waits for it
answers.py     results as JSON; tags.py, highlights no document can forge
metrics.py     counts for Prometheus
settings.py    limits, deadline, key
server.py      uvicorn with patience that ends, and a graceful end; command.py runs it
page.py        the page at `/`, and saved as a file; steps.py, what a document becomes and costs at every threshold

Every refusal is `{"error": {"type": ..., "message": ...}}` with a status that says what to do:

    400 bad_json         the body is not JSON in UTF-8
    401 unauthorized     the key is missing or wrong
    404 not_found        no such address, or nothing is kept under a handle
    404 unknown_model    another model than the one served was asked for
    405 wrong_method     the address wants another method
    408 too_slow         the body did not arrive in time
    413 too_large        the body, the number of documents, or one text exceeds the limits (`GET /v1/models` has them)
    415 not_json         the content type is not `application/json`
    421 wrong_host       the service is not known by the name in `Host` (on loopback, or with `--allow-host`)
    422 invalid          a field is missing, of the wrong type or out of range; 422 not_supported: this model cannot
    429 overloaded       too much is waiting; Retry-After says how many seconds to wait
    500 internal         our fault; the log has it
    503 not_ready        starting, draining or unhealthy
    504 deadline         not done in time

A document that fails on its own does not fail its request: it comes back whole, with `status: "error"`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from secateurs.serve.app import create_app
    from secateurs.serve.settings import ServiceSettings

_HOME = {"create_app": "app", "ServiceSettings": "settings"}

__all__ = ["ServiceSettings", "create_app"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use: the page and `--help` need none of the extra's packages."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
