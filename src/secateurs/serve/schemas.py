"""What requests look like; the answers are in replies.py and findings.py, what one does not say in defaults.py.

The values in them are in values.py, what a request lacks as a whole in form.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from secateurs.policy import WhenEmpty
from secateurs.serve.form import missing_of, unknown_of, without_null
from secateurs.serve.tags import Escape
from secateurs.serve.values import (
    Count,
    Document,
    Mark,
    Pair,
    Place,
    PositiveCount,
    Probability,
    Query,
    Seconds,
    Source,
    Span,
    Tag,
    Text,
    Texts,
)
from secateurs.support.arguments import LARGEST_COUNT

Encoding = Literal["o200k_base", "o200k_harmony", "cl100k_base"]

_DOCUMENTS: list[Any] = ["The mill was built by Ann Lee in 1842. It burned down twice.", "The Moon causes the tides."]


class Request(BaseModel):
    """What all requests have in common."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Text | None = Field(
        default=None, description="Name of the model; only the one that is served will do. `GET /v1/models` has it."
    )
    timeout: Seconds | None = Field(
        default=None, description="Seconds after which to give up; the service's own deadline is the upper limit."
    )


class CompressRequest(Request):
    """Documents to compress: a query with documents, or pairs of many queries. The limits combine with `&`."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["query", "documents"], "not": {"required": ["pairs"]}},
                {
                    "required": ["pairs"],
                    "not": {"anyOf": [{"required": ["query"]}, {"required": ["documents"]}]},
                },
            ],
            "examples": [
                {"query": "Who built the mill?", "documents": _DOCUMENTS, "threshold": 0.3},
                {
                    "pairs": [["Who built the mill?", _DOCUMENTS[0]], ["What causes tides?", _DOCUMENTS[1]]],
                    "policy": "(Threshold(0.3) | Neighbours(before=1)) & TokenBudget(200)",
                    "max_total_tokens": 300,
                },
            ],
        }
    )

    query: Query = Field(default_factory=str, description="What the documents were retrieved for.")
    documents: list[Source] = Field(default_factory=list, description="The documents, in any language of the model.")
    pairs: list[Pair] = Field(
        default_factory=list, description="[query, document] pairs of many queries, instead of both."
    )
    policy: Text | None = Field(
        default=None,
        description="Which sentences stay, as source: `Threshold(0.3) | TopK(1)`, with Threshold, TopK, TokenBudget, "
        "Neighbours, Signals, Fallback, ToolOutput, Ranked, and Default() for the service's own, combined with | and "
        "&.",
        examples=["Default() & TopK(3)"],
    )
    threshold: Probability | None = Field(default=None, description="Keep sentences with at least this score.")
    top_k: PositiveCount | None = Field(default=None, description="Sentences a document, at most.")
    max_tokens: Count | None = Field(default=None, description="LLM tokens a document, at most.")
    max_total_tokens: Count | None = Field(
        default=None,
        description="LLM tokens of all documents together, at most; the best sentences get them; null for the "
        "service's own, mostly as many as there are.",
    )
    when_empty: WhenEmpty | None = Field(
        default=None,
        description="Where nothing passes: `drop` the document, keep its `best` unit or the `original`; null for "
        "what the policy says.",
    )
    neighbours: Span | None = Field(
        default=None,
        description="Keep also so many units before and after each kept one; two numbers for before and after.",
    )
    rerank: bool | None = Field(
        default=None,
        description="Whether documents come back by falling ranking score, those in which nothing passed last; for "
        "one query, and where the model ranks; null for the service's own, mostly not. `index` says which is which.",
    )
    top_n: PositiveCount | None = Field(
        default=None,
        description="With `rerank`, how many come back; those left out are not among the documents, and saved whole; "
        "null for the service's own, mostly all.",
    )
    distinct: bool | Literal["by_ranking"] | None = Field(
        default=None,
        description="Whether what a kept unit of a better document of the same query says is left out of the others: "
        "of those sent first; with `rerank`, and with `by_ranking`, of those that rank higher; null for "
        "the service's own, mostly not.",
    )
    places: list[Place | None] | None = Field(
        default=None,
        description="With `distinct`, where each document stands in the source it was cut from, as [name, first code "
        "point], null where that is not known; chunks that overlap are told by it.",
    )
    encoding: Encoding | None = Field(
        default=None, description="tiktoken encoding in which tokens are counted; null for the service's own."
    )
    elision: Mark | None = Field(
        default=None,
        description="What stands where something was cut, such as `[…]`; null for the service's own, mostly nothing.",
        examples=["[…]"],
    )
    none_as_blank: bool = Field(
        default=False, description="Whether null among the documents is a blank one, and no mistake."
    )
    return_texts: bool = Field(default=True, description="Whether texts are returned, or offsets alone.")
    return_spans: bool = Field(default=True, description="Whether the kept ranges of each document are returned.")
    return_scores: bool = Field(default=True, description="Whether all units are returned, with their scores.")
    return_steps: bool = Field(
        default=False, description="Whether is returned what each document becomes at every threshold, and costs."
    )
    return_units: bool = Field(
        default=False, description="Whether is returned what each unit is and needs, to put other texts together."
    )

    @model_validator(mode="before")
    @classmethod
    def _check_form(cls, data: object) -> object:
        """Look at the whole before its parts: of an unknown field alone nobody would learn what is missing."""
        if not isinstance(data, dict):
            return data
        given = data.keys() & {"query", "documents", "pairs"}
        if given not in ({"query", "documents"}, {"pairs"}):
            says = missing_of(given) + unknown_of(data, cls.model_fields)
            raise PydanticCustomError("form", "{says}", {"says": says})
        return without_null(data) if data.get("none_as_blank") is True else data

    @model_validator(mode="after")
    def _check_order(self) -> CompressRequest:
        if self.rerank and self.pairs:
            raise PydanticCustomError("form", "rerank orders the documents of one query: send query and documents")
        if self.places is not None and len(self.places) != len(self.pairs or self.documents):
            raise PydanticCustomError("form", "places needs distinct, and is one a document")
        return self


class HighlightRequest(Request):
    """Texts to highlight, in the words of Milvus's SemanticHighlighter."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "queries": ["Who built the mill?"],
                    "texts": [[_DOCUMENTS[0]]],
                    "pre_tags": ["<mark>"],
                    "post_tags": ["</mark>"],
                    "threshold": 0.3,
                    "highlight_only": False,
                }
            ]
        }
    )

    queries: list[Query] = Field(description="One query a search.")
    texts: Texts = Field(
        description="The texts each query found, one list a query; or one list of strings for all queries alike."
    )
    pre_tags: list[Tag] = Field(default=["<em>"], description="What begins a match; several take turns.")
    post_tags: list[Tag] = Field(default=["</em>"], description="What ends a match, one for each of pre_tags.")
    threshold: Probability | None = Field(
        default=None, description="Score from which a sentence is a match; null for the service's own policy."
    )
    highlight_only: bool = Field(
        default=True, description="Whether only matches are returned, one fragment each, or the whole text as one."
    )
    escape: Escape = Field(
        default="html", description='"none" leaves texts as they are: then a document can write your tags itself.'
    )


