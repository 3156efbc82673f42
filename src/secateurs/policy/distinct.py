"""One copy across documents: what is asked of the documents of a call together, beside a budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from secateurs.support.arguments import check_threshold

SIMILARITY = 0.7


class SourcePlace(NamedTuple):
    """Where a document stands in the source that it was cut from, as a splitter says it.

    Attributes:
        source: What names the source; documents of the same name are chunks of one text.
        start: First code point in it.
    """

    source: str
    start: int


@dataclass(frozen=True)
class Distinct:
    """Leave out of a worse-ranked document what a kept unit of a better-ranked one says already.

    A unit is a copy of another where both say the same, verbatim or nearly: in other white space, marks and case of
    the first word, or with a few other words, so that at least `similarity` of the runs of three words of both are
    in both, and all words of the copy are in the one that stays, in order. Numbers, dates, negations, names and the
    words that turn a statement (almost, until, false) must be equal. What stands over the copy (headings, a table's
    header, a speaker) must stand over the other one, too. A unit that leans on what stands before it (a table's row,
    a line of code, a sentence with a pronoun or without a name, or neither English nor Chinese) is a copy only where
    that is one as well.

    Chunks of one source that overlap are recognised by their `places` first.

    Args:
        similarity: Share of the runs of three words, above 0 and at most 1; 1.0 for what says the same verbatim.
        by_ranking: Whether documents are better by their ranking score, and not by the order they are given in.
        places: Where each document stands in its source, None where that is not known; None for all of them.

    Example:
        >>> from secateurs import Compressor, Threshold
        >>> told = "The mill in Leeds was built by Ann Lee in 1842."
        >>> chunks = [f"{told} It burned down twice.", f"{told} Today the mill is a museum."]
        >>> compress = Compressor.from_pretrained().compress
        >>> results = compress("Who built the mill?", chunks, policy=Threshold(0.0), distinct=Distinct())
        >>> results[1].text, results[1].sentences[0].copy_of
        ('Today the mill is a museum.', UnitPlace(document=0, unit=0))
    """

    similarity: float = SIMILARITY
    by_ranking: bool = False
    places: tuple[SourcePlace | None, ...] | None = None

    def __post_init__(self) -> None:
        if check_threshold(self.similarity, "similarity") == 0.0:
            raise ValueError("similarity must be above 0, got 0: any two sentences would be the same.")
        if not isinstance(self.by_ranking, bool):
            raise TypeError(f"by_ranking must be True or False, got {self.by_ranking!r}")
        if self.places is not None:
            object.__setattr__(self, "places", _places(self.places))

    def __repr__(self) -> str:
        said = [] if self.similarity == SIMILARITY else [f"similarity={self.similarity!r}"]
        return f"Distinct({', '.join([*said, *(['by_ranking=True'] if self.by_ranking else [])])})"


def check_distinct(distinct: object, documents: int) -> Distinct | None:
    """Return what is asked for, or say what is wrong with it.

    Args:
        distinct: What was given; None for nothing.
        documents: How many documents the call has.
    """
    if distinct is None:
        return None
    if not isinstance(distinct, Distinct):
        raise TypeError(f"distinct must be a Distinct(), or None, got {distinct!r}")
    if distinct.places is not None and len(distinct.places) != documents:
        raise ValueError(
            f"places must be one a document, got {len(distinct.places)} for {documents}: None where it is not known."
        )
    return distinct


def _places(places: object) -> tuple[SourcePlace | None, ...]:
    if isinstance(places, str) or not isinstance(places, Sequence):
        raise TypeError(f"places must be a list of SourcePlace or None, got {type(places).__name__}")
    return tuple(None if one is None else _place(one, index) for index, one in enumerate(places))


def _place(one: object, index: int) -> SourcePlace:
    if isinstance(one, str) or not isinstance(one, Sequence) or len(one) != 2:
        raise TypeError(f"places[{index}] must be a SourcePlace(source, start) or None, got {one!r}")
    source, start = one
    if not isinstance(source, str) or isinstance(start, bool) or not isinstance(start, int):
        raise TypeError(f"places[{index}] must be a name and a whole number, got {source!r} and {start!r}")
    if start < 0:
        raise ValueError(f"places[{index}] must start at 0 or later, got {start}: None where it is not known.")
    return SourcePlace(source, start)
