"""Kept units and their frames, put together: verbatim, in source order, well-formed where the document was.

Nothing is rewritten. Between two kept units with something cut between them stands the strongest white space of the
gap (paragraph break over line break over space); in JSON the comma of a unit goes that nothing follows any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from secateurs.segment.units import Kind, Unit

_PREFIX = re.compile(r"[ \t]*(?:>[ \t]?)*[ \t]*")  # of a line: its indentation, and the marks of block quotes
_JSON: frozenset[Kind] = frozenset(("bracket", "member"))
_MARKUP: frozenset[Kind] = frozenset(("tag", "markup"))
_FREE: frozenset[Kind] = frozenset(("prose", "record", "heading"))
_TIGHT: frozenset[Kind] = _JSON | _MARKUP | {"row"}  # no elision mark beside these, nor an indentation of ours


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
        pieces = []
        before = -1
        for index, following in zip(kept, [*kept[1:], len(self.units)], strict=True):
            lead = self._lead(before, index)
            pieces += [lead, self._body(index, following, in_line=bool(lead) and "\n" not in lead)]
            before = index
        if kept and kept[-1] < len(self.units) - 1:
            pieces.append(self._end(kept[-1]))
        return "".join(pieces)

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
        before = self._neighbours(range(len(self.units)), stays)
        after = self._neighbours(range(len(self.units) - 1, -1, -1), stays)
        for index in self._loose:
            stays[index] = before[index] and after[index]
        return stays

    def _neighbours(self, order: Iterable[int], stays: Sequence[bool]) -> list[bool]:
        """Return for each unit whether the last one before it in this order that is no pure frame stays."""
        found = [False] * len(self.units)
        stay = False
        for index in order:
            found[index] = stay
            if not self.units[index].pure:
                stay = stays[index]
        return found

    def _body(self, index: int, following: int, *, in_line: bool) -> str:
        """Return a unit's text; without the white space at its end where the next unit was cut."""
        unit, text = self.units[index], self.original
        start = unit.start
        if in_line and self._begins_line(index) and unit.kind not in _TIGHT:
            found = _PREFIX.match(text, start, unit.end)  # no indentation in mid-line, behind a marker
            start = start if found is None else found.end()
        end = unit.end if following == index + 1 else self._body_end(index)
        if unit.comma is None or unit.until is None or following < unit.until:
            return text[start:end]
        return text[start : unit.comma].rstrip() + text[unit.comma + 1 : end]

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

    def _trail(self, index: int) -> str:
        """Return the white space at a unit's end."""
        return self.original[self._body_end(index) : self.units[index].end]

    def _lead(self, before: int, index: int) -> str:
        """Return what stands before a kept unit: nothing behind its neighbour, else the gap's white space.

        Args:
            before: The kept unit before it; -1 for none.
            index: The unit.
        """
        if index == before + 1:
            return ""
        if before < 0:
            return self._beginning(index)
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
            return self._trail(before)  # behind an opening bracket or tag, a marker, the rule of a table
        if index in self._closers:
            return self._trail(index - 1)
        if self.units[before].kind in _JSON and self.units[index].kind in _JSON:
            return self._trail(before)
        return self._strongest(before, index)

    def _strongest(self, before: int, index: int) -> str:
        """Return the strongest white space between units, the first where several are as strong."""
        found = ""
        for one in range(max(before, 0), index):
            trail = self._trail(one)
            if min(trail.count("\n"), 2) > min(found.count("\n"), 2) or not found:
                found = trail
            if found.count("\n") > 1:
                break
        return found

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
        space = self._strongest(index, len(self.units))
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
        return "" if fenced or coded else self.elision

    def _loses(self, before: int | None, index: int | None) -> bool:
        """Return whether more than pure frame was cut between two kept units."""
        between = range(0 if before is None else before + 1, len(self.units) if index is None else index)
        return any(not self.units[one].pure for one in between)

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
        start = self.units[index].start
        line = start if self._begins_line(index) else self.original.rfind("\n", 0, start) + 1
        found = _PREFIX.match(self.original, line)
        return found[0] if found else ""
