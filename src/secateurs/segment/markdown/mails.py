"""Mails inside a mail: the line above one that is forwarded or answered, `On Mon, … Bob wrote:`."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SEPARATOR = re.compile(r"[ \t]*-{3,}[ \t]?[^\W\d_][^\r\n]{1,60}-{3,}\s*$")  # -----Original Message-----
_WROTE = re.compile(r"\b(?:wrote|writes|schrieb|écrit|escribió|scritto|schreef|escreveu)\b|写道|寫道|написал")
_WHEN = re.compile(r"\d{1,2}[:.h]\d\d|@")  # a time or an address: who only quotes a book has neither
_WRAPPED = 3  # lines of such a line, wrapped by the program that sent it
_LONG = 200  # characters of one of them


def is_separator(line: str) -> bool:
    """Tell whether a line parts a mail from the one below it, with words between dashes."""
    return _SEPARATOR.match(line) is not None


def introduces_mail(text: str, start: int, end: int) -> bool:
    """Tell whether `text[start:end]` says who wrote the mail that follows, and when or from where."""
    said = text[max(start, end - _WRAPPED * _LONG) : end].rstrip()
    return said.endswith((":", "：")) and _WROTE.search(said) is not None and _WHEN.search(said) is not None


def introductions(lines: Sequence[str]) -> list[int]:
    """Find the lines that introduce a mail which has no marks of a quote: all below is from another hand.

    Args:
        lines: Of the document.

    Returns:
        Their indices, ascending.
    """
    found: list[int] = []
    for i, line in enumerate(lines):
        if line.rstrip()[-1:] not in (":", "：") or len(line) > _LONG:
            continue
        lo = _begin(lines, i)
        below = next((one for one in lines[i + 1 : i + 6] if one.strip()), ">")
        if lo is not None and not below.lstrip().startswith(">"):
            found += range(lo, i + 1)
    return found


def _begin(lines: Sequence[str], i: int) -> int | None:
    """Return where an introduction begins that ends with line `i`; None if it ends none."""
    for lo in range(i, max(i - _WRAPPED, -1), -1):
        if not lines[lo].strip() or lines[lo].lstrip().startswith(">"):
            return None
        said = "".join(lines[lo : i + 1])
        if introduces_mail(said, 0, len(said)):
            return lo
    return None
