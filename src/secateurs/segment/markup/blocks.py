"""Which lines of a Markdown text are HTML: where a block of it ends.

CommonMark ends most of them at the first blank line, and so takes the tags apart that belong together. Here a block
goes to the tag that closes its first one; only where there is none, the blank line counts.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from secateurs.segment.markup.names import BLOCKS, INLINE, MARKS, VOID
from secateurs.segment.markup.tags import Tag, begins_tag, find_tags

_LINES = 40  # looked at first; then twice as many, and so on


def markup_end(lines: Sequence[str], i: int) -> int:
    r"""Return the index after the block of HTML that begins at line `i`, or `i` if none does.

    It looks as far as the block goes, and to the end where nothing closes it: a walk over a whole text takes
    `markup_ends`, which is linear.

    Args:
        lines: With their line breaks.
        i: A line that stands neither inside a paragraph nor in a fence.

    Example:
        >>> markup_end(["<details>\n", "\n", "x\n", "</details>\n", "y"], 0)
        4
    """
    if not begins_tag(lines[i].lstrip("\ufeff \t")):
        return i
    count = _LINES
    while True:
        block = next(_blocks(lines[i : i + count], 1), None)
        if block is not None and block.sure:
            return i + block.end
        if i + count >= len(lines):
            return i if block is None else i + block.end
        count *= 2


def markup_ends(lines: Sequence[str]) -> dict[int, int]:
    """Return the end of each block of HTML by the line where it begins, as `markup_end` would; in linear time."""
    return {block.start: block.end for block in _blocks(lines, len(lines)) if block.end > block.start}


@dataclass(frozen=True, slots=True)
class _Block:
    """A block from the line `start` to before the line `end`; `sure` if further lines could not change that."""

    start: int
    end: int
    sure: bool = True


def _blocks(lines: Sequence[str], most: int) -> Iterator[_Block]:
    """Yield the blocks that begin in the first `most` lines; one that is none ends where it begins."""
    text = "".join(lines)
    starts = list(accumulate(map(len, lines), initial=0))
    tags = find_tags(text, 0, len(text))
    closers = _closers(tags)
    blanks = [index for index, line in enumerate(lines) if not line.strip()]
    for index, tag in enumerate(tags):
        line = bisect_right(starts, tag.start) - 1
        if line >= most:
            return
        if text[starts[line] : tag.start].strip("\ufeff \t"):
            continue
        after = bisect_left(starts, tag.end)  # the line behind the tag
        alone = not text[tag.end : starts[after]].strip()
        blank = bisect_left(blanks, after)
        at_blank = blanks[blank] if blank < len(blanks) else len(lines)
        closer = closers.get(index)
        if tag.kind == "open" and tag.name in INLINE:
            yield _Block(line, _inline_end(text, starts, tags, index, at_blank), at_blank < len(lines))
        elif closer is not None:
            yield _Block(line, bisect_left(starts, tags[closer].end))
        elif tag.kind in ("aside", "close", "empty"):
            yield _Block(line, after if _stands_alone(tag, alone=alone) else line, tag.end < len(text))
        elif tag.name in VOID:
            yield _Block(line, after if _stands_alone(tag, alone=alone) else line, tag.name in MARKS)
        else:
            yield _Block(line, at_blank if tag.name in BLOCKS else line, sure=False)


def _stands_alone(tag: Tag, *, alone: bool) -> bool:
    """Whether a tag that has no content, or ends some, is a block."""
    return alone or tag.kind == "aside" or (tag.kind == "close" and tag.name in BLOCKS) or tag.name == "hr"


def _inline_end(text: str, starts: Sequence[int], tags: Sequence[Tag], index: int, at_blank: int) -> int:
    """Return where a block ends that begins with an inline tag: only what has no words on its first line is one.

    One tag alone begins a block up to the next blank line, as in CommonMark; several are a block of one line.
    """
    first = tags[index]
    line = bisect_right(starts, first.start) - 1
    last = index
    while last + 1 < len(tags) and not text[tags[last].end : tags[last + 1].start].strip(" \t"):
        last += 1
    after = bisect_left(starts, tags[last].end)
    if text[tags[last].end : starts[after]].strip():
        return line
    return at_blank if last == index else after


def _closers(tags: Sequence[Tag]) -> dict[int, int]:
    """Return the index of the closing tag of each opening one that has one, names taken each for itself."""
    closers: dict[int, int] = {}
    opened: dict[str, list[int]] = {}
    for index, tag in enumerate(tags):
        if tag.kind == "open":
            opened.setdefault(tag.name, []).append(index)
        elif tag.kind == "close" and opened.get(tag.name):
            closers[opened[tag.name].pop()] = index
    return closers
