"""What answers look like: for the OpenAPI document, and for whoever reads it. Answers are not built from these."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from secateurs.result.compression import Status
from secateurs.serve.refusal import Kind

_SAVINGS: dict[str, Any] = {
    "before": 17,
    "after": 13,
    "saved": 4,
    "saved_fraction": 0.235,
    "encoding": "o200k_base",
    "exact": True,
}


class Savings(BaseModel):
    """LLM tokens before and after."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SAVINGS]})

    before: int = Field(description="LLM tokens of the documents.")
    after: int = Field(description="LLM tokens of what is left.")
    saved: int
    saved_fraction: float = Field(description="Share of the tokens saved, in [0, 1].")
    encoding: str
    exact: bool = Field(description="False where another encoding stood in.")


class Sentence(BaseModel):
    """One unit: a sentence, a list item, a row; all of a document's units together tile it."""

    start: int = Field(description="First code point in the document. JavaScript counts UTF-16 units instead.")
    end: int = Field(description="One past the last code point.")
    text: str = Field(default="", description="The unit, white space included; with return_texts.")
    score: float = Field(description="Relevance to the query, a probability; 0 for what is frame and nothing else.")
    kept: bool
    frame: bool = Field(
        default=False, description="Whether it is kept for the sake of others alone: a heading, a table's header."
    )
    reason: str | None = Field(default=None, description='`"copy"` where it went because another document says it.')
    copy_of: list[int] = Field(
        default=[], description="[document, unit] that says it; the document by its place in the request."
    )


class Unit(BaseModel):
    """What a unit is and needs."""

    kind: str = Field(description="Such as prose, heading, item, row, code; mark, bracket and tag are frame alone.")
    frame: list[int] = Field(description="The units that stay when it does.")
    comma: int | None = Field(default=None, description="The comma that goes when nothing of its container follows.")
    until: int | None = Field(default=None, description="The unit that closes the container of that comma.")


class Document(BaseModel):
    """One document after compression."""

    index: int = Field(description="Its place in the request, from 0.")
    status: Status = Field(description='"error" returns the document whole; the others are not affected.')
    reason: str | None = Field(default=None, description="Why; null where it was compressed.")
    warnings: list[str]
    ranking_score: float | None = Field(
        default=None, description="Relevance of the whole document; null where nothing ranks it."
    )
    savings: Savings
    text: str = Field(
        default="",
        description="What to send to the LLM: the kept units, verbatim, and where something was cut between two the "
        "strongest white space of the gap; with return_texts.",
    )
    spans: list[list[int]] = Field(default=[], description="Kept ranges in code points; with return_spans.")
    sentences: list[Sentence] = Field(default=[], description="All units; with return_scores.")
    steps: list[list[float]] = Field(
        default=[],
        description="[threshold, tokens left] at every level, ascending: how many tokens each threshold leaves; "
        "with return_steps.",
    )
    kept_up_to: list[float] = Field(
        default=[],
        description="The level of each unit: the highest threshold at which it is kept, for its own sake or as "
        "frame; with return_steps.",
    )
    pure_frame: list[int] = Field(default=[], description="Units that are frame and nothing else; with return_steps.")
    gaps: list[tuple[int, int, int, str, int]] = Field(
        default=[],
        description="[unit, next unit, characters that fall away at the first one's end, what stands between, "
        "characters that fall away at the second one's beginning], for units that follow each other at some "
        "threshold; -1 is the beginning of the text, the number of units its end; with return_steps.",
    )
    units: list[Unit] = Field(default=[], description="What each unit is and needs; with return_units.")


class CompressReply(BaseModel):
    """Documents after compression, in the order of the request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "secateurs-xsmall",
                    "policy": "Threshold(0.3)",
                    "default_policy": "Threshold(0.029)",
                    "elision": "[…]",
                    "documents": [
                        {
                            "index": 0,
                            "status": "compressed",
                            "warnings": [],
                            "ranking_score": 0.98,
                            "text": "The mill was built by Ann Lee in 1842. […]",
                            "spans": [[0, 39]],
                            "sentences": [
                                {
                                    "start": 0,
                                    "end": 39,
                                    "text": "The mill was built by Ann Lee in 1842. ",
                                    "score": 0.91,
                                    "kept": True,
                                },
                                {
                                    "start": 39,
                                    "end": 60,
                                    "text": "It burned down twice.",
                                    "score": 0.04,
                                    "kept": False,
                                },
                            ],
                            "savings": _SAVINGS,
                        }
                    ],
                    "savings": _SAVINGS,
                }
            ]
        }
    )

    model: str = Field(description="The model's name.")
    policy: str = Field(description="The policy that decided.")
    default_policy: str = Field(description="The service's own, which decides where a request does not say.")
    elision: str | None = Field(default=None, description="What stands where something was cut; null for nothing.")
    documents: list[Document]
    savings: Savings = Field(description="Of all documents together.")


class Cut(BaseModel):
    """A message that was cut."""

    index: int = Field(description="Its place among the messages.")
    tokens_before: int
    tokens_after: int = Field(description="The note that says so counted.")
    handle: str = Field(description="`GET /v1/retrieve/{handle}` gives what it was back, for a while.")


class MessagesReply(BaseModel):
    """A conversation after compression: as many messages in the same order, all but their texts as they were."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "secateurs-xsmall",
                    "tokens_before": 1000,
                    "tokens_after": 400,
                    "tokens_saved": 600,
                    "compression_ratio": 0.4,
                    "savings": {**_SAVINGS, "before": 1000, "after": 400, "saved": 600, "saved_fraction": 0.6},
                    "compressed": [
                        {
                            "index": 1,
                            "tokens_before": 990,
                            "tokens_after": 390,
                            "handle": "k3wfy2ivmjq7x5o6c4n2ahzd5e",
                        }
                    ],
                    "messages": [
                        {"role": "user", "content": "Who built the mill?"},
                        {"role": "tool", "tool_call_id": "a", "content": "Ann Lee.\n[600 of 990 tokens cut]"},
                    ],
                }
            ]
        }
    )

    model: str = Field(description="The model that compressed, and not the one that is to read it.")
    tokens_before: int = Field(description="LLM tokens of the messages' texts; roles and tool calls do not count.")
    tokens_after: int = Field(description="The same of the messages that come back.")
    tokens_saved: int
    compression_ratio: float = Field(description="Kept by original: tokens_after / tokens_before; 0.4 saves 60 %.")
    savings: Savings = Field(description="The same counts in our words.")
    compressed: list[Cut] = Field(description="The messages that were cut.")
    messages: list[dict[str, Any]]


