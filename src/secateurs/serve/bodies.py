"""Bodies of requests: read off the event loop where they are large, and bounded before anything is made of them.

What a few bytes can ask for many times over (a list of zeros, a text for a thousand queries) is refused by its number
before it is looked at, and before a product is built.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, get_args

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from secateurs.serve.refusal import RefusalError
from secateurs.serve.service import Pairs, Service
from secateurs.serve.settings import ServiceSettings
from secateurs.serve.validation import refuse_body

_FIELDS = 64  # of a request, those of others that are ignored included
_TAGS = 100
_LISTS = ("documents", "pairs", "queries", "texts", "messages", "exclude")


class BodyRoute(APIRoute):
    """A route whose body is bounded before it is validated; large ones are not read on the event loop."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]  # an awaitable will do
        """Return what serves a request of this route."""
        serve = super().get_route_handler()
        fields = self.dependant.body_params
        if not fields:
            return serve
        model: Any = fields[0].field_info.annotation

        async def read(request: Request) -> Response:
            return await serve(_Body(request, model))

        return read


class RefusedBodyError(HTTPException):
    """A body is refused: one of the errors that the framework lets pass while it reads a body.

    Args:
        refusal: Why.
    """

    def __init__(self, refusal: RefusalError) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal


class _Body(Request):
    """A request whose JSON is the validated body already."""

    def __init__(self, request: Request, model: type[BaseModel]) -> None:
        super().__init__(request.scope, request.receive)
        self._model = model

    async def json(self) -> Any:
        body = await self.body()
        service: Service = self.app.state.service
        read = partial(read_body, body, self._model, service.settings)
        return await service.read(len(body), partial(_without_collecting, read))


def _without_collecting(read: Callable[[], Any]) -> Any:
    """Read a body while nothing looks for cycles in it, of which JSON has none.

    Else a body of millions of empty lists, none of which is kept, has them gone through again and again; and while
    that is done no other thread of this process runs.
    """
    if not gc.isenabled():
        return read()
    gc.disable()
    try:
        return read()
    finally:
        gc.enable()


def read_body(body: bytes, model: type[BaseModel], settings: ServiceSettings) -> Any:
    """Return a body as its model; what is no JSON object is left to the framework to refuse.

    Raises:
        RefusedBodyError: It holds more than a request may, or is not of this model.
        ValueError, RecursionError: It is no JSON.
    """
    data = json.loads(body)
    if not isinstance(data, dict):
        return data
    found = _validated(data, model, settings)
    if isinstance(found, RefusalError):
        del data  # before it is raised: an error holds the frames it passes through, and what stands in them
        raise RefusedBodyError(found)
    return found


def _validated(data: dict[str, Any], model: type[BaseModel], settings: ServiceSettings) -> BaseModel | RefusalError:
    kinds: Sequence[type[BaseModel]] = get_args(model) or (model,)
    # of several kinds, the last one that has the field by which it is known
    model = next((kind for kind in kinds[:0:-1] if getattr(kind, "KNOWN_BY", None) in data), kinds[0])
    try:
        _check_lists(data, settings)
        return model.model_validate(data)
    except ValidationError as error:
        errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors(include_url=False)]
        return refuse_body(errors, "application/json", model.model_fields)
    except RefusalError as refusal:
        return refusal.with_traceback(None)


def _check_lists(data: dict[str, Any], settings: ServiceSettings) -> None:
    if len(data) > _FIELDS:
        raise RefusalError(422, "invalid", f"the body has {len(data):,} fields, and {_FIELDS} is the limit.")
    for name in _LISTS:
        given = data.get(name)
        if isinstance(given, list):
            _check_number(settings, len(given), name)
    for name in ("pre_tags", "post_tags"):
        given = data.get(name)
        if isinstance(given, list) and len(given) > _TAGS:
            raise too_much(f"{name}: {len(given):,} of them", _TAGS)
    messages = data.get("messages")
    if isinstance(messages, list):
        contents = [one.get("content") for one in messages if isinstance(one, dict)]
        _check_number(settings, sum(len(one) for one in contents if isinstance(one, list)), "messages' blocks")
    texts = data.get("texts")
    if isinstance(texts, list):
        _check_number(settings, sum(len(some) for some in texts if isinstance(some, list)), "texts")


def check_product(settings: ServiceSettings, queries: Sequence[str], texts: Sequence[Sequence[str]]) -> None:
    """Refuse queries and their texts that are too many together; nothing has been made of them yet.

    Args:
        settings: The limits.
        queries: The queries.
        texts: The texts of each; they may be one list for all.

    Raises:
        RefusalError: 413.
    """
    _check_number(settings, sum(map(len, texts)), "texts")
    sizes: dict[int, int] = {}  # of a list that many queries share only once
    for some in texts:
        if id(some) not in sizes:
            sizes[id(some)] = sum(map(len, some))
    _check_characters(settings, sum(sizes[id(some)] for some in texts), "texts")
    asked = sum(len(query) * len(some) for query, some in zip(queries, texts, strict=True))
    _check_characters(settings, asked, "queries")


def check_size(settings: ServiceSettings, pairs: Pairs, name: str, places: Sequence[str] | None = None) -> None:
    """Refuse pairs that are too many, or one that is too long.

    Args:
        settings: The limits.
        pairs: (query, document) pairs.
        name: What the request calls them.
        places: Where the document of each stands in the request, such as `texts[0][1]`; None for `name` and its place
            among the pairs.

    Raises:
        RefusalError: 413.
    """
    _check_number(settings, len(pairs), name)
    for index, (query, document) in enumerate(pairs):
        place = f"{name}[{index}]" if places is None else places[index]
        if len(document) > settings.max_document_characters:
            raise too_much(f"{place} has {len(document):,} characters", settings.max_document_characters)
        if len(query) > settings.max_query_characters:
            said = f"the query of {place} has {len(query):,} characters"
            raise too_much(said, settings.max_query_characters)
    _check_characters(settings, sum(len(query) for query, _ in pairs), "the query")


def check_turns(settings: ServiceSettings, turns: Sequence[tuple[int, str, Sequence[str]]]) -> None:
    """Refuse messages of which one is too long, or whose queries are too many together.

    Args:
        settings: The limits.
        turns: The place, the text and the queries of each message that is compressed.

    Raises:
        RefusalError: 413.
    """
    for index, text, _ in turns:
        if len(text) > settings.max_document_characters:
            raise too_much(f"messages[{index}] has {len(text):,} characters", settings.max_document_characters)
    _check_characters(settings, sum(len(query) for _, _, queries in turns for query in queries), "the question")


def _check_number(settings: ServiceSettings, number: int, name: str) -> None:
    if number > settings.max_documents:
        raise too_much(f"{name}: {number:,} of them", settings.max_documents)


def _check_characters(settings: ServiceSettings, characters: int, name: str) -> None:
    """Refuse texts that have more characters, each as often as it is read, than a body has bytes."""
    if characters > settings.max_body:
        raise too_much(f"{name}: {characters:,} characters, each as often as it is read", settings.max_body)


def too_much(said: str, limit: int) -> RefusalError:
    """Return the refusal of a request that holds more than it may."""
    return RefusalError(413, "too_large", f"{said}, and {limit:,} is the limit. Split it over several requests.")
