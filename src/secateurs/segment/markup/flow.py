"""A flow: text between two tags of blocks, with the tags that stand in its lines, read as one plain text.

Its entities are decoded and its tags left out, so that sentences end where they end for a reader; each position of it
is known in the source.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from html import unescape

from secateurs.segment.markup.names import BREAKS, MUTE
from secateurs.segment.markup.tree import Element, Token, Tree

WORD = re.compile(r"[^\W_]")
_ENTITY = re.compile(r"&(?:#\d{1,8}|#[xX][0-9a-fA-F]{1,7}|[A-Za-z][A-Za-z0-9]{1,31});")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the source where a flow may be cut.

    Attributes:
        at: The position.
        holder: The innermost element of the flow around it; None if there is none.
    """

    at: int
    holder: Element | None


class Flow:
    """The tokens from index `first` to `last` of a tree, none of which opens or closes a block that is seen.

    Attributes:
        start: Where it begins in the source.
        end: Where it ends.
        plain: What a reader sees, with line breaks where a `<br>` stands.
        breaks: Where in the plain text a `<br>` ends.
        links: Where in it links begin; empty if there are words outside of links.
        leaves: Where in the source elements stand that say something by their attributes.
        hidden: The spans of what nobody sees, and the elements around them.
        around: The element around each element of the flow; None at its top.
        blank: Whether there is nothing to see.
    """

    def __init__(self, text: str, tree: Tree, first: int, last: int) -> None:
        self.start, self.end = tree.tokens[first].start, tree.tokens[last - 1].end
        self.breaks: list[int] = []
        self.links: list[int] = []
        self.leaves: list[int] = []
        self.hidden: list[tuple[int, int, Element | None]] = []
        self.around: dict[Element, Element | None] = {}
        self.blank = True
        self._text = text
        self._glued = tree.glued
        self._tokens = tree.tokens[first:last]
        self._parts: list[str] = []
        self._at: list[int] = []  # of each piece of the plain text: where it begins there,
        self._source: list[int] = []  # and in the source,
        self._token: list[int] = []  # and in which token
        self._length = 0
        self._holders: list[Element | None] = []  # behind each token, the innermost element that is open
        self._depths: list[int] = []
        self._others = False  # whether there are words outside of links
        self._lay(first)
        self.plain = "".join(self._parts)
        if self._others:
            self.links = []

    @property
    def plainly(self) -> bool:
        """Whether it is text alone, without an element or anything hidden."""
        return not (self.around or self.hidden or self.leaves)

    def _lay(self, first: int) -> None:
        """Lay out the plain text, token by token."""
        stack: list[Element] = []
        mute = unseen = linked = -1  # indices of the last token of what is silent, or hidden, or a link
        for index, token in enumerate(self._tokens):
            one = token.element
            if index <= unseen:
                pass
            elif token.kind == "aside":
                self.hidden.append((token.start, token.end, stack[-1] if stack else None))
            elif token.kind == "open" and one is not None and one.gone:
                unseen = one.last - first
                self.hidden.append((one.start, one.end, stack[-1] if stack else None))
            elif token.kind == "open" and one is not None:
                self.around[one] = stack[-1] if stack else None
                stack.append(one)
                if one.name in MUTE:
                    mute = max(mute, one.last - first)
                elif one.name == "a":
                    self.links.append(self._length)
                    linked = one.last - first
            else:
                self._show(index, token, linked=index <= linked, mute=index <= mute)
            while stack and stack[-1].last <= first + index:
                stack.pop()
            self._holders.append(stack[-1] if stack else None)
            self._depths.append(len(stack))

    def _show(self, index: int, token: Token, *, linked: bool, mute: bool) -> None:
        if token.kind == "text":
            self._others |= not linked and WORD.search(self._text, token.start, token.end) is not None
            self.blank &= self._text[token.start : token.end].isspace()
            if not mute:
                self._decode(index, token)
        elif token.kind == "void" and token.name in BREAKS:
            self._piece("\n", token.start, index)
            self.breaks.append(self._length)
        elif token.kind == "leaf":
            self.blank = False
            self.leaves.append(token.start)

    def _decode(self, index: int, token: Token) -> None:
        at = token.start
        if self._text.find("&", at, token.end) >= 0:
            for match in _ENTITY.finditer(self._text, at, token.end):
                char = unescape(match[0])
                if char != match[0]:
                    self._piece(self._text[at : match.start()], at, index)
                    self._piece(char[:1], match.start(), index)
                    at = match.end()
        self._piece(self._text[at : token.end], at, index)

    def _piece(self, plain: str, source: int, token: int) -> None:
        if plain:
            self._parts.append(plain)
            self._at.append(self._length)
            self._source.append(source)
            self._token.append(token)
            self._length += len(plain)

    def _where(self, position: int) -> int:
        return bisect_right(self._at, position) - 1

    def piece_start(self, position: int) -> int:
        """Return where in the plain text the tag or entity ended that stands before a position."""
        return self._at[self._where(position)]

    def in_source(self, position: int) -> int:
        """Return where a position of the plain text is in the source."""
        piece = self._where(position)
        return self._source[piece] + position - self._at[piece]

    def in_plain(self, source: int) -> int:
        """Return where a position of the source is in the plain text, or what of it comes next."""
        piece = bisect_right(self._source, source) - 1
        if piece < 0:
            return 0
        after = self._at[piece + 1] if piece + 1 < len(self._at) else self._length
        return min(after, self._at[piece] + source - self._source[piece])

    def worded(self, start: int, end: int) -> bool:
        """Whether there is a letter or a digit between two places of the source."""
        return WORD.search(self.plain, self.in_plain(start), self.in_plain(end)) is not None

    def seen(self, start: int, end: int) -> bool:
        """Whether there is anything but white space between two places of the source."""
        return bool(self.plain[self.in_plain(start) : self.in_plain(end)].strip())

    def place(self, position: int) -> Place:
        """Find the place of a cut before a position of the plain text: the last one outside of most elements."""
        last = position
        while last and self.plain[last - 1].isspace():
            last -= 1
        here, before = self._token[self._where(position)], self._token[self._where(max(0, last - 1))]
        at = self.in_source(position)
        if here == 0:
            return Place(at, None)
        holder, depth = self._holders[here - 1], self._depths[here - 1]
        for index in range(here - 1, before - 1, -1):
            if self._depths[index] < depth:
                at, holder, depth = self._tokens[index].end, self._holders[index], self._depths[index]
        return Place(at, holder)

    def glued(self, at: int) -> bool:
        """Whether a place lies between tags that cross each other."""
        index = bisect_left(self._glued, (at, 0)) - 1
        return index >= 0 and self._glued[index][0] < at < self._glued[index][1]
