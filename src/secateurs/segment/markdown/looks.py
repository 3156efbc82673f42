"""Does a run of lines look like code or like prose? For blocks that nothing marks as either.

Every line has a vote: code (+1), prose (-1) or neither (0). A vote rests on signs that the other kind hardly ever
shows: an assignment, a call, a brace at the end, a prompt; four words in a row with a full stop, ideographs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_MOST = 400  # lines that are looked at
_LONGEST = 400  # characters of a line that are looked at

_COMMENT = re.compile(r"\s*(?:#(?![#\w])|#!|//|--\s|/\*|\*/|\*\s|;;|<!--|\"\"\"|''')")
_CODE = re.compile(
    r"[;{}]\s*$|^\s*[}\])]+[;,]?\s*$|^\s*@[\w.]+(?:\(.*\))?\s*$"
    r"|^\s*[$%]\s+\S|^\s*(?:PS [A-Z]:\S*>|>>> |In \[\d+\]:)|\w\(\)|^\s*[\w.\[\]'\"]+\s*(?:[-+*/|:]?=)\s*\S"
    r"|(?:[\w)\]'\"]\s*[=!]==?\s*[\w(\['\"-]|(?<!-)[-=]>|::|&&|\|\||\$\{|\{\{|\+\+|^\s*</?\w[^<>]*>\s*$)|^\s*[\"'][\w.-]+[\"']\s*:"
    r"|\w\((?:[\w.'\"\[{(*]\S*(?:,\s\S+)*)?\)[:;,]?\s*$"
    r"|^\s*(?:def|class|async def)\s+\w+.*:\s*$"
    r"|^\s*(?:import\s+[\w.{*]+|from\s+[\w.]+\s+import\b|#include\b|using\s+[\w.]+;)"
    r"|^\s*(?:return|const|let|var|elif|try:|else:|except\b.*:|finally:|func|fn|pub|package|public|private|static|void)\b"
    r"(?!\s+(?:to|the|of|and|in|a)\b)"
    r"|^\s*(?:sudo|apt|apt-get|yum|pip|pip3|npm|npx|yarn|git|cd|curl|wget|docker|kubectl|helm|echo|export|mkdir|cargo|go)\s+[\w./$~-]+"
    r"(?=\s*$|.*\s-{1,2}\w|.*[/$|=>@\"'])"
    r"|^\s*(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|FROM|WHERE|GROUP BY|ORDER BY|VALUES)\b(?:\s|$)"
    r"|^\s*[a-z_][\w.-]*:(?:\s+[\w./\"'\[{-]\S*)?\s*(?:#.*)?$|^\s*-\s+[\w.-]+:(?:\s+\S+)?\s*$"
)
_JSON = re.compile(r"\s*(?:\{.*\}|\[.*\]),?$")  # a line of JSON lines, which are no program
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_WORD = re.compile(r"(?<!\S)[\"'“‘(*_]*[A-Za-zÀ-ɏͰ-ӿ][a-zß-ɏͰ-ӿ'’-]*[.,;:!?)\"'”’*_]*(?!\S)")
_WIDE = 160  # characters of a line that is hardly one of code
_STOPS = ".!?。！？…”"  # what lines of code hardly end with
_LIST = re.compile(r"\s*(?:[-*+]\s+|\d{1,3}[.)]\s+|#{2,6}\s+|>\s+)")


def vote(line: str) -> int:
    """Say what a line looks like: 1 for code, -1 for prose, 0 for neither."""
    line = line[:_LONGEST].rstrip()
    if not line:
        return 0
    if _COMMENT.match(line):
        return 0
    marker = _LIST.match(line)
    dense = 0 if line.isascii() else len(_DENSE.findall(line))
    if dense >= 4 and dense * 3 >= len(line) - (marker.end() if marker else 0):
        return -1
    words = len(_WORD.findall(line))
    blanks = line.split()
    plain = words >= 4 and words * 10 >= len(blanks) * 7
    if plain and words >= 12 and line[-1] in ".!?:,":
        return -1
    if _CODE.search(line):
        return 0 if words >= 12 or (plain and words >= 8) or _JSON.match(line) else 1
    if plain and (line[-1] in ".!?:," or words >= 7):
        return -1
    return -1 if marker and words * 2 >= len(blanks) - 1 and words >= 2 else 0


def score(lines: Sequence[str]) -> float:
    """Return the mean vote of the lines that have one, between -1 (prose) and 1 (code); 0 where none has."""
    votes = [one for line in lines[:_MOST] if (one := vote(line))]
    return sum(votes) / len(votes) if votes else 0.0


def is_code(lines: Sequence[str], *, share: float = 0.5, least: int = 1) -> bool:
    """Tell whether lines are plainly code: most of those with anything on them vote for it, hardly one against.

    Args:
        lines: The lines.
        share: How much of them has to vote for it.
        least: How many have to.
    """
    written = [line for line in lines[:_MOST] if line.strip()]
    against = code = 0
    for line in written:
        one = vote(line)
        code += one > 0
        against += one < 0
        if against * 10 > len(written):
            return False
    return code >= max(least, share * len(written))


def is_program(lines: Sequence[str]) -> bool:
    """Tell whether a document is nothing but code; indented code under `# Title` is Markdown all the same."""
    lines = [line for line in lines[:_MOST] if not line.isspace()]
    if sum(len(line) > _WIDE or line.rstrip()[-1] in _STOPS for line in lines) * 3 > len(lines):
        return False  # which is cheap to see
    flush = any(vote(line) > 0 for line in lines if not line[0].isspace())
    return flush and is_code(lines, share=0.7, least=4)


def is_prose(lines: Sequence[str]) -> bool:
    """Tell whether lines are plainly prose."""
    return score(lines) <= -0.5
