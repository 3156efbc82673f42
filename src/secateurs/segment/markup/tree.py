"""What a text of tags is made of: tokens that tile it, and elements, which are spans of it with their tags."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from secateurs.segment.markup.names import BLOCKS, INLINE

TokenKind = Literal["text", "open", "close", "void", "leaf", "aside", "stray"]


@dataclass(eq=False, slots=True)
class Element:
    """A span of the text between two tags.

    Attributes:
        name: In lower case.
        start: Where its opening tag begins.
        inner: Where its opening tag ends.
        parent: The element around it; None at the top.
        first: Index of its opening tag among the tokens.
        close: Where its closing tag begins, or would.
        end: Where it ends; `close` if it has no closing tag.
        last: Index of its last token.
        block: Whether it stands for itself; else it is part of a line.
        hidden: Whether nobody sees it.
        words: Whether there is something to read in it.
        facts: Whether it has attributes.
        rows: How many rows a cell spans.
    """

    name: str
    start: int
    inner: int
    parent: Element | None
    first: int
    close: int = -1
    end: int = -1
    last: int = -1
    block: bool = True
    hidden: bool = False
    words: bool = False
    facts: bool = False
    rows: int = 1

    @property
    def known(self) -> bool:
        """Whether HTML has such an element there, one that has content."""
        if self.name == "title":
            return self.parent is None or self.parent.name in ("head", "html")
        if self.name == "summary":
            return self.parent is not None and self.parent.name == "details"
        return self.name in BLOCKS or self.name in INLINE

    @property
    def gone(self) -> bool:
        """Whether it is no part of what is read: hidden, or a block without a word in it."""
        return self.hidden or (self.block and not self.words)


@dataclass(eq=False, slots=True)
class Token:
    """A tag, a text between tags, or an aside; tokens tile the text.

    Attributes:
        kind: A void is a tag without content; a leaf is one that says something by its attributes.
        start: First code point.
        end: One past the last.
        element: The element that it opens or closes; for other kinds the element around it, None at the top.
        name: Of the tag.
    """

    kind: TokenKind
    start: int
    end: int
    element: Element | None = None
    name: str = ""


@dataclass(eq=False, slots=True)
class Tree:
    """The tokens of a text and its elements, in the order they begin.

    Attributes:
        tokens: Without gap or overlap.
        elements: By their opening tags.
        glued: Spans of tags that cross each other (`<b><i></b></i>`), in which nothing may be cut; ascending.
        faults: How many tags are opened or closed only, where no rule of HTML allows it, the text's edges left out.
        tags: How many there are, voids left out.
        page: Whether it is HTML by the names in it.
        xml: Whether it begins with an element that HTML does not have.
    """

    tokens: list[Token]
    page: bool = False
    xml: bool = False
    elements: list[Element] = field(default_factory=list)
    glued: list[tuple[int, int]] = field(default_factory=list)
    faults: int = 0
    tags: int = 0
