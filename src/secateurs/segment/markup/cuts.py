"""The parts of a flow: sentences that hold their elements whole, tags that hold several sentences, what is hidden.

A cut between two sentences takes the place outside of most elements, behind closing tags and before opening ones.
Where it is still inside an element (`<b>One. Two.</b>`), the element's tags become parts of their own, if the element
begins and ends where sentences do or is long; else the cut is given up.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from secateurs.segment.markup.ends import Mode, starts
from secateurs.segment.markup.flow import WORD, Flow, Place
from secateurs.segment.markup.tree import Element
from secateurs.segment.units import LONGEST

Role = Literal["text", "open", "close", "hidden"]

WHOLE = 400  # characters; sentences that share an element stay together up to here


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a flow; parts tile it.

    Attributes:
        end: One past its last code point.
        role: Text, a tag of an element that holds several parts, or what nobody sees.
        element: Of that tag.
        sentence: Its number; texts with the same one are parts of one sentence.
    """

    end: int
    role: Role
    element: Element | None = None
    sentence: int = 0


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a text ends: at something else, or, if its role is text, at a sentence's end."""

    start: int
    end: int
    role: Role
    element: Element | None = None


def _order(mark: _Mark) -> tuple[int, int, int]:
    """Sort by place; of several elements that end at one without tags, the innermost is the first."""
    return mark.start, mark.end, -mark.element.first if mark.element is not None and mark.role == "close" else 0


def segments(flow: Flow, mode: Mode, language: str | None) -> list[Segment]:
    """Cut a flow into parts that tile it; `mode` and `language` as of `starts`."""
    if flow.leaves and not flow.around and not WORD.search(flow.plain):
        bounds = (*flow.leaves[1:], flow.end)
        return [Segment(end, "text", None, number) for number, end in enumerate(bounds)]
    places = [flow.place(start) for start in starts(flow, mode, language)]
    return _Cutter(
        flow, [place for place in places if flow.start < place.at < flow.end and not flow.glued(place.at)]
    ).segments()


class _Cutter:
    """Cuts one flow, given the places where it may be cut, ascending."""

    def __init__(self, flow: Flow, places: Sequence[Place]) -> None:
        self.flow = flow
        self.places = places
        self.up = flow.around
        self.cuts = [place.at for place in places]
        self.must: set[Element] = set()  # elements that hold something hidden
        for _, _, holder in flow.hidden:
            self._climb(holder, self.must)
        crossed = set(self.must)
        for place in places:
            self._climb(place.holder, crossed)
        self.crossed = sorted(crossed, key=lambda one: one.first)

    def _climb(self, one: Element | None, into: set[Element]) -> None:
        while one is not None and one not in into:
            into.add(one)
            one = self.up[one]

    def segments(self) -> list[Segment]:
        """Return the parts, in order."""
        split, whole = self._resolve()
        marks = [_Mark(one.start, one.inner, "open", one) for one in split]
        marks += [_Mark(one.close, one.end, "close", one) for one in split]
        marks += [_Mark(start, end, "hidden") for start, end, _ in self.flow.hidden]
        marks += [_Mark(at, at, "text") for at in self.cuts if not _within(whole, at)]
        return list(self._joined(self._parts(sorted(marks, key=_order))))

    def _resolve(self) -> tuple[list[Element], list[tuple[int, int]]]:
        """Decide on each element that is cut inside: its tags stand alone, or it stays whole.

        Returns:
            The first kind, and the spans in which the others lie and nothing is cut.
        """
        split: list[Element] = []
        whole: list[tuple[int, int]] = []
        floors: dict[Element | None, int] = {}  # up to where the inside of an element is decided
        for one in self.crossed:
            if whole and one.start < whole[-1][1] and one not in self.must:
                continue
            outer = self.up[one]
            floor = floors.get(outer, self.flow.start if outer is None else outer.inner)
            floor = max(floor, whole[-1][1] if whole else 0)
            left = bisect_right(self.cuts, one.start) - 1
            start = max(floor, self.cuts[left] if left >= 0 else 0)
            end = self._right(one)
            clean = not (self.flow.worded(start, one.start) or self.flow.worded(one.end, end))
            if one in self.must or clean or end - start > WHOLE:
                split.append(one)
                floors[outer] = one.end
            else:
                whole.append((start, end))
        return split, whole

    def _right(self, one: Element) -> int:
        """Return where the sentence ends that begins in an element: at the next cut that is not in a later one."""
        outer = self.up[one]
        stop = self.flow.end if outer is None else outer.close
        at = one.end
        while at - one.start <= WHOLE:
            index = bisect_left(self.cuts, at)
            if index == len(self.cuts) or self.cuts[index] >= stop:
                return stop
            at, holder = self.cuts[index], self.places[index].holder
            if at - one.start > WHOLE:
                break
            while holder is not None and self.up[holder] is not outer:
                holder = self.up[holder]
            if holder is None:
                return at
            at = holder.end
        return at

    def _parts(self, marks: Iterable[_Mark]) -> Iterator[Segment]:
        """Yield a segment for each mark, and those of the text between them."""
        sentence = 0
        at = self.flow.start
        for mark in marks:
            if at < mark.start:
                yield Segment(mark.start, "text", None, sentence)
            if mark.role == "text":
                sentence += 1
            else:
                yield Segment(mark.end, mark.role, mark.element, sentence)
            at = max(at, mark.end)
        if at < self.flow.end:
            yield Segment(self.flow.end, "text", None, sentence)

    def _joined(self, parts: Iterable[Segment]) -> Iterator[Segment]:
        """Yield the segments, texts without a word joined to what stands before them, else behind."""
        at = begun = self.flow.start
        last: Segment | None = None
        for part in parts:
            start, at = at, part.end
            if part.role == "text" and not self.flow.worded(start, at):
                alike = last is not None and (last.sentence == part.sentence or not self.flow.seen(start, at))
                if last is not None and alike and last.role != "hidden":
                    last = Segment(part.end, last.role, last.element, last.sentence)
                continue
            if part.role == "hidden" and last is not None and last.role == "hidden" and at - begun <= LONGEST:
                last = part
                continue
            if last is not None:
                yield last
                begun = last.end
            last = part
        if last is not None:
            yield Segment(self.flow.end, last.role, last.element, last.sentence) if last.end < self.flow.end else last
        elif self.flow.start < self.flow.end:
            yield Segment(self.flow.end, "hidden" if self.flow.blank else "text")


def _within(spans: Sequence[tuple[int, int]], at: int) -> bool:
    index = bisect_left(spans, (at, 0)) - 1
    return index >= 0 and spans[index][0] < at < spans[index][1]