class Original(BaseModel):
    """What a message was before it was cut."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"handle": "k3wfy2ivmjq7x5o6c4n2ahzd5e", "original_content": "The mill was built ..."}]
        }
    )

    handle: str
    original_content: str


class Highlighted(BaseModel):
    """The highlights of one text; both lists are empty where nothing matches."""

    fragments: list[str]
    scores: list[float] = Field(
        description="One probability a fragment; with highlight_only=false that of the best sentence."
    )
    error: str | None = Field(default=None, description="Why this text could not be read; null otherwise.")


class HighlightReply(BaseModel):
    """Highlights: one list a query, in it one entry a text."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "secateurs-xsmall",
                    "results": [
                        [
                            {
                                "fragments": [
                                    "<mark>The mill was built by Ann Lee in 1842.</mark> It burned down twice."
                                ],
                                "scores": [0.91],
                            }
                        ]
                    ],
                }
            ]
        }
    )

    model: str
    results: list[list[Highlighted]]


class Text(BaseModel):
    """A document as Cohere and Jina return it."""

    text: str


class RelevantSpan(BaseModel):
    """A stretch of a document that is relevant to the query."""

    start: int = Field(description="First code point in the document.")
    end: int = Field(description="One past the last code point.")
    score: float = Field(description="That of its best unit, a probability.")
    text: str = Field(description="The stretch itself; Cohere returns the offsets alone.")


class Ranked(BaseModel):
    """One document and its place."""

    index: int = Field(description="Its place in the request, from 0.")
    relevance_score: float = Field(description="A probability; 0.0 for a blank document.")
    document: Text | None = Field(default=None, description="With return_documents.")
    relevant_spans: list[RelevantSpan] = Field(default=[], description="The best first; with relevant_spans.")


class RerankReply(BaseModel):
    """Documents, the most relevant first; where two are equal the earlier one."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "6f0c",
                    "model": "secateurs-xsmall",
                    "results": [
                        {
                            "index": 0,
                            "relevance_score": 0.98,
                            "relevant_spans": [
                                {
                                    "start": 0,
                                    "end": 38,
                                    "score": 0.91,
                                    "text": "The mill was built by Ann Lee in 1842.",
                                }
                            ],
                        }
                    ],
                }
            ]
        }
    )

    id: str
    model: str
    results: list[Ranked]


class Model(BaseModel):
    """The model that is served."""

    id: str
    object: Literal["model"]
    owned_by: str
    policy: str = Field(description="Which sentences stay where a request does not say.")
    encoding: str = Field(description="In which tokens are counted where a request does not say.")
    ranks: bool = Field(description="Whether `POST /v1/rerank` is possible.")
    limits: dict[str, Any] = Field(description="What one request may hold, and seconds it may take.")


class Models(BaseModel):
    """The one model."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "object": "list",
                    "data": [
                        {
                            "id": "secateurs-xsmall",
                            "object": "model",
                            "owned_by": "secateurs",
                            "policy": "Threshold(0.029)",
                            "encoding": "o200k_base",
                            "ranks": True,
                            "limits": {"max_documents": 1000},
                        }
                    ],
                }
            ]
        }
    )

    object: Literal["list"]
    data: list[Model]


class State(BaseModel):
    """How the service is."""

    status: Literal["ok", "ready"]


class Failure(BaseModel):
    """What went wrong."""

    type: Literal[get_args(Kind)]  # type: ignore[valid-type]  # the one list of types is in refusal.py
    message: str


class Refused(BaseModel):
    """Why a request was refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "type": "invalid",
                        "message": "threshold: Input should be less than or equal to 1, got 1.5.",
                    }
                }
            ]
        }
    )

    error: Failure


_MEANINGS = {
    400: "The body is not JSON in UTF-8.",
    401: "The key is missing or wrong.",
    404: "Another model than the one served was asked for; or nothing is kept under the handle.",
    408: "The body did not arrive in time.",
    413: "The body, the number of documents, or one text exceeds the limits.",
    415: "The content type is not application/json.",
    421: "The service is not known by the name in Host.",
    422: "A field is missing, of the wrong type or out of range; or this model cannot do it.",
    429: "Too much is waiting; Retry-After says how many seconds to wait.",
    500: "Our fault; the log has it.",
    503: "Draining or unhealthy.",
    504: "Not done in time.",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses for statuses of refusal."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        found[status] = {"model": Refused, "description": _MEANINGS[status]}
    if 429 in found:
        found[429]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
    return found
