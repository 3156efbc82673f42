"""A document on its way to units: its lines, what has been cut so far, and what stands above the next unit."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from secateurs.segment.markdown.sources import headers
from secateurs.segment.markup import markup_ends
from secateurs.segment.units import Builder, Kind

Frame = tuple[int, ...]


@dataclass(slots=True)
class Outline:
    """What every unit needs that follows: the source it comes from, its nearest heading, its speaker.

    Attributes:
        base: What all of the page needs.
        sources: For each kind of header (`"numbered"`, `"keyed"`), the units that name the present source.
        speaker: The mark of the present speaker.
        between: What keeps the present block, which is indented, out of a list further above.
        around: The first lines of the containers that are open (`:::note`), innermost last.
        frame: All that together; what stands further above is in the frames of these.
    """

    base: Frame = ()
    sources: dict[str, Frame] = field(default_factory=dict)
    speaker: Frame = ()
    between: Frame = ()
    around: list[int] = field(default_factory=list)
    frame: Frame = ()
    _scopes: list[list[tuple[int, int]]] = field(default_factory=lambda: [[]])

    def __post_init__(self) -> None:
        self.frame = self.base

    def above(self, level: int) -> Frame:
        """Return the frame of a heading of that level that comes next; the levels it ends are forgotten."""
        scope = self._scopes[-1]
        while scope and scope[-1][0] >= level:
            scope.pop()
        self.speaker = ()
        return (*self._named(), *self._heading(), *self.around[-1:])

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

    def enter(self, mark: int) -> None:
        """Put the first line of a container above what follows."""
        self.around.append(mark)
        self._renew()

    def leave(self) -> Frame:
        """Leave the innermost container; return its first line, nothing if none is open."""
        mark = self.around[-1:]
        del self.around[-1:]
        self._renew()
        return tuple(mark)

    def open(self) -> None:
        """Enter a list item or a quote: the headings in it end with it."""
        self._scopes.append([])

    def close(self) -> None:
        """Leave a list item or a quote."""
        self._scopes.pop()
        self._renew()

    def _named(self) -> Frame:
        return (*self.base, *(index for units in self.sources.values() for index in units))

    def _heading(self) -> Frame:
        return next(((scope[-1][1],) for scope in reversed(self._scopes) if scope), ())

    def _renew(self) -> None:
        frame = (*self._named(), *self._heading(), *self.speaker, *self.between, *self.around[-1:])
        self.frame = tuple(dict.fromkeys(frame))  # the first line of a container may stand between as well


# What begins a block, and where a paragraph goes on ends nothing, or would only at the beginning of a line.
_BLOCK = re.compile(r"[ \t>]*+(?:\d{1,9}[.)](?:\s|$)|[-*+]\s*$|<)")
_MARK = re.compile(r"\s*(?:\d{1,9}[.)]\s|[-*+>]\s|#{1,6}\s|```|~~~|\|)")
_MARKS = "0123456789-*+#>`~|< \t\r\n"
_INDENT = re.compile(r"[ \t]*")


class Page:
    r"""The lines of a document, or of a part of one, and the builder of its units, line by line.

    Args:
        build: Collects the units; the page begins at its `at`.
        end: Where the page ends, in code points of the text.
        frame: What all its units need.
        language: Of its prose; None detects it for each paragraph.
        markup: Whether there may be HTML in it.

    Attributes:
        build: See above.
        text: The text of the page.
        lines: With their line breaks (`\n`, `\r\n`, `\r`); together they are the text of the page.
        starts: Where each line begins, and the end of the page, in code points of the builder's text.
        language: See above.
        markup: See above.
        headers: The lines that name a source or a speaker.
        outline: What stands above the next unit.
        links: The units that define links, by their labels; the first of a label counts.
    """

    def __init__(self, build: Builder, end: int, frame: Frame, language: str | None, *, markup: bool = True) -> None:
        self.build = build
        self.text = build.text[build.at : end]
        self.lines: list[str] = list(io.StringIO(self.text, newline=""))
        self.starts = list(accumulate(map(len, self.lines), initial=build.at))
        self.language = language
        self.outline = Outline(frame)
        self._blank = [not line.strip() for line in self.lines]
        written = range(len(self.lines))
        first = next((i for i in written if not self._blank[i]), 0)
        self._extent = first, next((i + 1 for i in reversed(written) if not self._blank[i]), 0)
        self.markup = markup
        self.headers = headers(self.lines)
        self.links: dict[str, int] = {}
        self._markup: dict[int, int] | None = None if markup else {}  # where it ends, by the line where it begins

    def blank(self, i: int) -> bool:
        """Tell whether nothing stands in line `i`."""
        return self._blank[i]

    def extent(self) -> tuple[int, int]:
        """Return the first line with anything on it, and the line after the last; 0 and 0 on a blank page."""
        return self._extent

    def skip(self, i: int) -> None:
        """Go to line `i`: what is left before it joins the unit before; there is nothing to read in it."""
        self.build.extend(self.starts[i])

    def add(self, i: int, kind: Kind, frame: Sequence[int]) -> int:
        """Add what is left before line `i` as one unit, or more that need each other where it is too long."""
        return self.build.add_whole(self.starts[i], kind, frame)

    def markup_end(self, i: int) -> int:
        """Return the line after the markup that begins at line `i`, or `i` if none does."""
        if self._markup is None:
            self._markup = markup_ends(_without_fences(self.lines))
        return self._markup.get(i, i)

    def bind(self, first: int) -> None:
        """Let what would begin another block without what stands before it in its paragraph need that.

        `2.` begins a list, and four columns of indentation begin code, but neither ends a paragraph; and a sentence
        that begins with a dash is an item where it begins a line.

        Args:
            first: The first unit of the paragraph; it goes on to the last unit there is.
        """
        build = self.build
        indent: int | None = None
        for index in build.begin_with(first + 1, _MARKS):
            at = build.start(index)
            if build.text[at - 1] not in "\n\r":
                if _MARK.match(build.text, at):
                    build.need(index, index - 1)
                continue
            indent = self._indent(build.start(first)) if indent is None else indent
            if _BLOCK.match(build.text, at) or self._indent(at) >= indent + 4:
                build.need(index, first)

    def _indent(self, at: int) -> int:
        found = _INDENT.match(self.build.text, at)
        return len(found.group().expandtabs(4)) if found else 0


def _without_fences(lines: Sequence[str]) -> list[str]:
    """Return the lines with those between code fences empty, where a tag is no tag."""
    found = []
    mark = ""
    for line in lines:
        bare = line.strip()
        inside = bool(mark)
        if mark and bare.startswith(mark) and not bare.strip(mark[0]):
            mark = ""
        elif not mark and bare.startswith(("```", "~~~")):
            mark = bare[:3]
        found.append("\n" if inside and mark else line)
    return found