class RelevantSpans(BaseModel):
    """Which spans of each document come back, in the words of Cohere's Rerank 5."""

    model_config = ConfigDict(extra="forbid", strict=True)

    SCHEMA: ClassVar[dict[str, Any]] = {
        "anyOf": [
            {"type": "boolean"},
            {"type": "null"},
            {
                "type": "object",
                "properties": {
                    "mode": {"enum": ["enabled", "disabled"]},
                    "threshold": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "null"}]},
                    "max_spans": {
                        "anyOf": [
                            {"type": "integer", "minimum": 1, "maximum": LARGEST_COUNT},
                            {"type": "null"},
                        ]
                    },
                },
                "additionalProperties": False,
            },
        ]
    }

    mode: Literal["enabled", "disabled"] = "enabled"
    threshold: Probability | None = None
    max_spans: PositiveCount | None = None


def _read_spans(value: object) -> object:
    if isinstance(value, bool):
        return {} if value else None
    if isinstance(value, dict) and not value.keys() <= RelevantSpans.model_fields.keys():
        raise PydanticCustomError("spans", "must have no other fields than mode, threshold and max_spans")
    if value is None or isinstance(value, dict):
        return value
    raise PydanticCustomError("spans", "must be true, or an object with mode, threshold and max_spans")


class RerankRequest(Request):
    """Documents to order, as Cohere and Jina ask for it; fields of theirs that do not apply are ignored."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "additionalProperties": True,
            "examples": [
                {"query": "Who built the mill?", "documents": _DOCUMENTS, "top_n": 1},
                {
                    "query": "Who built the mill?",
                    "documents": _DOCUMENTS,
                    "relevant_spans": {"mode": "enabled", "threshold": 0.3, "max_spans": 2},
                },
            ],
        },
    )

    query: Query = Field(description="What the documents were retrieved for.")
    documents: list[Document] = Field(description="The documents, as strings or as objects with a text.")
    top_n: PositiveCount | None = Field(default=None, description="How many to return; null for all.")
    return_documents: bool = Field(default=False, description="Whether the documents come back with their scores.")
    relevant_spans: Annotated[
        RelevantSpans | None, BeforeValidator(_read_spans), WithJsonSchema(RelevantSpans.SCHEMA)
    ] = Field(
        default=None,
        description="Whether each document comes back with its relevant spans: true, or an object with Cohere's "
        "fields (mode, threshold, max_spans), the mode `enabled` where it is not said. Without a threshold the "
        "service's own policy says what is relevant, where Cohere's is 0.1 on scores of another model.",
    )


def fields_of(path: str) -> Iterable[str]:
    """Return the fields of the request to an address; none of an address that has no such request."""
    bodies: dict[str, type[BaseModel]] = {
        "/v1/compress": CompressRequest,
        "/v1/highlight": HighlightRequest,
        "/v1/rerank": RerankRequest,
        "/v2/rerank": RerankRequest,
    }
    return bodies[path].model_fields if path in bodies else ()


def examples(*models: type[BaseModel]) -> dict[str, Any]:
    """Return the examples of a request as named examples of the OpenAPI document."""
    extras: list[Any] = [model.model_config.get("json_schema_extra") for model in models]
    values = [value for extra in extras if isinstance(extra, dict) for value in extra.get("examples", [])]
    named = {f"example {number}": {"value": value} for number, value in enumerate(values, 1)}
    return {"requestBody": {"content": {"application/json": {"examples": named}}}}
