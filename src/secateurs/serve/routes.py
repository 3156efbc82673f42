"""The routes: JSON in, the compressor asked, JSON out."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from secateurs.adapters.choice import Asked
from secateurs.policy import Distinct, Policy, SourcePlace, Threshold, resolve
from secateurs.serve import findings, replies
from secateurs.serve.answers import Finding, Highlighting, compressed, highlighted, ranked
from secateurs.serve.bodies import BodyRoute, check_product, check_size
from secateurs.serve.conversation import Parts, converse, original
from secateurs.serve.defaults import with_defaults
from secateurs.serve.messages import MessagesRequest
from secateurs.serve.metrics import CONTENT_TYPE
from secateurs.serve.page import content_security_policy, page
from secateurs.serve.policies import read_policy
from secateurs.serve.refusal import RefusalError, encode, refusals
from secateurs.serve.schemas import CompressRequest, HighlightRequest, RerankRequest, examples
from secateurs.serve.service import Job, Service
from secateurs.serve.tags import Tags

router = APIRouter(route_class=BodyRoute)

_WORK = refusals(400, 401, 404, 408, 413, 415, 421, 422, 429, 500, 503, 504)


async def _find_service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


_Service = Annotated[Service, Depends(_find_service)]


@router.post(
    "/v1/compress",
    summary="Compress documents",
    responses={200: {"model": replies.CompressReply | replies.MessagesReply}, **_WORK},
    openapi_extra=examples(CompressRequest, MessagesRequest),
)
async def compress(body: CompressRequest | MessagesRequest, service: _Service) -> Response:
    """Keep the units of each document that matter for its query, with what they need, and count what that saves.

    What a unit needs is the headings above it, a table's header, the list items it is under: no field asks for them.

    Results come in the order of the request, unless `rerank` is asked for, or the service's own and not declined. No
    documents give no results.

    Instead of documents a conversation can be sent, `messages` as chat APIs have them: results of tools and earlier
    messages of the user are cut by an agent's rules, to what the call's arguments and the user's last message ask.
    Roles, ids, calls, order and every other message stay as they are, and so does what would not get shorter. What
    was cut is to be had at `GET /v1/retrieve/{handle}` for a while.
    """
    if isinstance(body, MessagesRequest):
        return _json(await converse(body, service))
    _check_model(service, body.model)
    body = with_defaults(body, service.settings)
    if body.rerank:
        await _check_ranks(service)
    asked = Asked(
        policy=body.policy,
        threshold=body.threshold,
        top_k=body.top_k,
        max_tokens=body.max_tokens,
        when_empty=body.when_empty,
        neighbours=body.neighbours,
    )
    policy = read_policy(asked, service.policy)
    pairs = body.pairs or [(body.query, document) for document in body.documents]
    check_size(service.settings, pairs, "pairs" if body.pairs else "documents")
    job = Job(
        pairs,
        policy,
        body.max_total_tokens,
        body.encoding,
        body.timeout,
        body.elision,
        steps=body.return_steps,
        rerank=bool(body.rerank),
        top_n=body.top_n,
        distinct=_distinct(body),
    )
    facts = {
        "model": service.name,
        "policy": repr(policy),
        "default_policy": repr(service.policy),
        "elision": body.elision or service.elision,
    }
    return _json(await service.run(job, partial(compressed, body, facts, service.counter(job))))


@router.post(
    "/v1/highlight",
    summary="Highlight texts",
    responses={200: {"model": findings.HighlightReply}, **_WORK},
    openapi_extra=examples(HighlightRequest),
)
async def highlight(body: HighlightRequest, service: _Service) -> Response:
    """Mark the sentences that match, in the words of Milvus's SemanticHighlighter.

    With `highlight_only` each match is a fragment of its own; without, a text is one fragment with its matches
    marked. Texts are escaped for HTML, and so that no text can write a tag. Nothing matches: both lists are empty.
    """
    _check_model(service, body.model)
    try:
        tags = Tags(body.pre_tags, body.post_tags, body.escape)
    except ValueError as error:
        raise RefusalError(422, "invalid", str(error)) from None
    texts = _texts(body)
    check_product(service.settings, body.queries, texts)
    pairs = [(query, text) for query, some in zip(body.queries, texts, strict=True) for text in some]
    check_size(service.settings, pairs, "texts", _places(body, texts))
    # every sentence with its score: what matches is said here
    job = Job(pairs, Threshold(0.0), timeout=body.timeout, cuts=False)
    policy = _matching(service, body.threshold, "threshold")
    how = Highlighting(tags, policy, service.counter(job), body.highlight_only)
    return _json(await service.run(job, partial(highlighted, service.name, how, [len(some) for some in texts])))


@router.post(
    "/v2/rerank",
    summary="Order documents, at the address of Cohere's version 2",
    responses={200: {"model": findings.RerankReply}, **_WORK},
    openapi_extra=examples(RerankRequest),
)
@router.post(
    "/v1/rerank",
    summary="Order documents",
    responses={200: {"model": findings.RerankReply}, **_WORK},
    openapi_extra=examples(RerankRequest),
)
async def rerank(body: RerankRequest, service: _Service) -> Response:
    """Order documents by relevance, as Cohere and Jina do; needs a model with a ranking head.

    A model without one answers 422 `not_supported`; `GET /v1/models` says which this is (`ranks`). If a document
    cannot be read the request fails: a made-up score would misplace it silently.

    With `relevant_spans` each document comes with what of it is relevant, from the same forward pass: in Cohere's
    fields (mode, threshold, max_spans; start, end, score), with two things of ours beside them: `true` is enough, and
    each span has its `text`. A document without any has an empty list.
    """
    _check_model(service, body.model)
    await _check_ranks(service)
    pairs = [(body.query, document) for document in body.documents]
    check_size(service.settings, pairs, "documents")
    job = Job(pairs, Threshold(0.0), timeout=body.timeout, cuts=False, rerank=True, top_n=body.top_n)
    spans, finding = body.relevant_spans, None
    if spans is not None and spans.mode == "enabled":
        policy = _matching(service, spans.threshold, "relevant_spans.threshold")
        finding = Finding(policy, service.counter(job), spans.max_spans)
    return _json(await service.run(job, partial(ranked, body, service.name, finding)))


@router.get(
    "/v1/retrieve/{handle}",
    summary="What a message was",
    responses={200: {"model": replies.Original}, **refusals(401, 404, 421, 500)},
)
async def retrieve(handle: str, service: _Service) -> Response:
    """Return what a message was before it was cut, whole.

    A handle is good in the process that gave it, and for a while: `keep_seconds` in `GET /v1/models`, and while there
    is memory for it.
    """
    return Parts(original(service.originals, handle))


@router.get(
    "/v1/models", summary="What is served", responses={200: {"model": replies.Models}, **refusals(401, 421, 500)}
)
async def models(service: _Service) -> Response:
    """Return the one model that is served, with its defaults and the limits of a request."""
    settings = service.settings
    model = {
        "id": service.name,
        "object": "model",
        "owned_by": "secateurs",
        "policy": repr(service.policy),
        "encoding": service.encoding,
        "ranks": await service.probe(),
        "defaults": settings.defaults(),
        "limits": {
            **settings.limits(),
            "timeout": settings.timeout,
            "keep_seconds": settings.keep_seconds,
        },
    }
    return _json(encode({"object": "list", "data": [model]}))


@router.get(
    "/healthz",
    summary="Whether the service works",
    responses={200: {"model": replies.State}, **refusals(421, 503)},
)
async def healthz(service: _Service) -> Response:
    """Return 200 while the model works; 503 when every document of the last requests failed: start it anew."""
    if not service.healthy:
        said = "every document of the last requests failed, the log says why: start the service anew."
        raise RefusalError(503, "not_ready", said)
    return _json(encode({"status": "ok"}))


@router.get(
    "/readyz",
    summary="Whether to send requests here",
    responses={200: {"model": replies.State}, **refusals(421, 503)},
)
async def readyz(service: _Service) -> Response:
    """Return 200 once the model has read something, until the service drains."""
    if service.draining or not service.healthy or service.ranks is None:
        raise RefusalError(503, "not_ready", "starting, draining or unhealthy: ask another replica.")
    return _json(encode({"status": "ready"}))


@router.get(
    "/metrics",
    summary="Counts for Prometheus",
    response_class=PlainTextResponse,
    responses={200: {"description": "Prometheus' text format."}, **refusals(401, 421)},
)
async def metrics(service: _Service) -> Response:
    """Return requests, queue, batches, forward passes and tokens saved."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)


