"""The arguments of `compress` and `compress_pairs`, checked: what is wrong, where, and what to pass instead."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import cast

from secateurs.errors import in_short
from secateurs.policy import Policy


def check_policy(policy: object) -> Policy:
    """Return a policy, or say that it is none."""
    if not callable(policy):
        raise TypeError(f"policy must be a policy such as Threshold(0.3) | TopK(1), got {policy!r}")
    return cast("Policy", policy)  # any callable of the same signature will do


def check_query(query: object, where: str = "query") -> None:
    """Refuse a query that is no string, or blank."""
    if not isinstance(query, str):
        raise TypeError(f"{where} must be a string, got {type(query).__name__}")
    if not query.strip():
        raise ValueError(f"{where} is blank ({query!r}): there is nothing to compress for. Pass the user's question.")


def check_documents(documents: object) -> None:
    """Refuse anything but a list of strings, and name the item that is none."""
    if isinstance(documents, (str, bytes)) or not isinstance(documents, Sequence):
        raise TypeError(
            f"documents must be a list of strings, got {type(documents).__name__}. For one document pass [document]."
        )
    for index, document in enumerate(documents):
        if not isinstance(document, str):
            raise TypeError(
                f"documents[{index}] must be a string, got {type(document).__name__}. Decode or convert it first."
            )


def check_pairs(pairs: object) -> list[tuple[str, str]]:
    """Return (query, document) pairs, or name the one that is none."""
    if isinstance(pairs, (str, bytes)) or not isinstance(pairs, Sequence):
        raise TypeError(f"pairs must be a list of (query, document) pairs, got {type(pairs).__name__}")
    for index, pair in enumerate(pairs):
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(f"pairs[{index}] must be a (query, document) pair, got {pair!r}")
        check_query(pair[0], f"the query of pairs[{index}]")
        if not isinstance(pair[1], str):
            raise TypeError(f"the document of pairs[{index}] must be a string, got {type(pair[1]).__name__}")
    return [(pair[0], pair[1]) for pair in pairs]


def check_seconds(value: object, name: str) -> None:
    """Refuse anything but a positive number of seconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, got {value!r}")
    if not 0 < value <= threading.TIMEOUT_MAX:  # nor is NaN; a longer wait overflows the clock
        raise ValueError(
            f"{name} must be more than 0 seconds and at most {threading.TIMEOUT_MAX:.0f}, got {in_short(value)}: "
            "pass None to wait as long as it takes."
        )
