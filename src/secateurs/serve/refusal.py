"""Why a request is refused: one status, one type, one sentence. The table is in the package's docstring."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

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
