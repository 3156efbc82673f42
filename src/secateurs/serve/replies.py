"""What answers look like: for the OpenAPI document, and for whoever reads it. Answers are not built from these.

Those of highlights and orders are in findings.py, refusals in refusal.py.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from secateurs.result.compression import Status

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
                    "default_policy": "Threshold(0.04)",
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


class Model(BaseModel):
    """The model that is served."""

    id: str
    object: Literal["model"]
    owned_by: str
    policy: str = Field(description="Which sentences stay where a request does not say.")
    encoding: str = Field(description="In which tokens are counted where a request does not say.")
    ranks: bool = Field(description="Whether `POST /v1/rerank` is possible.")
    defaults: dict[str, Any] = Field(
        description="`max_total_tokens`, `rerank`, `top_n` and `distinct` where a request to compress does not say."
    )
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
                            "policy": "Threshold(0.04)",
                            "encoding": "o200k_base",
                            "ranks": True,
                            "defaults": {"max_total_tokens": None, "rerank": False, "top_n": None, "distinct": False},
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
