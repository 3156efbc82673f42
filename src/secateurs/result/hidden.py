"""Characters that a reader does not see: found, named and made visible. Nothing here ever changes a document.

A language model reads what a person does not: words spelled in tag characters, a sentence whose letters a
bidirectional control reorders on the screen, a word that a zero-width space hides from a search. Compression keeps
all of it verbatim; it is not a sanitiser. `find` says where it is, `show` makes it visible.

What writing needs is not reported: the joiners and selectors inside an emoji, a joiner behind a letter of a script
that joins (Persian, Hindi, ...), a variant of an ideograph, a byte order mark at the very beginning, the three flags
that are spelled in tags. One more than needed is reported: a second joiner, a second selector.

Source: Default_Ignorable_Code_Point and Bidi_Control of the Unicode Character Database (16.0); for emoji, UTS #51.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

Kind = Literal["bidi", "tag", "variation", "zero-width", "control"]

# Character classes, without brackets
KINDS: dict[Kind, str] = {
    "bidi": r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069",
    "tag": r"\U000e0000-\U000e007f",
    "variation": r"\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef",
    "zero-width": r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufeff"
    r"\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0080-\U000e00ff\U000e01f0-\U000e0fff",
    "control": r"\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f",
}
_EMOJI = r"\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_SELECTABLE = rf"{_EMOJI}#*0-9\u00a9\u00ae\u203c\u2049\u2122\u2139"
_IDEOGRAPHS = r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MONGOLIAN = r"\u1820-\u18aa"
_JOINED = (  # scripts whose letters a joiner, or none, may have to follow
    r"\u0620-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u17b3\u17b6-\u17ff\u1820-\u18aa\u1a20-\u1aaf\u1b00-\u1bff"
    r"\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00010fff\U00011000-\U000116ff"
)
_FLAGS = "|".join("".join(rf"\U{0xE0000 + ord(c):08x}" for c in name) for name in ("gbeng", "gbsct", "gbwls"))
# In this order: a selector before the joiner behind it, both before what they would otherwise be reported as
_ORDINARY = (
    rf"(?<=[{_SELECTABLE}])[\ufe0e\ufe0f](?:\u200d(?=[{_EMOJI}]))?",
    rf"(?<=[{_EMOJI}])\u200d(?=[{_EMOJI}])",
    rf"(?<=[{_IDEOGRAPHS}])[\ufe00-\ufe02\U000e0100-\U000e01ef]",
    rf"(?<=[{_MONGOLIAN}])[\u180b-\u180f]",
    rf"(?<=[{_JOINED}])[\u200c\u200d]",
    rf"(?<=\U0001f3f4)(?:{_FLAGS})\U000e007f",
    r"(?<![\s\S])\ufeff",
)
_GROUPS = [f"(?P<{kind.replace('-', '_')}>[{chars}]+)" for kind, chars in KINDS.items()]
_PATTERN = re.compile("|".join([*_ORDINARY, *_GROUPS]))
_ANY = re.compile(f"[{''.join(KINDS.values())}]")


@dataclass(frozen=True, slots=True)
class Hidden:
    """A run of hidden characters of one kind.

    Attributes:
        start: First code point in the original document.
        end: One past the last code point.
        text: `original[start:end]`.
        kind: `"bidi"` reorders what stands around it, `"tag"` spells ASCII that nobody sees, `"variation"` selects a
            variant of what is none, `"zero-width"` takes no room, `"control"` may drive a terminal.
        kept: Whether it is part of the compressed text.
    """

    start: int
    end: int
    text: str
    kind: Kind
    kept: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """What Unicode calls each character.

        Example:
            >>> Hidden(0, 1, chr(0x202E), "bidi").names
            ('RIGHT-TO-LEFT OVERRIDE',)
        """
        return tuple(map(name, self.text))


def find(text: str, start: int = 0, end: int | None = None, *, kept: bool = True) -> Iterator[Hidden]:
    """Yield the hidden characters of a part of a text, as runs of one kind, in order.

    Args:
        text: Any string.
        start: Where the part begins; what stands before it still tells what is ordinary.
        end: Where it ends.
        kept: What to say of each.

    Example:
        >>> [(one.start, one.kind) for one in find("ig" + chr(0x200B) + "nore")]
        [(2, 'zero-width')]
    """
    last = len(text) if end is None else end
    first = _ANY.search(text, start, last)  # most texts have none, and this is forty times as fast
    for match in _PATTERN.finditer(text, first.start(), last) if first else ():
        if match.lastgroup is not None:
            kind: Kind = match.lastgroup.replace("_", "-")  # type: ignore[assignment]  # the groups are the kinds
            yield Hidden(*match.span(), match[0], kind, kept)


def name(char: str) -> str:
    """Return what Unicode calls a character, or its number where it has no name.

    Example:
        >>> name(chr(7)), name(chr(0x200B))
        ('U+0007', 'ZERO WIDTH SPACE')
    """
    return unicodedata.name(char, numbers(char))


def numbers(text: str) -> str:
    """Return the numbers of characters as Unicode writes them; a run of one character once, with how many it is.

    Example:
        >>> numbers(chr(0x200B) + chr(0x200D) * 3)
        'U+200B U+200D×3'
    """
    runs = ((char, sum(1 for _ in same)) for char, same in groupby(text))
    return " ".join(f"U+{ord(char):04X}" + (f"×{many}" if many > 1 else "") for char, many in runs)


def show(text: str) -> str:
    """Return a text for people, in which hidden characters are written as their numbers.

    Example:
        >>> show("ig" + chr(0x200B) + "nore")
        'ig⟨U+200B⟩nore'
    """
    pieces, at = [], 0
    for one in find(text):
        pieces += [text[at : one.start], f"⟨{numbers(one.text)}⟩"]
        at = one.end
    return "".join((*pieces, text[at:]))


def summary(found: Iterable[Hidden]) -> str:
    """Return how many characters of which kind were found, for one line; `""` where there are none.

    Example:
        >>> summary(find("a" + chr(0x202E) + chr(0x200B) * 2))
        '3 hidden characters (1 bidi, 2 zero-width)'
    """
    counts: Counter[str] = Counter()
    for one in found:
        counts[one.kind] += len(one.text)
    total = sum(counts.values())
    if not total:
        return ""
    kinds = ", ".join(f"{many:,} {kind}" for kind, many in counts.items())
    return f"{total:,} hidden character{'s' if total > 1 else ''} ({kinds})"


def script_pattern() -> str:
    """Return the pattern as JavaScript writes it, for one sentence: what is hidden is in its one group.

    Example:
        >>> "u{e0000}-" in script_pattern()
        True
    """
    groups = "|".join(f"[{chars}]+" for chars in KINDS.values())
    source = "|".join([*_ORDINARY[:-1], f"({groups})"])  # where a document begins, a sentence cannot tell
    return re.sub(r"\\U0*([0-9a-f]+)", r"\\u{\1}", source)


def printable(text: str) -> str:
    """Return a text as it is safe to show: nothing a document could drive a terminal with, or hide from its reader.

    Hidden characters are shown by their numbers; those that writing needs, as the joiners of an emoji, are left.
    """
    visible = show(text.replace("\r\n", "\n"))
    kept = (
        c if c in "\n\t" or c.isprintable() or unicodedata.category(c) in ("Zs", "Cf") else "\ufffd" for c in visible
    )
    return "".join(kept).strip("\n").rstrip("\n ").expandtabs(4)
