"""Regular expressions of a tokenizer file: those that can take for ever are told by how they are written.

The tokenizer's library matches by backtracking: where a part fails, it tries all ways in which the parts before could
have matched. `(a+)+b` has twice as many ways for each further character of a text, `a*a*a*b` the square of its length
at each of its places.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_LONGEST = 4000  # characters
# Powers of a text's length that the ways before a part may be; a second one comes from the places to begin at.
_MOST_WAYS = 1.5
_BOUNDED = 100  # repetitions up to which one counts as bounded

# Oniguruma's syntax as far as it has groups, choices and repetitions; sets of characters are one letter already.
_ITEM = re.compile(
    r"""\(\?\#[^)]*\) | \(\?[imas-]+\)
      | (?P<open>\((?:\?(?:[imas-]+:|<?[=!]|<\w+>|[:>])|(?!\?)))
      | (?P<or>\|)
      | (?:(?P<close>\)) | (?P<atom>\\(?:[pP]\{[^}]*\}|x\{[^}]*\}|.) | [^()\[\\*+?|]))
        (?P<repeat>[*+?][?+]?|\{(?:\d+(?:,\d*)?|,\d+)\}\??)?""",
    re.VERBOSE | re.DOTALL,
)


@dataclass
class _Group:
    """An open group.

    Attributes:
        before: Ways in which what stands before the group can match, as a power of a text's length.
        ways: The same at the current place.
        longest: The most ways at the end of one of the choices so far.
        worst: The most ways before a part that can fail.
        varies: Whether the group can match texts of several lengths, or chooses.
    """

    before: float = 0.0
    ways: float = 0.0
    longest: float = 0.0
    worst: float = 0.0
    varies: bool = False


@dataclass(frozen=True)
class _Repeat:
    """How often a part is matched; `most` is infinite where there is no limit."""

    least: int = 1
    most: float = 1

    @classmethod
    def of(cls, text: str | None) -> _Repeat:
        if not text:
            return cls()
        if text[0] in "*+?":
            return cls(int(text[0] == "+"), 1 if text[0] == "?" else math.inf)
        least, comma, most = text.strip("{}?").partition(",")
        return cls(int(least or 0), int(most or 0) or math.inf if comma else int(least))

    @property
    def ways(self) -> float:
        """Numbers of repetitions to choose from, as a power of a text's length, taken to be 1000."""
        return 1.0 if self.most > _BOUNDED else math.log(max(self.most - self.least, 0) + 1, 1000)


def why_endless(pattern: str) -> str | None:
    r"""Say why a regular expression may take longer than the square of a text's length; None if it does not.

    A strict reading: no part that varies in length, or that chooses, may be repeated; no part that can fail may stand
    behind two unbounded repetitions; no back references. The patterns of published tokenizers pass.

    Example:
        >>> why_endless("(a+)+b"), why_endless("a*a*b")
        ('it repeats a part that varies', 'a part of it stands behind too many repetitions')
        >>> why_endless(r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+|\s+(?!\S)|\s+") is None
        True
    """
    if len(pattern) > _LONGEST:
        return f"it has {len(pattern):,} characters, expected at most {_LONGEST:,}"
    groups = [_Group()]
    plain = _without_sets(pattern)
    place = 0
    while place < len(plain):
        item = _ITEM.match(plain, place)
        if item is None or (item["close"] and len(groups) == 1):
            return "it cannot be read"
        why = _step(groups, item)
        if why is not None:
            return why
        place = item.end()
    if len(groups) > 1:
        return "it cannot be read"
    return None if groups[0].worst < _MOST_WAYS else "a part of it stands behind too many repetitions"


def _step(groups: list[_Group], item: re.Match[str]) -> str | None:
    """Take note of an item of a pattern, or say what is wrong with it."""
    group, repeat = groups[-1], _Repeat.of(item["repeat"])
    if item["open"]:
        groups.append(_Group(group.ways, group.ways))
    elif item["or"]:
        group.varies, group.longest, group.ways = True, max(group.longest, group.ways), group.before
    elif item["close"]:
        inner = groups.pop()
        if inner.varies and repeat.most > 1:
            return "it repeats a part that varies"
        _follow(groups[-1], repeat, fails_behind=inner.worst, ways=max(inner.longest, inner.ways))
        groups[-1].varies |= inner.varies
    elif item["atom"]:
        if item["atom"][0] == "\\" and item["atom"][1] in "123456789kg":
            return "it refers back"
        _follow(group, repeat, fails_behind=group.ways, ways=group.ways)
    return None


def _follow(group: _Group, repeat: _Repeat, *, fails_behind: float, ways: float) -> None:
    """Note that a part was read, repeated or not; where none will do, it cannot fail."""
    if repeat.least:
        group.worst = max(group.worst, fails_behind)
    group.ways = ways + repeat.ways
    group.varies |= repeat.most > repeat.least


def _without_sets(pattern: str) -> str:
    """Return a pattern with each set of characters, nested ones too, replaced by one letter."""
    parts, place = [], 0
    while place < len(pattern):
        end = _end_of_set(pattern, place) if pattern[place] == "[" else 0
        if end:
            parts.append("x")
            place = end
        else:
            size = _size(pattern, place)
            parts.append(pattern[place : place + size])
            place += size
    return "".join(parts)


def _end_of_set(pattern: str, place: int) -> int:
    """Return where a set of characters ends; 0 if it does not."""
    depth = 0
    while place < len(pattern):
        if pattern[place] == "[":
            depth += 1
        elif pattern[place] == "]":
            depth -= 1
        place += _size(pattern, place)
        if depth == 0:
            return place
    return 0


def _size(pattern: str, place: int) -> int:
    """Return the length of what stands at a place: a character, or an escape with what it escapes."""
    return 2 if pattern[place] == "\\" else 1
