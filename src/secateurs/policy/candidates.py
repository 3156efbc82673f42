"""What a policy chooses among, and how many of the best fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import overload

from secateurs.policy.signals import EDGE, Signs, find_signals
from secateurs.result.span import Sentence


class Candidates(Sequence[Sentence]):
    """The units of one document that a policy chooses among; knows what a choice reads as.

    Args:
        sentences: The units, in source order; not those that are pure frame.
        text: Returns the text of some of them, by index, with the frame that comes along.
        signs: What of them must not be lost, where that is known already.
    """

    def __init__(
        self, sentences: Sequence[Sentence], text: Callable[[Sequence[int]], str], signs: Signs | None = None
    ) -> None:
        self._sentences = sentences
        self._text = text
        self._signs = signs

    @overload
    def __getitem__(self, index: int) -> Sentence: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sentence]: ...
    def __getitem__(self, index: int | slice) -> Sentence | Sequence[Sentence]:
        return self._sentences[index]

    def __len__(self) -> int:
        return len(self._sentences)

    def text(self, some: Sequence[int]) -> str:
        """Return what the document reads as when some of them are chosen."""
        return self._text(some)

    def among(self, some: Sequence[int]) -> Candidates:
        """Return some of them, as all there is to choose."""
        return Candidates(
            [self._sentences[index] for index in some], lambda places: self._text([some[place] for place in places])
        )

    def scored(self, scores: Sequence[float]) -> Candidates:
        """Return them with other scores."""
        return Candidates(_scored(self._sentences, scores), self._text, self._signs)

    @cached_property
    def signs(self) -> Signs:
        """What of them must not be lost, found once however many policies ask."""
        return self._signs or find_signals(self._sentences)


def signs_of(sentences: Sequence[Sentence]) -> Signs:
    """Return what of a document's units must not be lost, if it is the output of a tool."""
    return sentences.signs if isinstance(sentences, Candidates) else find_signals(sentences)


def scored(sentences: Sequence[Sentence], scores: Sequence[float]) -> Sequence[Sentence]:
    """Return units with other scores, by which limits choose among them."""
    return sentences.scored(scores) if isinstance(sentences, Candidates) else _scored(sentences, scores)


def _scored(sentences: Sequence[Sentence], scores: Sequence[float]) -> list[Sentence]:
    pairs = zip(sentences, scores, strict=True)
    return [one if one.score == score else replace(one, score=score) for one, score in pairs]


def text_of(sentences: Sequence[Sentence], chosen: Sequence[int]) -> str:
    """Return what chosen sentences read as: with their frames, where those are known."""
    if isinstance(sentences, Candidates):
        return sentences.text(chosen)
    return "".join(sentences[index].text for index in sorted(chosen))


def among(sentences: Sequence[Sentence], some: Sequence[int]) -> Sequence[Sentence]:
    """Return some of the sentences, as all there is to choose."""
    return sentences.among(some) if isinstance(sentences, Candidates) else [sentences[index] for index in some]


def best_first(sentences: Sequence[Sentence]) -> list[int]:
    """Return sentence indices by falling score, the earlier first where scores are equal."""
    return sorted(range(len(sentences)), key=lambda index: -sentences[index].score)


def longest_fit(order: Sequence[int], n: int, cost: Callable[[Sequence[int]], int]) -> int:
    """Return the length of the longest prefix whose cost is at most `n`.

    Doubles, then halves, so that a long document costs a few counts and not one a sentence. What fits whole is
    returned whole, even where a prefix costs more than all, as it may by its elision marks.

    Args:
        order: Indices, best first.
        n: What may be spent.
        cost: Counts a prefix; must not fall when the prefix grows, but where all of it is reached.

    Returns:
        A prefix length from 0 to `len(order)`.

    Example:
        >>> longest_fit([4, 2, 7], 10, sum)
        2
    """
    fits, fails = 0, 1
    while fails <= len(order) and cost(order[:fails]) <= n:
        fits, fails = fails, fails * 2
    fails = min(fails, len(order) + 1)
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if cost(order[:middle]) <= n:
            fits = middle
        else:
            fails = middle
    return len(order) if fits < len(order) and cost(order) <= n else fits


def flags_of(chosen: Sequence[int], length: int) -> list[bool]:
    """Return a flag each for so many sentences: whether it is one of the chosen."""
    return scatter(chosen, [True] * len(chosen), length)


_EVEN = 400  # characters up to which signals and scores take turns; behind it signals have three of four
_LATER = 300  # characters of what answers the query that stand before the first and last lines of an output


def interleaved(scores: Sequence[float], weights: Sequence[float], sizes: Sequence[int]) -> list[float]:
    """Return one worth a unit of two: what it weighs as a signal, and what it scores for the query.

    A score of one model says nothing to a weight, or to that of another model. So the two take turns by how much
    text stands before a unit in each order: a signal first, then what scores best, and so on; of a longer text
    signals have the greater share. A unit has the better of its two places. What weighs as little as the first and
    last lines of an output comes behind the best scores.

    Args:
        scores: Of the units; 0.0 for what has none.
        weights: Of the units as signals; 0.0 for what is none.
        sizes: Characters of the units.

    Returns:
        Numbers in [0, 1] that fall from the first to take to the last.

    Example:
        >>> interleaved([0.9, 0.8, 0.0, 0.0], [0.0, 0.0, 0.2, 0.9], [300, 300, 80, 80])
        [0.990099, 0.249377, 0.208333, 1.0]
    """
    worths = [0.0] * len(scores)

    def take(values: Sequence[float], place: Callable[[int, float], int]) -> None:
        before = 0
        for index in sorted(range(len(values)), key=lambda one: -values[one]):
            if values[index] <= 0.0:
                break
            worths[index] = max(worths[index], round(1 / (1 + place(before, values[index]) / 100), 6))
            before += sizes[index]

    take(scores, lambda before, score: 1 + before + 2 * max(before - _EVEN, 0))
    take(weights, lambda before, weight: before + _LATER * (weight <= EDGE))
    return worths


def scatter(indices: Sequence[int], values: Sequence[bool], length: int) -> list[bool]:
    """Return so many flags, at some places the values given, elsewhere False."""
    flags = [False] * length
    for index, value in zip(indices, values, strict=True):
        flags[index] = value
    return flags
