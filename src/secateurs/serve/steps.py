"""What a document becomes at every threshold, for a page that moves the threshold without asking again.

What a threshold keeps changes only at the scores, so a document of n units has at most n texts. Each is described by
the level of every unit, which says up to which threshold it stays, and by what stands between those that follow each
other in some text: so the page can show and copy the very text that the compressor would give.

Counting each text from its start would cost n documents; here a unit that goes costs about three units. A text may be
counted in parts only where the encoding itself always starts a new piece, whatever stands around it (a *seam*). All
tiktoken encodings split a text by a regular expression before they merge bytes, and none of those has a piece that
goes on from a character that is no white space to a space, or from a letter or digit to a line break or one of the
marks below; nor does a piece that ends there depend on what follows. So

    count(text) = the sum over its units of what lies between their first and their last seam
                + the sum over neighbours of what lies between the last seam of one and the first of the other
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from secateurs.result.compression import Compression
from secateurs.result.join import Joint, Parts
from secateurs.segment.units import Unit
from secateurs.serve.effort import Effort

# Characters that every version of Unicode calls letters or digits, and marks that none calls either, or an accent.
_SEAM = re.compile(r"(?<=\S)(?= )|(?<=[A-Za-z0-9\u4e00-\u9fff])(?=[\t\r\n.,;:!?。，；：！？、])")

# Units without a seam (a run of symbols, say) are counted again and again with their neighbours. Beyond this many
# times the document's length the counts that are left are not made.
_MOST_EFFORT = 40
_FREE_CHARACTERS = 200_000


class Step(NamedTuple):
    """What a document costs from the level below up to this one.

    Attributes:
        threshold: The highest threshold with this count: the lowest level that is kept.
        after: LLM tokens of what is sent at this threshold.
    """

    threshold: float
    after: int


class Gap(NamedTuple):
    """What stands between two units that follow each other at some threshold, where they do not simply go on.

    Attributes:
        before: Index of the first; -1 for the beginning of the text.
        after: Index of the second; the number of units for the end.
        cut: Characters that fall away at the end of the first.
        between: What stands there.
        skipped: Characters that fall away at the beginning of the second.
    """

    before: int
    after: int
    cut: int
    between: str
    skipped: int


@dataclass(frozen=True)
class Thresholds:
    """What a document becomes at every threshold.

    Attributes:
        steps: Its LLM tokens, one step a distinct level, ascending; above the last nothing is kept. The highest
            thresholds may be missing where counting them would cost too much.
        kept_up_to: For each unit its level: the highest threshold at which it is kept, as frame or for its own sake.
        pure_frame: Indices of the units that are frame and nothing else, and so never kept for their own sake.
        gaps: What stands between units, wherever it is not what stands there in the document.
    """

    steps: list[Step]
    kept_up_to: list[float]
    pure_frame: list[int]
    gaps: list[Gap]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types, for the answer of the service."""
        steps, gaps = [list(step) for step in self.steps], [list(gap) for gap in self.gaps]
        return {"steps": steps, "kept_up_to": self.kept_up_to, "pure_frame": self.pure_frame, "gaps": gaps}


def at_every_threshold(
    compression: Compression, count: Callable[[str], int], effort: Effort | None = None
) -> Thresholds:
    """Return what a document becomes at every threshold.

    Args:
        compression: A result; its units, their scores and its count before decide, not what it kept.
        count: Counts the LLM tokens of a text, in the encoding of the result's savings.
        effort: Of the answer this is for, at whose expense is counted; None for what the document's length allows.

    Returns:
        All empty where no threshold matters: blank documents and those that failed. Where cutting would save no token
        the document stays whole, so no count exceeds the one before.

    Example:
        >>> from secateurs import Savings, Sentence
        >>> sentences = (Sentence(0, 5, "One. ", 0.9, True), Sentence(5, 9, "Two.", 0.2, False))
        >>> found = at_every_threshold(Compression("One.", "One. Two.", sentences, Savings(9, 4), "compressed"), len)
        >>> found.steps
        [Step(threshold=0.2, after=9), Step(threshold=0.9, after=4)]
        >>> found.gaps
        [Gap(before=0, after=2, cut=1, between='', skipped=0)]
    """
    if compression.status == "error" or compression.reason == "blank":
        return Thresholds([], [], [], [])
    parts = parts_of(compression)
    levels = parts.levels([sentence.score for sentence in compression.sentences])
    chain = _Chain(parts)
    counts = None if effort is not None and effort.left <= 0 else _Counts(chain, count, effort)
    before = compression.savings.before
    steps: list[Step] = []
    gone: list[int] = []
    for level, units in _by_level(levels):
        left = chain.remove(gone)
        if counts is not None and not counts.too_many:
            counts.update(gone, left)
        if counts is not None and not counts.too_many:
            steps.append(Step(level, min(counts.total, before) if steps else before))
        gone = units
    pure = [index for index, unit in enumerate(parts.units) if unit.pure]
    return Thresholds(steps, levels, pure, chain.gaps())


