"""What a request to compress a conversation looks like; schemas.py has the others."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from tiktoken import encoding_name_for_model

from secateurs.policy import WhenEmpty
from secateurs.serve.schemas import Encoding, Request
from secateurs.serve.values import (
    Count,
    Mark,
    Message,
    PositiveCount,
    Probability,
    Query,
    Span,
    Text,
    ToolName,
)

_FOUND = "The mill was built by Ann Lee in 1842. It burned down twice.\nIt rained all summer long, day and night."
_MESSAGES: list[Any] = [
    {"role": "user", "content": "Who built the mill?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "read", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "a", "content": _FOUND},
]


class MessagesRequest(Request):
    """A conversation to compress, as gateways ask for it; fields of theirs that do not apply are ignored."""

    KNOWN_BY: ClassVar[str] = "messages"

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "additionalProperties": True,
            "not": {"anyOf": [{"required": [name]} for name in ("documents", "pairs")]},
            "examples": [{"model": "gpt-4o", "messages": _MESSAGES, "min_tokens": 20}],
        },
    )

    model: Text | None = Field(
        default=None,
        description="The LLM that is to read it, which says how tokens are counted; any name will do.",
    )
    messages: list[Message] = Field(
        description="The conversation. Results of tools and earlier messages of the user are cut, the others stay; "
        "of content blocks those of text are cut."
    )
    query: Query | None = Field(
        default=None, description="What is looked for; null for the last message of the user, which always stays."
    )
    min_tokens: Count = Field(default=200, description="Messages of fewer LLM tokens stay as they are.")
    user_context: bool = Field(default=True, description="Whether earlier messages of the user are cut, too.")
    exclude: list[Text] = Field(default=[], description="Names of tools whose results stay as they are.")
    expand: ToolName | None = Field(
        default=None,
        description="Name of a tool that gives the LLM an original back: then the note in a cut message names it and "
        "the handle, and its results stay as they are. The tool is the caller's, and asks "
        "`GET /v1/retrieve/{handle}`.",
    )
    policy: Text | None = Field(
        default=None, description="Which lines stay, as source; null for `ToolOutput()`, what agents have."
    )
    threshold: Probability | None = Field(default=None, description="Keep lines with at least this score.")
    top_k: PositiveCount | None = Field(default=None, description="Lines a message, at most.")
    max_tokens: Count | None = Field(default=None, description="LLM tokens a message, at most.")
    when_empty: WhenEmpty | None = Field(
        default=None,
        description="Where nothing passes: `drop` for a note in its place, the `best` line or the `original`; null "
        "for what agents have: a short one whole, the best lines of a longer one.",
    )
    neighbours: Span | None = Field(
        default=None, description="Keep also so many lines before and after each kept one; two numbers for either."
    )
    encoding: Encoding | None = Field(
        default=None, description="tiktoken encoding in which tokens are counted; null for that of `model`."
    )
    elision: Mark | None = Field(default=None, description="What stands where something was cut.")

    @model_validator(mode="before")
    @classmethod
    def _check_form(cls, data: object) -> object:
        others = [name for name in ("documents", "pairs") if isinstance(data, dict) and name in data]
        if others:
            said = f"messages and {others[0]} are both there: send either"
            raise PydanticCustomError("form", "{says}", {"says": said})
        return data

    @property
    def counted_in(self) -> str | None:
        """The encoding its tokens are counted in; None for the service's own."""
        if self.encoding is not None or self.model is None:
            return self.encoding
        try:
            found = encoding_name_for_model(self.model.rpartition("/")[2])
        except KeyError:
            return None
        return found if found in get_args(Encoding) else None

    @property
    def excluded(self) -> set[str]:
        """Names of tools whose results stay."""
        return {*self.exclude, *(() if self.expand is None else (self.expand,))}
