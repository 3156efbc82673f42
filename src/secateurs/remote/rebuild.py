"""Results made again from an answer, out of the documents that were sent: verbatim, or not at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

from secateurs.result.compression import Compression, Status
from secateurs.result.savings import Savings
from secateurs.result.span import Sentence


def rebuild(document: str, entry: Mapping[str, Any], encoding: str) -> Compression:
    """Make a result of a document's own slices, or raise what does not fit."""
    status, counts = entry["status"], entry["savings"]
    sentences = tuple(_sentence(document, one) for one in entry["sentences"])
    ends = [0, *(sentence.end for sentence in sentences)]
    if [sentence.start for sentence in sentences] != ends[:-1] or ends[-1] != len(document):
        raise ValueError("sentences do not tile their document")
    savings = Savings(int(counts["before"]), int(counts["after"]), counts["encoding"], counts["exact"] is True)
    if savings.encoding != encoding or not 0 <= savings.after <= savings.before:
        raise ValueError(f"savings are {counts!r}")
    text = "".join(sentence.text for sentence in sentences if sentence.kept)
    if status not in get_args(Status) or (status == "dropped") != (text == "" and document != ""):
        raise ValueError(f"status is {status!r}, with {len(text)} of {len(document)} characters kept")
    if status in ("unchanged", "error") and text != document:
        raise ValueError(f"status is {status!r}, and {len(document) - len(text)} characters are missing")
    ranking, reason = entry["ranking_score"], entry["reason"]
    return Compression(
        text=text,
        original=document,
        sentences=sentences,
        savings=savings,
        status=status,
        reason=None if reason is None else str(reason),
        ranking_score=None if ranking is None else _probability(ranking),
        warnings=tuple(map(str, entry["warnings"])),
        policy=entry.get("policy"),
    )


def _sentence(document: str, entry: Mapping[str, Any]) -> Sentence:
    start, end = entry["start"], entry["end"]
    if not (type(start) is int and type(end) is int and 0 <= start < end <= len(document)):
        raise ValueError(f"a sentence reaches from {start!r} to {end!r} in {len(document)} characters")
    return Sentence(start, end, document[start:end], _probability(entry["score"]), entry["kept"] is True)


def _probability(value: Any) -> float:
    number = float(value)
    if not (math.isfinite(number) and 0.0 <= number <= 1.0):
        raise ValueError(f"a score is {value!r}")
    return number