@router.get("/", summary="A page to try it on", response_class=HTMLResponse, responses=refusals(421))
async def front() -> Response:
    """Return the page."""
    return HTMLResponse(page(), headers={"Content-Security-Policy": content_security_policy()})


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


async def _check_ranks(service: Service) -> None:
    if not await service.probe():
        raise RefusalError(
            422,
            "not_supported",
            f"{service.name} has no ranking head: serve a checkpoint that has one. `ranks` in GET /v1/models tells.",
        )


def _matching(service: Service, threshold: float | None, name: str) -> Policy:
    """Return what says which sentences match: a threshold, else the service's own policy."""
    policy = service.policy if threshold is None else Threshold(threshold)
    if resolve(policy, Threshold(0.0)) is not policy:
        said = f"only what is behind {service.name} knows its own policy: send a {name}."
        raise RefusalError(422, "not_supported", said)
    return policy


def _check_model(service: Service, name: str | None) -> None:
    if name is not None and name != service.name:
        raise RefusalError(
            404,
            "unknown_model",
            f"model {name[:100]!r} is not served here, {service.name!r} is: name that one, or leave `model` out.",
        )


def _distinct(body: CompressRequest) -> Distinct | None:
    """Return what counts as said in two documents of a request."""
    places = None if body.places is None else tuple(one and SourcePlace(*one) for one in body.places)
    by_ranking = bool(body.rerank) or body.distinct == "by_ranking"
    return Distinct(by_ranking=by_ranking, places=places) if body.distinct else None


def _texts(body: HighlightRequest) -> list[list[str]]:
    """Return one list of texts a query."""
    given: list[Any] = list(body.texts)
    if not given or isinstance(given[0], str):
        return [given for _ in body.queries]
    if len(given) != len(body.queries):
        said = f"texts has {len(given)} lists for {len(body.queries)} queries: send one list a query."
        raise RefusalError(422, "invalid", said)
    return given


def _places(body: HighlightRequest, texts: list[list[str]]) -> list[str]:
    """Return where each text stands in a request, query by query."""
    nested = bool(body.texts) and not isinstance(body.texts[0], str)
    lists = (f"texts[{place}]" if nested else "texts" for place in range(len(texts)))
    return [f"{name}[{index}]" for name, some in zip(lists, texts, strict=True) for index in range(len(some))]
