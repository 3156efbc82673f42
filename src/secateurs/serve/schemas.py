"""What requests look like; the answers are in replies.py.

Texts may hold lone surrogates, which JSON can carry as escapes: pydantic's own string would refuse them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from secateurs.policy import WhenEmpty
from secateurs.serve.tags import Escape
from secateurs.support.arguments import LARGEST_COUNT, check_elision
from secateurs.support.hints import meant

Encoding = Literal["o200k_base", "o200k_harmony", "cl100k_base"]

_STRING = {"type": "string"}
_LONGEST_MARK = 100  # characters of a mark or a tag; it may stand at every unit of a document
MOST_NEIGHBOURS = 100  # a unit marks so many others
_NAMED = 3  # unknown fields that are named; a request with thousands still gets a short answer
_SHOWN_NAME = 60  # characters of one


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "must be a string")
    return value


def _query(value: object) -> str:
    if not _text(value).strip():
        raise PydanticCustomError("query", "is blank: there is nothing to look for. Send the user's question")
    return _text(value)


def _pair(value: object) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2:
        raise PydanticCustomError("pair", "must be a [query, document] pair")
    return _query(value[0]), _text(value[1])


def _neighbours(value: object) -> tuple[int, int]:
    both = value if isinstance(value, list) else [value, value]
    numbers = [one for one in map(_whole, both) if type(one) is int and 0 <= one <= MOST_NEIGHBOURS]
    if len(both) != 2 or len(numbers) != 2:
        raise PydanticCustomError(
            "neighbours",
            "must be a number from 0 to {most}, or two: before and after",
            {"most": MOST_NEIGHBOURS},
        )
    before, after = numbers
    return before, after


def _mark(value: object) -> str:
    mark = _text(value)
    try:
        check_elision(mark)
    except ValueError:
        raise PydanticCustomError("elision", "must be a printable mark, such as […]") from None
    if len(mark) > _LONGEST_MARK:
        raise PydanticCustomError("elision", "is longer than a mark may be, 100 characters")
    return mark


def _tag(value: object) -> str:
    if len(_text(value)) > _LONGEST_MARK:
        raise PydanticCustomError("tag", "is longer than a tag may be, 100 characters")
    return _text(value)


def _document(value: object) -> str:
    if isinstance(value, dict):
        value = value.get("text")
    if not isinstance(value, str):
        raise PydanticCustomError("document", 'must be a string, or {"text": a string}')
    return value


def _texts(value: object) -> list[str] | list[list[str]]:
    if not isinstance(value, list):
        raise PydanticCustomError("texts", "must be a list of strings, or one list of strings a query")
    nested = bool(value) and isinstance(value[0], list)
    for index, item in enumerate(value):
        inner = item if nested else [item]
        if not isinstance(inner, list) or not all(isinstance(one, str) for one in inner):
            expected = "a list of strings, as the first one is" if nested else "a string"
            raise PydanticCustomError("texts", "[{index}] must be {expected}", {"index": index, "expected": expected})
    return value


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value  # 3.0 is 3 in JSON


Text = Annotated[str, PlainValidator(_text), WithJsonSchema(_STRING)]
Query = Annotated[str, PlainValidator(_query), WithJsonSchema({**_STRING, "pattern": r"\S"})]
Document = Annotated[
    str,
    PlainValidator(_document),
    WithJsonSchema(
        {"anyOf": [_STRING, {"type": "object", "properties": {"text": _STRING}, "required": ["text"]}]},
    ),
]
Pair = Annotated[
    tuple[str, str],
    PlainValidator(_pair),
    WithJsonSchema(
        {"type": "array", "prefixItems": [{**_STRING, "pattern": r"\S"}, _STRING], "minItems": 2, "maxItems": 2}
    ),
]
Texts = Annotated[
    list[str] | list[list[str]],
    PlainValidator(_texts),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": _STRING},
                {"type": "array", "items": {"type": "array", "items": _STRING}},
            ]
        }
    ),
]
Mark = Annotated[
    str, PlainValidator(_mark), WithJsonSchema({**_STRING, "pattern": r"\S", "maxLength": _LONGEST_MARK})
]
Tag = Annotated[str, PlainValidator(_tag), WithJsonSchema({**_STRING, "maxLength": _LONGEST_MARK})]
_SIDE = {"type": "integer", "minimum": 0, "maximum": MOST_NEIGHBOURS}
Span = Annotated[
    tuple[int, int],
    PlainValidator(_neighbours),
    WithJsonSchema({"anyOf": [_SIDE, {"type": "array", "items": _SIDE, "minItems": 2, "maxItems": 2}]}),
]
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT), BeforeValidator(_whole)]
PositiveCount = Annotated[int, Field(ge=1, le=LARGEST_COUNT), BeforeValidator(_whole)]
Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]

_DOCUMENTS: list[Any] = ["The mill was built by Ann Lee in 1842. It burned down twice.", "The Moon causes the tides."]


class _Request(BaseModel):
    """What all requests have in common."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Text | None = Field(
        default=None, description="Name of the model; only the one that is served will do. `GET /v1/models` has it."
    )
    timeout: Seconds | None = Field(
        default=None, description="Seconds after which to give up; the service's own deadline is the upper limit."
    )


