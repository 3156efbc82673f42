"""Links by reference: what says `[the guide][g]` needs the line `[g]: https://…`, wherever it stands."""

from __future__ import annotations

import re

from secateurs.segment.markdown.page import Page
from secateurs.segment.units import Kind

_DEFINITION = re.compile(
    r" {0,3}\[(?!\^)([^\[\]\r\n]{1,300})\]:[ \t]*(?:<[^<>\r\n]*>|[^\s<]\S*)"
    r"(?:[ \t]+(?:\"[^\"\r\n]*\"|'[^'\r\n]*'|\([^()\r\n]*\)))?\s*$"
)
_REFERENCE = re.compile(r"\[([^\[\]]{1,300})\](?![(:])")
_SPACE = re.compile(r"\s+")
_KINDS: frozenset[Kind] = frozenset(("prose", "item", "row", "heading"))


def defined(line: str) -> str | None:
    """Return the label that a line defines a link by; None if it defines none.

    Example:
        >>> defined("[The  Guide]: https://a.example 'Guide'")
        'the guide'
    """
    found = _DEFINITION.match(line)
    return None if found is None else _label(found[1])


def bind_links(page: Page, first: int) -> None:
    """Let units need the definitions of the links in them.

    Args:
        page: The document; it knows the definitions.
        first: The first unit that may hold a link.
    """
    build = page.build
    for index in range(first, len(build)) if page.links else ():
        if build.kind(index) in _KINDS:
            labels = dict.fromkeys(_label(found) for found in _REFERENCE.findall(build.text, *build.span(index)))
            build.need(index, *(page.links[label] for label in labels if label in page.links))


def _label(text: str) -> str:
    return _SPACE.sub(" ", text.strip()).casefold()
