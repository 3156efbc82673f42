"""The exact LLM-token count at every threshold, for a page that moves the threshold without asking again.

What a threshold keeps changes only at the scores, so a document of n sentences has at most n counts. Counting each
kept text from its start would cost n documents; here a sentence that goes costs about three sentences.

A text may be counted in parts only where the encoding itself always starts a new piece, whatever stands around it
(a *seam*). All tiktoken encodings split a text by a regular expression before they merge bytes, and none of those
has a piece that goes on from a character that is no white space to a space, or from a letter or digit to a line
break or one of the marks below; nor does a piece that ends there depend on what follows. So

    count(kept text) = the sum over kept sentences of what lies between their first and their last seam
                     + the sum over neighbours of what lies between the last seam of one and the first of the other
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from secateurs.result.compression import Compression

# Characters that every version of Unicode calls letters or digits, and marks that none calls either, or an accent.
_SEAM = re.compile(r"(?<=\S)(?= )|(?<=[A-Za-z0-9\u4e00-\u9fff])(?=[\t\r\n.,;:!?。，；：！？、])")

# Sentences without a seam (a run of symbols, say) are counted again and again with their neighbours. Beyond this many
# times the document's length the counts that are left are not made.
_MOST_EFFORT = 40
_FREE_CHARACTERS = 200_000


class Step(NamedTuple):
    """What a document costs from the score below up to this one.

    Attributes:
        threshold: The highest threshold with this count: the lowest score that is kept.
        after: LLM tokens of what is sent at this threshold.
    """

    threshold: float
    after: int


def after_by_threshold(compression: Compression, count: Callable[[str], int]) -> list[Step]:
    """Return the LLM tokens of a document at every threshold.

    Args:
        compression: A result; its scores and its count before decide, not what it kept.
        count: Counts the LLM tokens of a text, in the encoding of the result's savings.

    Returns:
        One step a distinct score, ascending; above the last nothing is kept. Where cutting would save no token the
        document stays whole, so no count exceeds the one before. Empty where no threshold matters: blank documents
        and those that failed. The highest thresholds may be missing where counting them would cost too much.

    Example:
        >>> from secateurs import Savings, Sentence
        >>> sentences = (Sentence(0, 5, "One. ", 0.9, True), Sentence(5, 9, "Two.", 0.2, False))
        >>> result = Compression("One. ", "One. Two.", sentences, Savings(9, 5), "compressed")
        >>> after_by_threshold(result, len)
        [Step(threshold=0.2, after=9), Step(threshold=0.9, after=5)]
    """
    if compression.status == "error" or compression.reason == "blank":
        return []
    sentences = compression.sentences
    chain = _Chain([sentence.text for sentence in sentences], count)
    effort = _FREE_CHARACTERS + _MOST_EFFORT * len(compression.original)
    steps: list[Step] = []
    below: float | None = None
    for index in sorted(range(len(sentences)), key=lambda i: sentences[i].score):
        score = sentences[index].score
        if score != below:
            if chain.read > effort:
                break
            steps.append(Step(score, min(chain.total, compression.savings.before)))
            below = score
        chain.remove(index)
    return steps


@dataclass(frozen=True)
class _Part:
    """A sentence, cut at its first and its last seam; one without a seam is all head."""

    head: str
    tail: str
    inside: int
    seamless: bool


class _Chain:
    """The sentences that are left, and the count of their text; the work of taking one out is its neighbourhood's."""

    def __init__(self, texts: Sequence[str], count: Callable[[str], int]) -> None:
        self._count = count
        self.read = 0  # characters counted so far
        # a seam before the first sentence and one after the last: the text's own ends
        ends = _Part("", "", 0, seamless=False)
        self._parts = [ends, *(self._part(text) for text in texts), ends]
        self._after = [index + 1 for index in range(len(self._parts))]
        self._before = [index - 1 for index in range(len(self._parts))]
        self.total = sum(part.inside for part in self._parts)
        at = 0
        while at < len(self._parts) - 1:
            gap, at = self._gap(at)
            self.total += gap

    def remove(self, index: int) -> None:
        """Take a sentence out, by its place among all sentences."""
        place = index + 1
        left = self._before[place]
        while self._parts[left].seamless:
            left = self._before[left]
        gap, right = self._gap(left)
        self.total -= gap
        if not self._parts[place].seamless:
            gap, _ = self._gap(right)
            self.total -= gap + self._parts[place].inside
        before, after = self._before[place], self._after[place]
        self._after[before], self._before[after] = after, before
        gap, _ = self._gap(left)
        self.total += gap

    def _gap(self, left: int) -> tuple[int, int]:
        """Count from the last seam of a part to the next seam, and say in which part that is."""
        pieces = [self._parts[left].tail]
        right = self._after[left]
        while self._parts[right].seamless:
            pieces.append(self._parts[right].head)
            right = self._after[right]
        pieces.append(self._parts[right].head)
        return self._measure("".join(pieces)), right

    def _part(self, text: str) -> _Part:
        seams = [match.start() for match in _SEAM.finditer(text)]
        if not seams:
            return _Part(text, "", 0, seamless=True)
        first, last = seams[0], seams[-1]
        return _Part(text[:first], text[last:], self._measure(text[first:last]), seamless=False)

    def _measure(self, text: str) -> int:
        self.read += len(text)
        return self._count(text) if text else 0
