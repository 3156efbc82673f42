"""Ranges of one document, as plain data: a span, a sentence with its score, a highlight.

Every offset counts code points of the original document, half-open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple


class Span(NamedTuple):
    """A half-open range of code points in one document.

    Example:
        >>> "never lose an answer"[slice(*Span(6, 10))]
        'lose'
    """

    start: int
    end: int


class UnitPlace(NamedTuple):
    """A unit of one of the documents of a call.

    Attributes:
        document: The document's index among those of the call, from 0.
        unit: The unit's index among that one's `sentences`.
    """

    document: int
    unit: int


def merge_spans(spans: Iterable[tuple[int, int]]) -> tuple[Span, ...]:
    """Join sorted spans that touch.

    Args:
        spans: Disjoint spans in source order, in code points.

    Returns:
        The fewest spans that cover the same characters.

    Example:
        >>> merge_spans([(0, 4), (4, 9), (12, 15)])
        (Span(start=0, end=9), Span(start=12, end=15))
    """
    merged: list[Span] = []
    for start, end in spans:
        if merged and merged[-1].end == start:
            merged[-1] = Span(merged[-1].start, end)
        else:
            merged.append(Span(start, end))
    return tuple(merged)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One unit of a document (a sentence, a list item, a row ...), its score, and whether it stayed.

    Attributes:
        start: First code point in the original document.
        end: One past the last code point.
        text: `original[start:end]`, white space included.
        score: Relevance to the query, a probability in [0, 1]; 0.0 for what is frame and nothing else.
        kept: Whether the unit is part of the compressed text.
        frame: Whether it is kept for the sake of others alone: a heading, a table's header, a fence mark, a tag.
        copy_of: The kept unit of a better-ranked document that says the same, where this one was left out for that
            alone; see `Distinct`.
    """

    start: int
    end: int
    text: str
    score: float
    kept: bool
    frame: bool = False
    copy_of: UnitPlace | None = None

    @property
    def reason(self) -> str | None:
        """Why it was left out, where its score is not the reason: `"copy"`; else None."""
        return None if self.copy_of is None else "copy"

    def to_dict(self) -> dict[str, Any]:
        """Return the unit as JSON types.

        `frame` stands there only where it is true, `reason` and `copy_of` ([document, unit]) only of a copy.
        """
        data: dict[str, Any] = {"start": self.start, "end": self.end, "text": self.text, "score": self.score}
        data["kept"] = self.kept
        if self.frame:
            data["frame"] = True
        if self.copy_of is not None:
            data |= {"reason": self.reason, "copy_of": list(self.copy_of)}
        return data


@dataclass(frozen=True, slots=True)
class Highlight:
    """A part of a sentence that the model's tokens point at.

    Attributes:
        start: First code point in the original document.
        end: One past the last code point.
        text: `original[start:end]`, whole words, without white space around them.
        score: Relevance to the query, a probability in [0, 1]: the mean of the tokens that were asked for.
    """

    start: int
    end: int
    text: str
    score: float
