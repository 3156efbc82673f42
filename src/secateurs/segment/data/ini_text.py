"""INI, TOML and their kin in units: a key with its value is one, and needs the heading of its section.

Comments belong to what stands right under them. Arrays and strings over several lines are part of the key's unit, and
so are lines that are indented under it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from secateurs.segment.data.regions import region_end
from secateurs.segment.units import Builder

_SECTION = re.compile(r"\[{1,2}[^\[\],\n]{1,200}+\]{1,2}[ \t]*(?:[#;].*)?$")
_KEY = re.compile(
    r"((?>(?:\"[^\"\n]*+\"|'[^'\n]*+'|[\w.\-/@$*+%]| (?=[\w.\-/@$*+%]))+))[ \t]*(?:=[ \t]*(.*)|:(?:[ \t]+(.*)|$))$"
)
_NEXT = re.compile(rf"{_KEY.pattern}|\[{{1,2}}[A-Za-z_]\w*[^\[\],]*\]{{1,2}}$")  # then what came before is not closed
_BARE = re.compile(r"[\w\-]+$")
_SHELL = re.compile(r"(?:export )?[A-Za-z_][\w.\-]*=(?:[^\s{].*(?<!>)$|$)")  # not what stands in a tag
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"|\'[^\']*+\'')
_COMMENT = re.compile(r"(?:^|\s)[#;].*")
_QUOTES = ('"""', "'" * 3)


@dataclass(slots=True)
class _Entry:
    """A section's heading, a key with its value, or comments.

    Attributes:
        first: Index of the first line, that of the comments above it where there are some.
        end: Index after the last line.
        section: Whether it is a heading.
        key: Its key; empty if it is none.
        equals: Whether it is spelled with an equals sign.
        shell: Whether it is spelled `KEY=value`.
        fits: Whether it is any of these.
        outer: Always.
    """

    first: int
    end: int
    section: bool = False
    key: str = ""
    equals: bool = False
    shell: bool = False
    fits: bool = True
    outer: bool = True


def ini_end(lines: Sequence[str], i: int) -> int:
    """Find where an INI or TOML file, or `KEY=value` lines, end that begin at a line.

    Args:
        lines: Of the document, each with its line break.
        i: Where to look.

    Returns:
        The index after the last line of two or more keys with a section among them, or of three or more spelled
        `KEY=value`; `i` if there are none. Where comments come first it has to reach the end, as a page may begin
        with `# Title`.
    """
    bare = lines[i].strip("\ufeff").strip()
    noted = bare[:1] in ("#", ";")
    if not noted and bare[:1] != "[" and "=" not in bare:
        return i
    if noted and i and lines[i - 1].lstrip()[:1] in ("#", ";"):
        return i  # the first line of these comments has been tried
    end = region_end(_read(lines, i), i, _convinces)
    if noted and any(line.strip() for line in lines[end : end + 100]):
        return i
    return end


def _convinces(found: list[_Entry]) -> bool:
    keys = [entry for entry in found if entry.key]
    if any(entry.section for entry in found):
        return len(keys) > 1 and sum(entry.equals for entry in keys) * 2 > len(keys)  # else who speaks
    return len(keys) > 2 and all(entry.shell for entry in keys)


def add_ini(build: Builder, lines: Sequence[str], frame: Sequence[int]) -> None:
    """Add the units of what `ini_end` has found, or of any lines.

    Args:
        build: Takes them; the lines begin at `build.at`.
        lines: The lines.
        frame: What every unit needs.
    """
    ends = list(accumulate(map(len, lines), initial=build.at))
    need = tuple(frame)
    for entry in _read(lines, 0):
        if entry.section:
            need = (*frame, build.add_whole(ends[entry.end], "heading", frame))
        else:
            build.add_whole(ends[entry.end], "record", need)


def _read(lines: Sequence[str], i: int) -> Iterator[_Entry]:
    """Yield what the lines from `i` on hold, in one pass."""
    first = -1  # of comments that wait for what follows
    while i < len(lines):
        bare = lines[i].strip("\ufeff").strip()
        if bare[:1] in ("#", ";", ""):
            if bare:
                first = i if first < 0 else first
            elif first >= 0:
                yield _Entry(first, i)
                first = -1
            i += 1
            continue
        entry = _Entry(i if first < 0 else first, i + 1)
        first = -1
        if _SECTION.match(bare):
            entry.section = True
        elif key := _KEY.match(bare):
            entry.key, entry.equals, entry.shell = key[1], key[2] is not None, bool(_SHELL.match(bare))
            entry.end = _value_end(lines, i + 1, key[2] or key[3] or "")
        else:
            entry.fits = bool(_BARE.match(bare))  # a switch, as MySQL has them
        i = entry.end
        yield entry
    if first >= 0:
        yield _Entry(first, i)


def _value_end(lines: Sequence[str], i: int, value: str) -> int:
    """Return the index after a value whose first line, above `i`, is known."""
    indent = _indent(lines[i - 1])
    if value[:3] in _QUOTES:
        if value[:3] not in value[3:]:
            while i < len(lines) and value[:3] not in lines[i]:
                i += 1
            return min(i + 1, len(lines))
        return i
    depth = _depth(value) if value[:1] in ("[", "{") else 0
    while depth > 0 and i < len(lines) and not (_indent(lines[i]) <= indent and _NEXT.match(lines[i].strip())):
        depth += _depth(lines[i])
        i += 1
    while i < len(lines) and lines[i].strip()[:1] not in ("#", ";", "") and _indent(lines[i]) > indent:
        i += 1
    return i


def _depth(text: str) -> int:
    text = _COMMENT.sub("", _STRINGS.sub("", text))
    return text.count("[") + text.count("{") - text.count("]") - text.count("}")


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())
