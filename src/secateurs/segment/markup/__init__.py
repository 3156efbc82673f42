"""HTML and text like XML: is it one, where does a block of it end, and its units.

The parser is the standard library's `html.parser`, see `tags`; `elements` says what closes what, `flow` reads the
text between blocks as one, `ends` and `cuts` part it, `shapes` and `tables` know rows and records, `walk` makes the
units.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from secateurs.segment.markup.blocks import markup_end, markup_ends
from secateurs.segment.markup.elements import parse
from secateurs.segment.markup.ends import lines
from secateurs.segment.markup.names import BLOCKS, INLINE, MARKDOWN, VOID
from secateurs.segment.markup.tree import Tree
from secateurs.segment.markup.walk import Inner, Walk
from secateurs.segment.units import Builder

__all__ = ["Inner", "add_markup", "is_markup", "markup_end", "markup_ends"]

_SAMPLE = 60_000  # characters that decide
_SPARSE = 300  # characters a tag, in text that has no elements around it
_OTHER = re.compile(rf"{MARKDOWN.pattern}|\*\*|`|[;{{}}][ \t]*$", re.M)  # Markdown, or code


def is_markup(text: str) -> bool:
    r"""Tell whether a whole document is HTML or like XML, or a piece of such a one.

    It is if it begins with a tag and most of its words are inside of elements, or if tags of HTML are all the
    structure it has. Markdown with some HTML in it is none, nor is code that compares or has type parameters.

    Args:
        text: Any string.

    Example:
        >>> is_markup("<p>It rained.</p>"), is_markup("# Notes\n\nTwo<br>lines"), is_markup("List<String> x;")
        (True, False, False)
    """
    if "<" not in text or ">" not in text:
        return False
    tree = parse(text, 0, min(len(text), _SAMPLE))
    inside, outside = _words(text, tree)
    return _is_around(text, tree, inside, outside) or _is_among(text, tree, inside + outside)


def _words(text: str, tree: Tree) -> tuple[int, int]:
    """Count the characters that are seen inside and outside of blocks, white space left out."""
    counts = [0, 0]
    root = unseen = -1  # the last token of the block at the top, and of what is hidden
    for index, token in enumerate(tree.tokens):
        one = token.element
        if index <= unseen:
            continue
        if token.kind == "open" and one is not None:
            unseen = one.last if one.hidden else unseen
            root = max(root, one.last) if one.block and one.parent is None else root
        elif token.kind == "text":
            counts[index > root] += len("".join(text[token.start : token.end].split()).strip("\ufeff"))
        elif token.kind == "leaf":
            counts[index > root] += token.end - token.start
    return counts[0], counts[1]


def _is_around(text: str, tree: Tree, inside: int, outside: int) -> bool:
    """Whether a document begins with a tag, and elements hold nearly all of its words."""
    if not inside or inside < 4 * outside:
        return False
    first = next(token for token in tree.tokens if text[token.start : token.end].strip("\ufeff \t\r\n"))
    closed = sum(one.end > one.close for one in tree.elements)
    strange = sum(one.end == one.close and not one.known for one in tree.elements)
    if first.kind == "text" or strange > closed or (strange and not closed):
        return False
    # Markdown often has a tag in it that nothing closes, and goes on as Markdown
    return any(one.name in ("html", "body") for one in tree.elements) or not any(
        token.kind == "text"
        and (token.element is None or token.element.end == token.element.close)
        and MARKDOWN.search(text, token.start, token.end)
        for token in tree.tokens
    )


def _is_among(text: str, tree: Tree, words: int) -> bool:
    """Whether a document has no structure but by tags of HTML, and many of them."""
    tags = [token for token in tree.tokens if token.kind not in ("text", "aside")]
    known = sum(token.name in BLOCKS or token.name in INLINE or token.name in VOID for token in tags)
    end = tree.tokens[-1].end
    if not words or known * _SPARSE < end or known < 0.9 * len(tags):
        return False
    return _OTHER.search(text, 0, end) is None


def add_markup(
    build: Builder, end: int, frame: Sequence[int], language: str | None, *, inner: Inner | None = None
) -> None:
    """Add the units of HTML or XML.

    Args:
        build: Where to add them; the text begins at its `at`.
        end: Where the text ends.
        frame: Units that all of them need.
        language: A language code; None detects it.
        inner: Adds the units of plain text inside an element, of more than one line, in which there are no tags: what
            stands in a `<document>` may be anything. Without it, it is cut as prose.
    """
    tree = parse(build.text, build.at, end)
    if 2 * tree.faults > tree.tags + 2:  # what the tags say cannot be believed
        _add_lines(build, end, frame, language, tree)
        return
    Walk(build, tree, frame, language, inner=inner).run()
    if build.at < end:
        build.add_whole(end, "tag", frame)


def _add_lines(build: Builder, end: int, frame: Sequence[int], language: str | None, tree: Tree) -> None:
    """Add lines and sentences with the tags inside them."""
    start = build.at
    plain = "".join(
        build.text[token.start : token.end] if token.kind == "text" else " " * (token.end - token.start)
        for token in tree.tokens
    )
    for stop in lines(plain, language):
        build.add_whole(start + stop, "markup", frame)
