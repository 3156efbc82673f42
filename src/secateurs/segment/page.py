"""A document on its way to units: its lines, what has been cut so far, and what stands above the next unit."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

from secateurs.segment.markup import markup_ends
from secateurs.segment.units import Builder, Kind

Frame = tuple[int, ...]


@dataclass(slots=True)
class Outline:
    """What every unit needs that follows: the source it comes from, its nearest heading, its speaker.

    Attributes:
        sources: For each kind of header (`"numbered"`, `"keyed"`), the units that name the present source.
        speaker: The mark of the present speaker.
        between: What keeps the present block, which is indented, out of a list further above.
        frame: All that together; what stands further above is in the frames of these.
    """

    sources: dict[str, Frame] = field(default_factory=dict)
    speaker: Frame = ()
    between: Frame = ()
    frame: Frame = ()
    _scopes: list[list[tuple[int, int]]] = field(default_factory=lambda: [[]])

    def above(self, level: int) -> Frame:
        """Return the frame of a heading of that level that comes next; the levels it ends are forgotten."""
        scope = self._scopes[-1]
        while scope and scope[-1][0] >= level:
            scope.pop()
        self.speaker = ()
        return (*self._named(), *self._heading())

    def heading(self, level: int, index: int) -> None:
        """Put a heading above what follows."""
        self._scopes[-1].append((level, index))
        self._renew()

    def source(self, kind: str, units: Frame) -> None:
        """Put the header lines of a source above what follows, until the next of their kind; headings end there."""
        if kind == "numbered":
            self.sources.clear()
        self.sources[kind] = units
        self._scopes = [[]]
        self.speaker = ()
        self._renew()

    def speaks(self, mark: int | None) -> None:
        """Put a speaker's mark above what follows; None ends the turn."""
        self.speaker = () if mark is None else (mark,)
        self._renew()

    def lean(self, between: Frame) -> None:
        """Say what keeps the next block out of a list above."""
        if between != self.between:
            self.between = between
            self._renew()

    def open(self) -> None:
        """Enter a list item or a quote: the headings in it end with it."""
        self._scopes.append([])

    def close(self) -> None:
        """Leave a list item or a quote."""
        self._scopes.pop()
        self._renew()

    def _named(self) -> Frame:
        return tuple(index for units in self.sources.values() for index in units)

    def _heading(self) -> Frame:
        return next(((scope[-1][1],) for scope in reversed(self._scopes) if scope), ())

    def _renew(self) -> None:
        self.frame = (*self._named(), *self._heading(), *self.speaker, *self.between)


_BLOCK = re.compile(r"[ \t>]*+(?:\d{1,9}[.)](?:\s|$)|[-*+]\s*$|<)")  # what begins a block, but ends no paragraph
_INDENT = re.compile(r"[ \t]*")


class Page:
    r"""The lines of a document and the builder of its units, line by line.

    Args:
        text: The document.
        language: Of its prose; None detects it for each paragraph.

    Attributes:
        build: Collects the units.
        lines: With their line breaks (`\n`, `\r\n`, `\r`); together they are the text.
        starts: Where each line begins, and the length of the text behind them.
        language: See above.
        outline: What stands above the next unit.
    """

    def __init__(self, text: str, language: str | None) -> None:
        self.build = Builder(text)
        self.lines: list[str] = list(io.StringIO(text, newline=""))
        self.starts = [0, *accumulate(map(len, self.lines))]
        self.language = language
        self.outline = Outline()

    @cached_property
    def _markup_ends(self) -> dict[int, int]:
        return markup_ends(self.lines) if "<" in self.build.text else {}

    def markup_end(self, i: int) -> int:
        """Return the line after the block of HTML that begins at line `i`, or `i` if none does."""
        return self._markup_ends.get(i, i)

    def blank(self, i: int) -> bool:
        """Tell whether nothing stands in line `i`."""
        return not self.lines[i].strip()

    def extent(self) -> tuple[int, int]:
        """Return the first line with anything on it, and the line after the last; the page is not blank."""
        first = next(i for i in range(len(self.lines)) if not self.blank(i))
        return first, next(i for i in range(len(self.lines), 0, -1) if not self.blank(i - 1))

    def skip(self, i: int) -> None:
        """Go to line `i`: what is left before it joins the unit before; there is nothing to read in it."""
        self.build.extend(self.starts[i])

    def add(self, i: int, kind: Kind, frame: Sequence[int]) -> int:
        """Add what is left before line `i` as one unit, or more that need each other where it is too long."""
        return self.build.add_whole(self.starts[i], kind, frame)

    def bind(self, first: int) -> None:
        """Let lines of a paragraph that would begin another block without it need its first unit.

        `2.` begins a list, and four columns of indentation begin code, but neither ends a paragraph.

        Args:
            first: The first unit of the paragraph; it goes on to the last unit there is.
        """
        build = self.build
        if first + 1 >= len(build) or "\n" not in build.text[build.end(first) - 1 : build.at - 1]:
            return
        indent = self._indent(build.end(first - 1) if first else 0)
        for index in range(first + 1, len(build)):
            if build.begins_line(index):
                at = build.end(index - 1)
                if _BLOCK.match(build.text, at) or self._indent(at) >= indent + 4:
                    build.need(index, first)

    def _indent(self, at: int) -> int:
        found = _INDENT.match(self.build.text, at)
        return len(found.group().expandtabs(4)) if found else 0
