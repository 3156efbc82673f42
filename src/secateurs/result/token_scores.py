"""The token scores of one document, and the spans they highlight: finer than sentences; numpy, no torch.

Where each token stands is found out when somebody asks: following offsets through the tokenizer would cost every
compression about half as much again as its tokenizing, and few look. Until then a token costs 4 bytes.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from secateurs.result.span import Highlight

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Offsets:
    """Where encoder tokens stand.

    Attributes:
        starts: First code point of each token.
        ends: One past its last; some tokens have no character of their own.

    Shape:
        starts, ends: (tokens,).
    """

    starts: NDArray[np.int32]
    ends: NDArray[np.int32]


class OffsetSource(Protocol):
    """Tells where the tokens of a document stand in it, when it is asked."""

    def __call__(self, original: str, ends: Ints, lengths: Ints) -> Offsets:
        """Return the place of each token in `original`; `ends` and `lengths` are those of its sentences."""


class KnownOffsets:
    """An offset source that has been asked: it needs no tokenizer, so it is what a pickle holds."""

    def __init__(self, offsets: Offsets) -> None:
        self._offsets = offsets

    def __call__(self, original: str, ends: Ints, lengths: Ints) -> Offsets:
        """Return what is known."""
        return self._offsets


def probability(log_odds: NDArray[np.floating]) -> NDArray[np.float64]:
    """Turn log-odds into probabilities, without overflow.

    Shape:
        Any, and the same back.

    Example:
        >>> probability(np.array([-1000.0, 0.0, 1000.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    small = np.exp(-np.abs(log_odds.astype(np.float64)))
    return np.where(log_odds >= 0, 1.0, small) / (1.0 + small)


class TokenScores:
    """The token scores of one document; immutable.

    Args:
        original: The document.
        ends: One past the last code point of each sentence; the sentences tile the document.
        lengths: Encoder tokens of each sentence; may be 0.
        log_odds: Log-odds of each token to be relevant, sentence after sentence.
        locate: Tells where the tokens stand; asked once, if at all.

    Shape:
        ends and lengths: (sentences,), log_odds: (tokens,).
    """

    def __init__(self, original: str, ends: Ints, lengths: Ints, log_odds: Floats, locate: OffsetSource) -> None:
        self._original = original
        self._ends = ends
        self._lengths = lengths
        self._log_odds = log_odds
        self._locate = locate

    @cached_property
    def offsets(self) -> Offsets:
        """Where each token stands in the document."""
        if not len(self._log_odds):
            return Offsets(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32))
        return self._locate(self._original, self._ends, self._lengths)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """What each token scores, a probability; (tokens,)."""
        return probability(self._log_odds)

    def highlights(self, min_score: float) -> tuple[Highlight, ...]:
        """Return the parts of sentences whose tokens score at least `min_score`.

        Args:
            min_score: A probability.

        Returns:
            Disjoint spans in source order. Each lies in one sentence, is made of whole words and holds one at least,
            begins and ends without white space, and scores the mean of its tokens that reach `min_score`.
        """
        scores = self.probabilities
        chosen = np.flatnonzero(scores >= min_score)
        if not len(chosen):
            return ()
        owners = np.repeat(np.arange(len(self._lengths)), self._lengths)[chosen]
        begins = np.flatnonzero(_first_of_run(chosen, owners))
        spans = _Spans(
            np.minimum.reduceat(self.offsets.starts[chosen], begins),
            np.maximum.reduceat(self.offsets.ends[chosen], begins),
            owners[begins],
            np.add.reduceat(scores[chosen], begins),
            np.diff(begins, append=len(chosen)),
        )
        spans = spans.within_words(self._original, self._ends).merged()
        means = np.clip(spans.totals / spans.tokens, min_score, 1.0)  # a mean of equal numbers may round below them
        return tuple(
            Highlight(start, end, self._original[start:end], score)
            for start, end, score in zip(spans.starts.tolist(), spans.ends.tolist(), means.tolist(), strict=True)
        )

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self._log_odds)

    def __repr__(self) -> str:
        return f"TokenScores({len(self):,} tokens)"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle where the tokens stand, never the tokenizer."""
        return type(self), (self._original, self._ends, self._lengths, self._log_odds, KnownOffsets(self.offsets))


@dataclass(frozen=True)
class _Spans:
    """Spans of one document.

    Attributes:
        starts: First code point of each.
        ends: One past its last.
        sentences: The sentence it lies in.
        totals: Sum of its tokens' scores.
        tokens: Number of its tokens.

    Shape:
        All: (spans,).
    """

    starts: NDArray[np.integer]
    ends: NDArray[np.integer]
    sentences: NDArray[np.integer]
    totals: NDArray[np.float64]
    tokens: NDArray[np.integer]

    def within_words(self, original: str, ends: Ints) -> _Spans:
        """Cut off the white space around each span, and let it grow to whole words; drop what holds no word."""
        kinds = _kinds(original)
        words = np.append(0, np.cumsum(np.isin(kinds, (_LETTER, _DIGIT, _CHARACTER))))
        solid = np.append(np.flatnonzero(kinds != _SPACE), len(original))
        starts = solid[np.searchsorted(solid, self.starts)]
        stops = np.searchsorted(solid, self.ends)
        lasts = np.where(stops > 0, solid[stops - 1] + 1, 0)
        alone = ~_continues(kinds)
        alone[np.concatenate(([0], ends[:-1]))] = True  # no word goes on into the next sentence
        borders = np.append(np.flatnonzero(alone), len(original))
        starts = borders[np.searchsorted(borders, starts, side="right") - 1]
        lasts = borders[np.searchsorted(borders, lasts)]
        left = (lasts > starts) & (words[lasts] > words[starts])
        return _Spans(starts[left], lasts[left], self.sentences[left], self.totals[left], self.tokens[left])

    def merged(self) -> _Spans:
        """Join spans that overlap, and those of one sentence that touch: two runs may hold pieces of one word."""
        if not len(self.starts):
            return self
        order = np.lexsort((self.ends, self.starts))
        starts, ends, sentences = self.starts[order], self.ends[order], self.sentences[order]
        reach = np.maximum.accumulate(ends)[:-1]
        touching = (starts[1:] == reach) & (sentences[1:] == sentences[:-1])
        firsts = np.concatenate(([0], np.flatnonzero(~((starts[1:] < reach) | touching)) + 1))
        return _Spans(
            starts[firsts],
            np.maximum.reduceat(ends, firsts),
            sentences[firsts],
            np.add.reduceat(self.totals[order], firsts),
            np.add.reduceat(self.tokens[order], firsts),
        )


def _first_of_run(chosen: NDArray[np.intp], owners: NDArray[np.intp]) -> Flags:
    """Tell which of the chosen tokens do not follow on another one of the same sentence."""
    first = np.ones(len(chosen), dtype=np.bool_)
    first[1:] = (np.diff(chosen) > 1) | (np.diff(owners) > 0)
    return first


_OTHER, _SPACE, _LETTER, _DIGIT, _CHARACTER, _MARK, _JOINER, _APOSTROPHE, _POINT = range(9)
_JOINS = "\u200d"  # zero width joiner: two emoji become one
# Scripts written without spaces: there a character stands for itself, and words are the tokenizer's
_DENSE = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)
)  # fmt: skip


def _kinds(text: str) -> NDArray[np.uint8]:
    """Tell what each character of a text is; asks once for each that occurs in it.

    Shape:
        (characters,).
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    seen = np.zeros(int(codes.max(initial=0)) + 1, dtype=np.bool_)
    seen[codes] = True
    table = np.zeros(len(seen), dtype=np.uint8)
    found = np.flatnonzero(seen)
    table[found] = [_kind(chr(code)) for code in found.tolist()]
    kinds: NDArray[np.uint8] = table[codes]
    return kinds


def _kind(char: str) -> int:
    if char.isspace():
        return _SPACE
    if char in "'’":
        return _APOSTROPHE
    if char in ".,":
        return _POINT
    if char == _JOINS:
        return _JOINER
    category = unicodedata.category(char)[0]
    if category == "M" or char == "_":  # goes on with a word, and is none
        return _MARK
    if category == "N":
        return _DIGIT
    if category != "L":
        return _OTHER
    return _CHARACTER if any(first <= ord(char) <= last for first, last in _DENSE) else _LETTER


def _continues(kinds: NDArray[np.uint8]) -> Flags:
    """Tell of each character whether it goes on with what the one before it began: a word, a number, a sign.

    Shape:
        (characters,) to (characters,).
    """
    joined = np.zeros(len(kinds), dtype=np.bool_)
    before, here = kinds[:-1], kinds[1:]
    word = (kinds == _LETTER) | (kinds == _DIGIT) | (kinds == _MARK)
    attached = ((here == _MARK) | (here == _JOINER)) & (before != _SPACE)
    joined[1:] = (word[:-1] & word[1:]) | attached | (before == _JOINER)
    # don't, 1,000 and 3.14 are one word each
    for inner, outer in ((_APOSTROPHE, _LETTER), (_POINT, _DIGIT)):
        between = (kinds[1:-1] == inner) & (kinds[:-2] == outer) & (kinds[2:] == outer)
        joined[1:-1] |= between
        joined[2:] |= between
    joined[1:] &= here != _SPACE
    return joined
