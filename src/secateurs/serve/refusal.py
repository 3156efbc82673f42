"""Why a request is refused: one status, one type, one sentence. The table is in the package's docstring.

What refusals look like, for the OpenAPI document, is at the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

Kind = Literal[
    "bad_json",
    "unauthorized",
    "not_found",
    "unknown_model",
    "wrong_method",
    "too_slow",
    "too_large",
    "not_json",
    "wrong_host",
    "invalid",
    "not_supported",
    "overloaded",
    "internal",
    "not_ready",
    "deadline",
]


class RefusalError(Exception):
    """A request that is not answered as asked.

    Args:
        status: The HTTP status.
        kind: The `type` of the error.
        message: What is wrong, what was expected, and what to do.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, kind: Kind, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.headers = dict(headers or {})

    @classmethod
    def overloaded(cls, message: str, seconds: int) -> RefusalError:
        """Return the refusal of a request for which there is no room now."""
        headers = {"Retry-After": str(seconds)}
        return cls(429, "overloaded", f"{message} Try again in {seconds} s.", headers=headers)

    def body(self) -> bytes:
        """Return the answer's body."""
        return encode({"error": {"type": self.kind, "message": str(self)}})


def encode(data: Any) -> bytes:
    r"""Return JSON in UTF-8.

    A text with a lone surrogate has no UTF-8; then everything outside ASCII is escaped, and the text comes back to
    the caller as it was sent.

    Example:
        >>> encode({"é": 1}).decode(), encode(["é", "\ud800"])
        ('{"é":1}', b'["\\u00e9","\\ud800"]')
    """
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(data, allow_nan=False, separators=(",", ":")).encode()


class Failure(BaseModel):
    """What went wrong."""

    type: Literal[get_args(Kind)]  # type: ignore[valid-type]  # the one list of types
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
