"""Highlights: sentences between tags that no document can forge.

A text is escaped for HTML, and every character a tag may begin with is written as a character reference. References
consist of `&`, `#`, `;`, letters and digits only, and no tag may begin with one of those; so a tag begins nowhere in
what a document wrote, whatever the tags are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

from secateurs.result.span import Sentence

Escape = Literal["html", "none"]

_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}
# Struck through, the `>` of a tag before it is another character wherever somebody normalizes the page
_NAMED["\u0338"] = "&#824;"


@dataclass(frozen=True)
class Highlighted:
    """The highlights of one text.

    Attributes:
        fragments: Tagged texts.
        scores: One probability a fragment.
    """

    fragments: tuple[str, ...]
    scores: tuple[float, ...]


class Tags:
    """Puts tags around sentences; several pairs take turns, match by match.

    Args:
        before: What begins a match.
        after: What ends it, one for each of `before`.
        escape: `"html"`, or `"none"` for text that is not markup; then a document can write your tags itself.

    Raises:
        ValueError: The tags are not pairs, or one begins with a character that escaped text is made of.

    Example:
        >>> tags = Tags(["<em>"], ["</em>"])
        >>> tags.around("2 < 3</em>. ", 0)
        '<em>2 &lt; 3&lt;/em&gt;.</em> '
    """

    def __init__(self, before: Sequence[str], after: Sequence[str], escape: Escape = "html") -> None:
        if len(before) != len(after) or not before:
            raise ValueError(f"pre_tags and post_tags must be pairs, got {len(before)} and {len(after)} of them.")
        if escape == "html":
            for tag in (*before, *after):
                _check(tag)
        self._pairs = list(zip(before, after, strict=True))
        first = {tag[0] for tag in (*before, *after)} if escape == "html" else set()
        named = _NAMED if escape == "html" else {}
        self._table = str.maketrans({character: f"&#{ord(character)};" for character in first} | named)

    def around(self, text: str, turn: int) -> str:
        """Return a text between the tags whose turn it is; white space around it stays outside."""
        inner = text.strip()
        if not inner:
            return self.plain(text)
        start = text.index(inner)
        before, after = self._pairs[turn % len(self._pairs)]
        tail = text[start + len(inner) :]
        return f"{self.plain(text[:start])}{before}{self.plain(inner)}{after}{self.plain(tail)}"

    def plain(self, text: str) -> str:
        """Return a text without tags, escaped."""
        return text.translate(self._table)

    def fragments(self, sentences: Sequence[Sentence], flags: Sequence[bool]) -> Highlighted:
        """Return each marked sentence that is not blank as a fragment of its own, with its score."""
        marked = [one for one, flag in zip(sentences, flags, strict=True) if flag and one.text.strip()]
        texts = tuple(self.around(one.text.strip(), turn) for turn, one in enumerate(marked))
        return Highlighted(texts, tuple(one.score for one in marked))

    def whole(self, sentences: Sequence[Sentence], flags: Sequence[bool]) -> Highlighted:
        """Return the whole text as one fragment, with the score of its best sentence; nothing of a blank text."""
        if not any(one.text.strip() for one in sentences):
            return Highlighted((), ())
        pieces = []
        turns = count()
        for one, flag in zip(sentences, flags, strict=True):
            pieces.append(self.around(one.text, next(turns)) if flag else self.plain(one.text))
        return Highlighted(("".join(pieces),), (max(one.score for one in sentences),))


def _check(tag: str) -> None:
    if not tag or tag[0].isalnum() or tag[0].isspace() or tag[0] in "&#;":
        raise ValueError(
            f"a tag must not be empty, nor begin with a letter, a digit, white space, &, # or ;, got {tag!r}: a "
            'document could write it. Begin it with another mark, such as < or [, or pass escape="none" and escape '
            "the texts yourself."
        )
