"""What answers look like that say what was found: highlights, and documents in order with what is relevant in them.

For the OpenAPI document, and for whoever reads it, as in replies.py. Answers are not built from these.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


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
