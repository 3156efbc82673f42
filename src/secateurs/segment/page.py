"""A document on its way to units: its lines, what has been cut so far, and what stands above the next unit."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from secateurs.segment.units import Builder, Kind

Frame = tuple[int, ...]


@dataclass(slots=True)
class Outline:
    """What every unit needs that follows: the source it comes from, its nearest heading, its speaker.

    Attributes:
        sources: For each kind of header (`"numbered"`, `"keyed"`), the units that name the present source.
        speaker: The mark of the present speaker.
        frame: All that together; what stands further above is in the frames of these.
    """

    sources: dict[str, Frame] = field(default_factory=dict)
    speaker: Frame = ()
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
        self.frame = (*self._named(), *self._heading(), *self.speaker)


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

    def blank(self, i: int) -> bool:
        """Tell whether nothing stands in line `i`."""
        return not self.lines[i].strip()

    def skip(self, i: int) -> None:
        """Go to line `i`: what is left before it joins the unit before; there is nothing to read in it."""
        self.build.extend(self.starts[i])

    def add(self, i: int, kind: Kind, frame: Sequence[int]) -> int:
        """Add what is left before line `i` as one unit, or more that need each other where it is too long."""
        return self.build.add_whole(self.starts[i], kind, frame)
