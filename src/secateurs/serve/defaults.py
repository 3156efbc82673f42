"""What a request to compress documents does not say, as the service has it."""

from __future__ import annotations

from secateurs.serve.refusal import RefusalError
from secateurs.serve.schemas import CompressRequest
from secateurs.serve.settings import ServiceSettings


def with_defaults(body: CompressRequest, settings: ServiceSettings) -> CompressRequest:
    """Return a request that says in full what is asked of its documents together.

    Args:
        body: The request.
        settings: The service's own; its order is for the documents of one query, and pairs stay as they came.

    Raises:
        RefusalError: 422; a field needs another that neither the request nor the service sets.

    Example:
        >>> settings = ServiceSettings(rerank=True, top_n=3)
        >>> with_defaults(CompressRequest(query="Who?", documents=["Ann."]), settings).top_n
        3
        >>> with_defaults(CompressRequest(query="Who?", documents=["Ann."], rerank=False), settings).top_n
    """
    rerank = settings.rerank and not body.pairs if body.rerank is None else body.rerank
    distinct = settings.distinct if body.distinct is None else body.distinct
    if body.top_n is not None and not rerank:
        raise _lacks("top_n needs rerank: without that order it would cut by the order sent.")
    if body.places is not None and not distinct:
        raise _lacks("places needs distinct, and is one a document.")
    top_n = settings.top_n if body.top_n is None and rerank else body.top_n
    budget = settings.max_total_tokens if body.max_total_tokens is None else body.max_total_tokens
    said = {"rerank": rerank, "distinct": distinct, "top_n": top_n, "max_total_tokens": budget}
    return body.model_copy(update=said)


def _lacks(why: str) -> RefusalError:
    return RefusalError(422, "invalid", why)
