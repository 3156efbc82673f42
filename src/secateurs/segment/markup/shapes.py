"""Which elements are one unit as a whole: rows of a table, and records of XML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from secateurs.segment.markup.cuts import WHOLE
from secateurs.segment.markup.ends import sentences
from secateurs.segment.markup.names import CELLS, SHARED, names
from secateurs.segment.markup.tags import MARKED
from secateurs.segment.markup.tree import Element, Token, Tree
from secateurs.segment.units import LONGEST

_NOT_IN_ROW = names("table tr h1 h2 h3 h4 h5 h6 pre")


def is_flat(text: str, tokens: Sequence[Token], row: Element) -> bool:
    """Whether a row of a table is short enough for one unit: no cell has more than 400 characters of text."""
    if row.end - row.start > LONGEST:
        return False
    length = 0
    for token in tokens[row.first + 1 : row.last + 1]:
        if token.kind == "open" and token.name in _NOT_IN_ROW:
            return False
        if token.kind == "open" and token.name in CELLS:
            length = 0
        elif token.kind == "text":
            length += len(text[token.start : token.end].strip())
            if length > WHOLE:
                return False
    return True


def is_header(tokens: Sequence[Token], row: Element) -> bool:
    """Whether a row names the columns: it stands in the table's head, or has no cell but header cells."""
    if row.parent is not None and row.parent.name == "thead":
        return True
    return {one.name for one in cells(tokens, row)} == {"th"}


def children(tokens: Sequence[Token], one: Element) -> Iterator[Element]:
    """Yield the elements directly inside one."""
    at = one.first + 1
    while at <= one.last:
        inside = tokens[at].element if tokens[at].kind == "open" else None
        if inside is not None:
            yield inside
            at = inside.last
        at += 1


def cells(tokens: Sequence[Token], row: Element) -> list[Element]:
    """Return the cells of a row."""
    return [one for one in children(tokens, row) if one.name in CELLS]


def row_parts(tokens: Sequence[Token], row: Element) -> Iterator[tuple[int, bool]]:
    """Yield the ends of the parts of a row, and whether nobody sees the part."""
    at = row.first + 1
    seen = row.inner
    while at <= row.last:
        token = tokens[at]
        one = token.element if token.kind == "open" else None
        hidden = one is not None and one.hidden
        if hidden or token.kind == "aside":
            if token.start > seen or seen == row.inner:
                yield token.start, False
            seen = one.end if one is not None else token.end
            yield seen, True
        at = one.last + 1 if one is not None and hidden else at + 1
    if row.end > seen or seen == row.inner:
        yield row.end, False


def is_record(text: str, tree: Tree, one: Element, language: str | None) -> bool:
    """Whether an element of XML is a record: short, its leaves of a sentence at most, nothing between them."""
    if one.end - one.start > WHOLE or _is_html(tree, one) or _is_list(tree.tokens, one):
        return False
    leaves = inside = 0
    leaf: Element | None = None  # the last one that was opened, if no text may follow but its own
    for token in tree.tokens[one.first : one.last + 1]:
        if token.kind in ("aside", "stray") or (token.element is not None and _is_html(tree, token.element)):
            return False
        if token.kind == "open" and token.element is not None and token.name != MARKED:
            leaf = token.element
            inside += leaf is not one
        elif token.kind == "text" and text[token.start : token.end].strip():
            if token.element is None or leaf is None or token.element.name not in (leaf.name, MARKED):
                return False
            said = text[token.start : token.end].strip()
            if "\n" in said or sentences(said, language) > 1:
                return False
            leaves += 1
        elif token.kind == "close" and token.name != MARKED:
            leaf = None
        elif token.kind == "leaf":
            inside += 1
    return inside > 0 or leaves < 2


def _is_html(tree: Tree, one: Element) -> bool:
    return one.known and not (tree.xml and one.name in SHARED)


def _is_list(tokens: Sequence[Token], one: Element) -> bool:
    """Whether an element holds several of a kind, and they are more than a word each."""
    found: set[str] = set()
    rich: set[str] = set()
    at = one.first + 1
    while at <= one.last:
        token = tokens[at]
        inside = token.element if token.kind == "open" else None
        if inside is not None or token.kind == "leaf":
            if token.kind == "leaf" or (inside is not None and (inside.facts or has_children(tokens, inside))):
                rich.add(token.name)
            if token.name in found and token.name in rich:
                return True
            found.add(token.name)
        at = inside.last + 1 if inside is not None else at + 1
    return False


def has_children(tokens: Sequence[Token], one: Element) -> bool:
    """Whether an element has others in it, as far as its beginning tells."""
    return any(token.kind in ("open", "leaf") for token in tokens[one.first + 1 : min(one.last, one.first + 3) + 1])
