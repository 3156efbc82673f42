"""Arguments, checked: what is wrong, where, and what to pass instead."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from numbers import Real

from secateurs.errors import in_short

LARGEST_COUNT = 2**63 - 1


def check_query(query: object, where: str = "query") -> None:
    """Refuse a query that is no string, or blank."""
    if not isinstance(query, str):
        raise TypeError(f"{where} must be a string, got {type(query).__name__}")
    if not query.strip():
        raise ValueError(f"{where} is blank ({query!r}): there is nothing to compress for. Pass the user's question.")


def check_documents(documents: object, *, none_as_blank: bool = False) -> list[str]:
    """Return a list of strings, or name the item that is none.

    Args:
        documents: What was given.
        none_as_blank: Whether None, as a database returns it for a missing text, is a blank document.
    """
    if isinstance(documents, (str, bytes)) or not isinstance(documents, Sequence):
        raise TypeError(
            f"documents must be a list of strings, got {type(documents).__name__}. For one document pass [document]."
        )
    return [_text(document, f"documents[{index}]", none_as_blank) for index, document in enumerate(documents)]


def check_pairs(pairs: object, *, none_as_blank: bool = False) -> list[tuple[str, str]]:
    """Return (query, document) pairs, or name the one that is none; None as `check_documents` takes it."""
    if isinstance(pairs, (str, bytes)) or not isinstance(pairs, Sequence):
        raise TypeError(f"pairs must be a list of (query, document) pairs, got {type(pairs).__name__}")
    checked = []
    for index, pair in enumerate(pairs):
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(f"pairs[{index}] must be a (query, document) pair, got {pair!r}")
        check_query(pair[0], f"the query of pairs[{index}]")
        checked.append((pair[0], _text(pair[1], f"the document of pairs[{index}]", none_as_blank)))
    return checked


def _text(document: object, where: str, none_as_blank: bool) -> str:
    if document is None and none_as_blank:
        return ""
    if isinstance(document, str):
        return document
    advice = "A compressor made with none_as_blank=True reads it as blank" if document is None else "Decode it first"
    raise TypeError(f"{where} must be a string, got {type(document).__name__}. {advice}.")


def check_elision(elision: str | None) -> str | None:
    """Return what stands where something was cut, or say what is wrong with it."""
    if elision is None or (isinstance(elision, str) and elision.strip() and elision.isprintable()):
        return elision
    if not isinstance(elision, str):
        raise TypeError(f"elision must be a string such as '[…]', or None, got {type(elision).__name__}")
    raise ValueError(f"elision must be a printable mark such as '[…]', got {in_short(elision)}: None for none.")


def check_also(also: Mapping[str, float] | None) -> dict[str, float]:
    """Return further queries and their weights, or say what is wrong with them."""
    if also is not None and not isinstance(also, Mapping):
        raise TypeError(f"also must map queries to what their scores are multiplied by, got {also!r}")
    for query, weight in (also or {}).items():
        check_query(query)
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight <= 1:
            raise ValueError(f"a weight in also must be in [0, 1], got {weight!r} for {query!r}")
    return dict(also or {})


def check_key(key: str | None) -> str | None:
    """Return an API key without the blanks around it, which no header carries: a file it is read from ends in a line.

    Raises:
        ValueError: It is blank, or has a character that cannot be sent.
        TypeError: It is no string.
    """
    if key is None:
        return None
    if not isinstance(key, str):
        raise TypeError(f"api_key must be a text, got {type(key).__name__}")
    key = key.strip()
    if not key:
        raise ValueError("api_key must be a text that is not blank: leave it out for none.")
    if not key.isprintable():  # a line break in it would begin another header
        raise ValueError("api_key must be of printable characters: it is sent in a header.")
    return key


def check_revision(revision: object, model: object) -> None:
    """Refuse a revision that is no text, or of no model: what was pinned must not be taken from elsewhere in silence.

    Args:
        revision: What was given; None for none.
        model: The model it is of; None for the bundled one, which has none.
    """
    if revision is None:
        return
    if not isinstance(revision, str):
        raise TypeError(f"revision must be a branch, tag or commit as a string, got {revision!r}")
    if not revision.strip():
        raise ValueError(f"revision is blank ({revision!r}): pass a branch, tag or commit, or leave it out.")
    if model is None:
        raise ValueError(
            f"revision={revision!r} needs a model on the hub, and the bundled one is not there: name the model."
        )


def check_seconds(value: object, name: str) -> None:
    """Refuse anything but a positive number of seconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, got {value!r}")
    if not 0 < value <= threading.TIMEOUT_MAX:  # nor is NaN; a longer wait overflows the clock
        raise ValueError(
            f"{name} must be more than 0 seconds and at most {threading.TIMEOUT_MAX:.0f}, got {in_short(value)}: "
            "pass None to wait as long as it takes."
        )


def check_threshold(value: float, name: str = "threshold") -> float:
    """Return a threshold as a float, or say what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Real)):  # NumPy's numbers are Real
        raise TypeError(f"{name} must be a number in [0, 1], got {value!r}")
    if not 0.0 <= value <= 1.0:  # nor is NaN
        raise ValueError(
            f"{name} must be in [0, 1], got {in_short(value)}: it is compared with a probability, not a logit."
        )
    return float(value)


def check_count(value: int, name: str, *, least: int) -> None:
    """Check a whole number, or say what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {in_short(value)}")
    if value > LARGEST_COUNT:
        raise ValueError(f"{name} must be at most {LARGEST_COUNT}, more than any document has, got {in_short(value)}")
