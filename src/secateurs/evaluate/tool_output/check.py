"""What survived, and what still parses: rules that need no reader.

A fact survives if it stands in the output, letter case and white space aside, and not as a part of a longer number.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

RULE = (
    "a fact survives if it, or one of its other spellings, stands in the text, letter case, colour codes and white"
    " space aside, and not as a part of a longer number; a case survives if all its facts do"
)
# elements that have no end tag
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)


_COLOURS = re.compile(r"\x1b\[[0-9;]{0,30}m")


def folded(text: str) -> str:
    r"""Return a text in lower case, without colour codes, with one space for every run of white space.

    Example:
        >>> folded("Port\n  9187 ")
        'port 9187'
    """
    return " ".join(_COLOURS.sub("", text).casefold().split())


def stands_in(fact: str, text: str) -> bool:
    r"""Tell whether a fact stands in a text.

    Args:
        fact: The fact; one of nothing but white space stands nowhere.
        text: The text, folded.

    Example:
        >>> stands_in("Port 9187", folded("on port\n9187.")), stands_in("port 91", folded("on port 9187"))
        (True, False)
    """
    wanted = folded(fact)
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        end = at + len(wanted)
        before = at > 0 and text[at - 1].isdecimal() and wanted[0].isdecimal()
        after = end < len(text) and text[end].isdecimal() and wanted[-1].isdecimal()
        if not before and not after:
            return True
        at = text.find(wanted, at + 1)
    return False


def form(text: str) -> str | None:
    """Return what a text parses as: `"json"` (an object or array), `"html"` (balanced tags), or None.

    Example:
        >>> form('{"port": 9187}'), form("<p>port <b>9187</b><br></p>"), form("<p>port"), form("port")
        ('json', 'html', None, None)
    """
    start = text.lstrip()[:1]
    if start in ("{", "[") and _is_json(text):
        return "json"
    return "html" if start == "<" and _is_balanced(text) else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _is_balanced(text: str) -> bool:
    balance = _Balance()
    balance.feed(text)
    balance.close()
    return balance.elements > 0 and not balance.broken and not balance.open


class _Balance(HTMLParser):
    """Follows the tags: each end tag has to close the element that was opened last."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements = 0
        self.broken = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements += 1
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements += 1

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        elif tag not in _VOID:
            self.broken = True