def parts_of(compression: Compression) -> Parts:
    """Return a result's units; where nobody carried them along, those that its sentences are, without frames."""
    units = (Unit(sentence.start, sentence.end) for sentence in compression.sentences)
    return compression.parts or Parts(compression.original, tuple(units))


def _by_level(levels: Sequence[float]) -> Iterator[tuple[float, list[int]]]:
    """Yield each distinct level, ascending, with the units that go above it, in order."""
    order = sorted(range(len(levels)), key=lambda index: levels[index])
    for level, units in groupby(order, key=lambda index: levels[index]):
        yield level, list(units)


class _Chain:
    """The units that are left, each knowing its neighbours; -1 is the beginning of the text, their number its end."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.end = len(parts.units)
        self.after = [*range(1, self.end + 1), -1, 0]  # the last entry is that of -1
        self.before = [*range(-1, self.end), -1]
        self._joints: dict[tuple[int, int], Joint] = {}

    def remove(self, units: Sequence[int]) -> list[int]:
        """Take units out, ascending, and return the units that are left before them, ascending."""
        for index in units:
            before, after = self.before[index], self.after[index]
            self.after[before], self.before[after] = after, before
        left = list(dict.fromkeys(self.before[index] for index in units))
        for before in left:
            self.joint(before)
        return left

    def joint(self, before: int) -> Joint:
        """Return what stands between a unit and the next one."""
        pair = before, self.after[before]
        if pair not in self._joints:
            self._joints[pair] = self.parts.joint(*pair)
        return self._joints[pair]

    def gaps(self) -> list[Gap]:
        """Return what stood between any two of them, where it is not what stands there in the document."""
        ends = [0, *(unit.end for unit in self.parts.units)]  # where each begins, and its neighbour before it ends
        found = []
        for (before, after), joint in self._joints.items():
            gap = Gap(before, after, ends[before + 1] - joint.stop, joint.between, joint.start - ends[after])
            if after > before + 1 or any((gap.cut, gap.between, gap.skipped)):
                found.append(gap)
        return found


class _Counts:
    """The LLM tokens of what is left in a chain; a change costs what is counted anew between two seams.

    Attributes:
        total: LLM tokens.
        read: Characters counted so far.
    """

    def __init__(self, chain: _Chain, count: Callable[[str], int], effort: Effort | None) -> None:
        self._chain, self._effort = chain, effort
        self._count = count if effort is None else effort.counting(count)
        self._most = _FREE_CHARACTERS + _MOST_EFFORT * len(chain.parts.original)
        self.read = 0
        # first and last seam of each unit; at the ends of the text, its own ends; none for one that has none
        self._seams: list[tuple[int, int] | None] = [*map(self._seams_of, range(chain.end))]
        self._seams += [(len(chain.parts.original),) * 2, (0, 0)]
        self._inside = [0 if seams is None else self._measure(*seams) for seams in self._seams]
        self._gaps: dict[int, int] = {}
        self.total = sum(self._inside)
        self._recount(index for index in (-1, *range(chain.end)) if self._seams[index] is not None)

    @property
    def too_many(self) -> bool:
        """Whether no more may be counted."""
        return self.read > self._most or (self._effort is not None and self._effort.left <= 0)

    def update(self, removed: Iterable[int], left: Iterable[int]) -> None:
        """Count anew what changed when units were taken out.

        Args:
            removed: These units.
            left: The units that are left before them, ascending.
        """
        for index in removed:
            self.total -= self._inside[index] + self._gaps.pop(index, 0)
        self._recount(self._anchors(left))

    def _recount(self, anchors: Iterable[int]) -> None:
        for index in anchors:
            gap = self._gap(index)
            self.total += gap - self._gaps.get(index, 0)
            self._gaps[index] = gap

    def _anchors(self, left: Iterable[int]) -> Iterator[int]:
        """Yield the last units with a seam up to some of them, each once; no unit is looked at twice."""
        seen = -2
        for index in left:
            at = index
            while at > seen and self._seams[at] is None:
                at = self._chain.before[at]
            if at > seen:
                yield at
            seen = index

    def _gap(self, left: int) -> int:
        """Count from the last seam of a unit to the next seam."""
        chain, original = self._chain, self._chain.parts.original
        pieces = []
        seams, index = self._seams[left], left
        start = seams[1] if seams is not None else 0
        while True:
            joint, index = chain.joint(index), chain.after[index]
            pieces += [original[start : joint.stop], joint.between]
            start, seams = joint.start, self._seams[index]
            if seams is not None:
                pieces.append(original[start : seams[0]])
                return self._tokens("".join(pieces))

    def _seams_of(self, index: int) -> tuple[int, int] | None:
        """Return the first and the last seam in what of a unit no joint takes away."""
        parts = self._chain.parts
        start, stop = parts.core(index)
        found = [start + match.start() for match in _SEAM.finditer(parts.original[start:stop])]
        return (found[0], found[-1]) if found else None

    def _measure(self, start: int, end: int) -> int:
        return self._tokens(self._chain.parts.original[start:end])

    def _tokens(self, text: str) -> int:
        self.read += len(text)
        return self._count(text) if text else 0