class CompressRequest(_Request):
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
    documents: list[Text] = Field(default_factory=list, description="The documents, in any language of the model.")
    pairs: list[Pair] = Field(
        default_factory=list, description="[query, document] pairs of many queries, instead of both."
    )
    policy: Text | None = Field(
        default=None,
        description="Which sentences stay, as source: `Threshold(0.3) | TopK(1)`, with Threshold, TopK, TokenBudget, "
        "Neighbours, Signals, Fallback, ToolOutput, and Default() for the service's own, combined with | and &.",
        examples=["Default() & TopK(3)"],
    )
    threshold: Probability | None = Field(default=None, description="Keep sentences with at least this score.")
    top_k: PositiveCount | None = Field(default=None, description="Sentences a document, at most.")
    max_tokens: Count | None = Field(default=None, description="LLM tokens a document, at most.")
    max_total_tokens: Count | None = Field(
        default=None, description="LLM tokens of all documents together, at most; the best sentences get them."
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
    rerank: bool = Field(
        default=False,
        description="Whether documents come back by falling ranking score, those in which nothing passed last; for "
        "one query, and where the model ranks. `index` says which is which.",
    )
    top_n: PositiveCount | None = Field(
        default=None,
        description="With `rerank`, how many come back; those left out are not among the documents, and saved whole.",
    )
    encoding: Encoding | None = Field(
        default=None, description="tiktoken encoding in which tokens are counted; null for the service's own."
    )
    elision: Mark | None = Field(
        default=None,
        description="What stands where something was cut, such as `[…]`; null for the service's own, mostly nothing.",
        examples=["[…]"],
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
        if isinstance(data, dict):
            given = data.keys() & {"query", "documents", "pairs"}
            if given not in ({"query", "documents"}, {"pairs"}):
                raise PydanticCustomError(
                    "form", "{says}", {"says": _missing(given) + _unknown(data, cls.model_fields)}
                )
        return data

    @model_validator(mode="after")
    def _check_order(self) -> CompressRequest:
        if self.rerank and self.pairs:
            raise PydanticCustomError("form", "rerank orders the documents of one query: send query and documents")
        if self.top_n is not None and not self.rerank:
            raise PydanticCustomError("form", "top_n needs rerank: without that order it would cut by the order sent")
        return self


def _missing(given: Set[str]) -> str:
    """Say which fields a request lacks, or has beside others they exclude."""
    either = "send either query and documents, or pairs"
    if "pairs" in given:
        return f"{either}: {', '.join(sorted(given))} are all there"
    missing = [name for name in ("query", "documents") if name not in given]
    return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing: {either}"


def _unknown(data: dict[Any, Any], known: Mapping[str, object]) -> str:
    """Say which of a request's fields are none, and what was probably meant."""
    names = [str(name) for name in data if name not in known][:_NAMED]
    return "".join(f"; {no_field(name, known)}" for name in names)


def no_field(name: str, known: Iterable[str]) -> str:
    """Say that a request has no such field, and which was probably meant."""
    said = name if len(name) <= _SHOWN_NAME else f"{name[: _SHOWN_NAME - 3]}..."
    hint = meant(name, known)
    return f"{said} is no field of this request" + (f" (did you mean {hint}?)" if hint else "")


class HighlightRequest(_Request):
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


class RerankRequest(_Request):
    """Documents to order, as Cohere and Jina ask for it; fields of theirs that do not apply are ignored."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "additionalProperties": True,
            "examples": [{"query": "Who built the mill?", "documents": _DOCUMENTS, "top_n": 1}],
        },
    )

    query: Query = Field(description="What the documents were retrieved for.")
    documents: list[Document] = Field(description="The documents, as strings or as objects with a text.")
    top_n: PositiveCount | None = Field(default=None, description="How many to return; null for all.")
    return_documents: bool = Field(default=False, description="Whether the documents come back with their scores.")


def fields_of(path: str) -> Iterable[str]:
    """Return the fields of the request to an address; none of an address that has no such request."""
    bodies: dict[str, type[BaseModel]] = {
        "/v1/compress": CompressRequest,
        "/v1/highlight": HighlightRequest,
        "/v1/rerank": RerankRequest,
    }
    return bodies[path].model_fields if path in bodies else ()


def examples(model: type[BaseModel]) -> dict[str, Any]:
    """Return the examples of a request as named examples of the OpenAPI document."""
    extra = model.model_config.get("json_schema_extra")
    values: Any = extra.get("examples", []) if isinstance(extra, dict) else []
    named = {f"example {number}": {"value": value} for number, value in enumerate(values, 1)}
    return {"requestBody": {"content": {"application/json": {"examples": named}}}}
