"""Kept units and their frames, put together: verbatim, in source order, well-formed where the document was.

Nothing is rewritten. Between two kept units with something cut between them stands the strongest white space of the
gap (paragraph break over line break over space); in JSON the comma of a unit goes that nothing follows any more.

No model is needed for it: a result carries its `Parts`, so that whoever shows it, or gets it from a service, can say
what the text of other units would be.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, Protocol, TypeVar

from secateurs.result.span import Span

_PREFIX = re.compile(r"[ \t]*(?:>[ \t]?)*[ \t]*")  # of a line: its indentation, and the marks of block quotes
_FIGURES = re.compile(r"0x[0-9a-fA-F]{1,40}|\d+")
_MANY = 3  # lines alike that are told as so many of one

_JSON = frozenset(("bracket", "member"))
_MARKUP = frozenset(("tag", "markup"))
_FREE = frozenset(("prose", "record", "heading"))
_TIGHT = _JSON | _MARKUP | {"row"}  # no elision mark beside these, nor an indentation of ours
_NEVER = -1.0  # below every threshold

Value = TypeVar("Value")


class Unit(Protocol):
    """What has to be known of a unit; `secateurs.segment.Unit` is one."""

    @property
    def start(self) -> int:
        """First code point."""

    @property
    def end(self) -> int:
        """One past the last, white space that belongs to it included."""

    @property
    def kind(self) -> str:
        """What it is."""

    @property
    def frame(self) -> tuple[int, ...]:
        """Indices of the units that stay when it does."""

    @property
    def comma(self) -> int | None:
        """Where a comma stands that goes when nothing of its container follows."""

    @property
    def until(self) -> int | None:
        """Index of the unit that closes that container."""

    @property
    def pure(self) -> bool:
        """Whether it is frame and nothing else."""


class Joint(NamedTuple):
    """What stands between two units that follow each other in a text.

    Attributes:
        stop: Where the first one ends, in code points of the document.
        between: What stands between them.
        start: Where the second one begins.
    """

    stop: int
    between: str
    start: int


class Slice(NamedTuple):
    """A part of a document, and where it stands in a text made of it.

    Attributes:
        start: First code point in the document.
        end: One past the last.
        at: First code point in the text.
    """

    start: int
    end: int
    at: int


@dataclass(frozen=True)
class Parts:
    """The units of one document, and how they are put together again.

    Attributes:
        original: The document.
        units: Its units; they tile it.
        elision: What stands where something was cut; None for nothing.
    """

    original: str
    units: tuple[Unit, ...]
    elision: str | None = None

    def closure(self, chosen: Iterable[int]) -> list[bool]:
        """Return which units stay when some are chosen: these, and all that they need.

        A rule between paragraphs, which nobody needs, stays where both its neighbours do; everything stays where
        every unit does that can be chosen.
        """
        waiting = list(chosen)
        stays = [False] * len(self.units)
        for index in waiting:
            stays[index] = True
        while waiting:
            for other in self.units[waiting.pop()].frame:
                if not stays[other]:
                    stays[other] = True
                    waiting.append(other)
        if any(stays) and all(stay or unit.pure for stay, unit in zip(stays, self.units, strict=True)):
            return [True] * len(self.units)
        return self._with_loose(stays) if self._loose else stays

    def text(self, stays: Sequence[bool]) -> str:
        """Return the text of the units that stay."""
        kept = [index for index, stay in enumerate(stays) if stay]
        if not kept or len(kept) == len(self.units):
            return self.original if kept else ""
        joints = self._joints(kept)
        pieces = (before.between + self.original[before.start : after.stop] for before, after in pairwise(joints))
        return "".join((*pieces, joints[-1].between))

    def slices(self, stays: Sequence[bool]) -> list[Slice]:
        """Return the parts of the document that the text of the units that stay is made of, in order."""
        kept = [index for index, stay in enumerate(stays) if stay]
        if not kept or len(kept) == len(self.units):
            return [Slice(0, len(self.original), 0)] if kept else []
        found: list[Slice] = []
        at = 0
        for before, after in pairwise(self._joints(kept)):
            at += len(before.between)
            start, end = before.start, max(before.start, after.stop)
            if found and not before.between and found[-1].end == start:
                found[-1] = found[-1]._replace(end=end)
            elif end > start:
                found.append(Slice(start, end, at))
            at += end - start
        return found

    def joint(self, before: int, index: int) -> Joint:
        """Return what stands between two units when all between them are cut.

        Args:
            before: The first; -1 for the beginning of the text.
            index: The second, behind it; the number of units for the end of the text.
        """
        lead = self._lead(before, index)
        start = len(self.original)
        if index < len(self.units):
            start = self._start(index, in_line=bool(lead) and "\n" not in lead)
        if before < 0:
            return Joint(0, lead, start)
        unit = self.units[before]
        end = unit.end if index == before + 1 else self._body_end(before)
        if unit.comma is None or unit.until is None or index < unit.until:
            return Joint(end, lead, start)
        return Joint(self._before_comma(before), self.original[unit.comma + 1 : end] + lead, start)

    def core(self, index: int) -> Span:
        """Return what of a unit stands in every text it is kept in: no joint takes more away."""
        unit = self.units[index]
        end = min(unit.end, self._body_end(index))
        if unit.comma is not None:
            end = min(end, self._before_comma(index))
        return Span(self._start(index, in_line=True), end)

    def levels(self, scores: Sequence[float]) -> list[float]:
        """Return for each unit the highest threshold at which it stays, for its own sake or as frame.

        At every threshold `closure` keeps those whose level reaches it, when the units are chosen whose score does.

        Args:
            scores: One a unit; those of units that cannot be chosen do not count.

        Shape:
            scores and result: (units,).
        """
        levels = [_NEVER] * len(self.units)
        for index in sorted(self.choices, key=lambda one: -scores[one]):
            waiting = [index] if levels[index] == _NEVER else []
            while waiting:
                one = waiting.pop()
                levels[one] = scores[index]
                waiting += (other for other in self.units[one].frame if levels[other] == _NEVER)
        least = min((levels[index] for index in self.choices), default=_NEVER)  # up to it everything stays
        before = self._neighbours(range(len(self.units)), levels, _NEVER)
        after = self._neighbours(range(len(self.units) - 1, -1, -1), levels, _NEVER)
        for index in self._loose:
            levels[index] = min(before[index], after[index])
        return [max(level, least) for level in levels]

    @cached_property
    def choices(self) -> list[int]:
        """Indices of the units that a policy may choose: those that are not pure frame; all, if there is no other."""
        indices = range(len(self.units))
        return [index for index in indices if not self.units[index].pure] or list(indices)

    @cached_property
    def _loose(self) -> list[int]:
        """Marks that no unit needs: rules between paragraphs."""
        needed = {other for unit in self.units for other in unit.frame}
        return [index for index, unit in enumerate(self.units) if unit.kind == "mark" and index not in needed]

    @cached_property
    def _closers(self) -> frozenset[int]:
        """Closing brackets, tags and fence marks: what pure frame before them needs."""
        units = enumerate(self.units)
        return frozenset(other for index, unit in units if unit.pure for other in unit.frame if other > index)

    def _with_loose(self, stays: list[bool]) -> list[bool]:
        before = self._neighbours(range(len(self.units)), stays, False)
        after = self._neighbours(range(len(self.units) - 1, -1, -1), stays, False)
        for index in self._loose:
            stays[index] = before[index] and after[index]
        return stays

    def _neighbours(self, order: Iterable[int], values: Sequence[Value], none: Value) -> list[Value]:
        """Return for each unit the value of the last one before it in this order that is no pure frame."""
        found = [none] * len(self.units)
        last = none
        for index in order:
            found[index] = last
            if not self.units[index].pure:
                last = values[index]
        return found

    def _joints(self, kept: Sequence[int]) -> list[Joint]:
        """Return what stands before, between and behind units that stay, one more than there are of them."""
        return [self.joint(before, index) for before, index in pairwise((-1, *kept, len(self.units)))]

    def _before_comma(self, index: int) -> int:
        """Return where a unit ends when nothing follows its comma any more."""
        unit = self.units[index]
        return unit.start + len(self.original[unit.start : unit.comma].rstrip())

    def _start(self, index: int, *, in_line: bool) -> int:
        """Return where a unit begins: in mid-line, behind a marker, without its indentation."""
        unit = self.units[index]
        if not in_line or not self._begins_line(index) or unit.kind in _TIGHT:
            return unit.start
        found = _PREFIX.match(self.original, unit.start, unit.end)
        return unit.start if found is None else found.end()

    def _body_end(self, index: int) -> int:
        """Return where the white space at a unit's end begins; the empty lines of a block quote belong to it."""
        text, start, at = self.original, self.units[index].start, self.units[index].end
        row = self.units[index].kind == "row"  # whose last cell may be empty behind its tab
        while True:
            while at > start and text[at - 1].isspace() and not (row and text[at - 1] == "\t"):
                at -= 1
            line = text.rfind("\n", start, at) + 1
            if line <= start or line == at or not set(text[line:at]) <= set("> \t"):
                return at
            at = line

    @cached_property
    def _trails(self) -> list[str]:
        """The white space at each unit's end."""
        return [self.original[self._body_end(index) : unit.end] for index, unit in enumerate(self.units)]

    @cached_property
    def _strong(self) -> list[list[int]]:
        """Indices of the units with a paragraph break at their end, with a line break, with any white space."""
        breaks = [trail.count("\n") if trail else -1 for trail in self._trails]
        return [
            [index for index, many in enumerate(breaks) if many > 1],
            [index for index, many in enumerate(breaks) if many == 1],
            [index for index, many in enumerate(breaks) if many == 0],
        ]

    def _lead(self, before: int, index: int) -> str:
        """Return what stands before a kept unit: nothing behind its neighbour, else the gap's white space.

        Args:
            before: The kept unit before it; -1 for none.
            index: The unit; the number of units for the end.
        """
        if index == before + 1:
            return ""
        if before < 0:
            return self._beginning(index)
        if index == len(self.units):
            return self._end(before)
        space = self._space(before, index)
        mark = self._mark(before, index, space)
        if not mark:
            return space + self._prefix(index, space)
        if "\n" not in space or not self._may_stand_alone(before, index):
            return ("" if space == "" else " ") + mark + space + self._prefix(index, space)
        return space + mark + space + self._prefix(index, space)

    def _space(self, before: int, index: int) -> str:
        """Return the white space for the gap between two kept units."""
        if before in self.units[index].frame:
            return self._trails[before]  # behind an opening bracket or tag, a marker, the rule of a table
        if index in self._closers:
            return self._trails[index - 1]
        if self.units[before].kind in _JSON and self.units[index].kind in _JSON:
            return self._trails[before]
        return self._strongest(before, index)

    def _strongest(self, before: int, index: int) -> str:
        """Return the strongest white space between units, the first where several are as strong."""
        for places in self._strong:
            found = _first(places, max(before, 0), index)
            if found is not None:
                return self._trails[found]
        return ""

    def _begins_line(self, index: int) -> bool:
        start = self.units[index].start
        return start == 0 or self.original[start - 1] == "\n"

    def _prefix(self, index: int, space: str) -> str:
        """Return the beginning of the line that a unit stands in the middle of, for where it begins a line now."""
        if "\n" not in space or self.units[index].kind in _TIGHT or self._begins_line(index):
            return ""
        return self._line_prefix(index)

    def _beginning(self, index: int) -> str:
        """Return what stands before the first kept unit, something before it being cut."""
        prefix = self._prefix(index, "\n")
        if ">" in prefix:
            return prefix  # the middle of a block quote is still one
        space = self._strongest(0, index)
        mark = self._mark(None, index, space)
        if not mark or (self.units[index].kind not in _FREE and space.count("\n") < 2):
            return ""  # a list or a table may not begin behind a line of text
        return mark + (space or " ") + self._prefix(index, space)

    def _end(self, index: int) -> str:
        """Return what stands behind the last kept unit, something behind it being cut."""
        mark = self._mark(index, None, "")
        if not mark:
            return ""
        space = self._strongest(index, len(self.units) - 1)  # that of the document's end is between nothing
        return (space if "\n" in space and self._may_stand_alone(index, None) else " ") + mark

    def _mark(self, before: int | None, index: int | None, space: str) -> str:
        """Return the elision mark, if one may stand there: never inside JSON, a table, markup or a code fence."""
        if not self.elision or not self._loses(before, index):
            return ""
        kinds = [self.units[one].kind for one in (before, index) if one is not None]
        if any(kind in _TIGHT for kind in kinds):
            return ""
        inside = index is not None and before is not None and before in self.units[index].frame
        fenced = inside and self.units[before or 0].kind == "mark" and "\n" in space
        coded = len(kinds) == 2 and "code" in kinds and kinds[0] in ("code", "mark") and kinds[1] in ("code", "mark")
        return "" if fenced or coded else self._times(before, index) or self.elision

    def _times(self, before: int | None, index: int | None) -> str | None:
        """Return `× 214` where what was cut behind a kept line are so many more like it, figures aside."""
        if before is None or self.units[before].kind != "record":
            return None
        end = len(self.units) if index is None else index
        looks = self._looks[before]
        if end - before < _MANY or any(self._looks[one] != looks for one in range(before + 1, end)):
            return None
        return f"× {end - before}"

    @cached_property
    def _looks(self) -> list[str]:
        """What each unit looks like, figures aside."""
        return [_FIGURES.sub("#", self.original[unit.start : unit.end]).strip() for unit in self.units]

    def _loses(self, before: int | None, index: int | None) -> bool:
        """Return whether more than pure frame was cut between two kept units."""
        start, end = 0 if before is None else before + 1, len(self.units) if index is None else index
        found = _first(self.choices, start, end)
        return found is not None and not self.units[found].pure

    def _may_stand_alone(self, before: int, index: int | None) -> bool:
        """Return whether the elision mark may be a line of its own: not in a list or a quote, which it would end."""
        if self.units[before].kind == "heading":
            return True
        around = [self.units[before]] + ([self.units[index]] if index is not None else [])
        if any(unit.kind in ("item", "mark") for unit in around):
            return False
        return ">" not in self._line_prefix(before)

    def _line_prefix(self, index: int) -> str:
        """Return the indentation and quote marks of the line that a unit begins on."""
        found = _PREFIX.match(self.original, self._line_starts[index])
        return found[0] if found else ""

    @cached_property
    def _line_starts(self) -> list[int]:
        """Where the line begins that each unit begins on; looked for once, as a line may have a million units."""
        starts = []
        line = at = 0
        for unit in self.units:
            line = max(line, self.original.rfind("\n", at, unit.start) + 1)
            starts.append(line)
            at = unit.start
        return starts


def _first(indices: Sequence[int], start: int, end: int) -> int | None:
    """Return the first of sorted indices in a range; None if there is none."""
    at = bisect_left(indices, start)
    return indices[at] if at < len(indices) and indices[at] < end else None
