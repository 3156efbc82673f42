"""Results made again from an answer, out of the documents that were sent: verbatim, or not at all.

An answer says which units stay, and what each unit needs; no text of it is used. The text is put together here, of
the document's own units and by the code that does it in process.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from secateurs.errors import in_short
from secateurs.remote.units import read_units
from secateurs.result.compression import Compression, Status
from secateurs.result.join import Parts
from secateurs.result.savings import Savings
from secateurs.result.span import Sentence, UnitPlace
from secateurs.support.arguments import LARGEST_COUNT


def rebuild(document: str, entry: Mapping[str, Any], encoding: str, elision: str | None) -> Compression:
    """Make a result of a document's own units, or raise what does not fit.

    Args:
        document: The document that was sent.
        entry: What the service says of it.
        encoding: In which tokens were to be counted.
        elision: What was to stand where something is cut.
    """
    status, counts = entry["status"], entry["savings"]
    sentences = tuple(_sentence(document, one) for one in entry["sentences"])
    ends = [0, *(sentence.end for sentence in sentences)]
    if [sentence.start for sentence in sentences] != ends[:-1] or ends[-1] != len(document):
        raise ValueError("sentences do not tile their document")
    savings = Savings(_count(counts["before"]), _count(counts["after"]), counts["encoding"], counts["exact"] is True)
    if savings.encoding != encoding or not 0 <= savings.after <= savings.before:
        raise ValueError(f"savings are {counts!r}")
    parts = Parts(document, read_units(document, sentences, entry["units"]), elision)
    text = parts.text([sentence.kept for sentence in sentences])
    if status not in get_args(Status) or (status == "dropped") != (text == "" and document != ""):
        raise ValueError(f"status is {status!r}, with {len(text)} of {len(document)} characters kept")
    if status in ("unchanged", "error") and text != document:
        raise ValueError(f"status is {status!r}, and {len(document) - len(text)} characters are missing")
    ranking, reason = entry["ranking_score"], entry["reason"]
    result = Compression(
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
    return result.with_parts(parts)


def check_copies(results: Sequence[Compression]) -> None:
    """Refuse results in which a unit was left out as the copy of one that is not there.

    Raises:
        ValueError, IndexError: There is one.
    """
    for place in (unit.copy_of for result in results for unit in result.sentences if unit.copy_of is not None):
        if not results[place.document].sentences[place.unit].kept:
            raise ValueError(f"a unit is left out as the copy of unit {place.unit} of {place.document}, which is cut")


def _sentence(document: str, entry: Mapping[str, Any]) -> Sentence:
    start, end = entry["start"], entry["end"]
    if not (type(start) is int and type(end) is int and 0 <= start < end <= len(document)):
        raise ValueError(f"a sentence reaches from {start!r} to {end!r} in {len(document)} characters")
    score, kept, frame = _probability(entry["score"]), entry["kept"] is True, entry.get("frame") is True
    copy_of = None if kept or not entry.get("copy_of") else UnitPlace(*map(_count, entry["copy_of"]))
    return Sentence(start, end, document[start:end], score, kept, kept and frame, copy_of)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_COUNT:
        raise ValueError(f"a number of tokens is {in_short(value)}")
    return value


def _probability(value: Any) -> float:
    number = float(value)
    if not (math.isfinite(number) and 0.0 <= number <= 1.0):
        raise ValueError(f"a score is {value!r}")
    return number
