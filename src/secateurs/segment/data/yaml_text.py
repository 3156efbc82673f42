"""YAML in units: a line with its value is one, and needs the keys and items it stands under.

Comments belong to what stands right under them. A block scalar (`|`, `>`) of up to `SHORT` characters is part of the
unit of its key; of a longer one the lines are units that need the key, a folded one's paragraphs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate

from secateurs.segment.data.json_scan import SHORT
from secateurs.segment.data.regions import region_end
from secateurs.segment.data.yaml_read import Line, may_begin, read
from secateurs.segment.units import Builder

_PLAIN = re.compile(r"[\"']?[\w$.</][^\s]*$")
_LOWER = re.compile(r"[a-z_][\w.-]*$")
_WORDY = re.compile(r"[.!?。！？]$|\]\(|\*\*|`|(?:\S+\s+){5}\S")
_TRAILING = re.compile(r"#|(?:---|\.\.\.)?\s*$")  # may be the heading or the rule of what follows
_SENTENCE = re.compile(r"^[^\"'\[{].*[.!?。！？>]$|^.{100}")


def yaml_end(lines: Sequence[str], i: int) -> int:
    """Find where YAML ends that begins at a line.

    Only what is plainly YAML: keys as configurations have them, under each other with one indentation, no key twice.
    Prose with colons, transcripts and Markdown lists are not. Where comments or `---` come first it has to reach the
    end: `# Title` and front matter begin a page as well.

    Args:
        lines: Of the document, each with its line break.
        i: Where to look.

    Returns:
        The index after the last line; `i` if there is none.
    """
    if not may_begin(lines, i):
        return i
    end = region_end(read(lines, i), i, _convinces)
    if end > i and lines[i].strip("\ufeff").lstrip().startswith(("#", "%", "---")):
        return end if not any(line.strip() for line in lines[end : end + 100]) else i
    while end > i and _TRAILING.match(lines[end - 1]):
        end -= 1
    return end


def _convinces(found: list[Line]) -> bool:
    keyed = [line for line in found if line.key is not None]
    if len(found) < 3 or len(keyed) < 2 or all(line.dash for line in keyed):
        return False
    bullets = [line.value for line in found if line.dash and line.key is None and line.value]
    if sum(bool(_WORDY.search(text)) for text in bullets) * 4 > len(bullets):
        return False
    if any((line.key or "").count(" ") > 2 for line in keyed):
        return False
    if any(line.parent is not None for line in keyed):
        return sum(bool(_PLAIN.match(line.key or "")) for line in keyed) >= 0.8 * len(keyed)
    flat = not bullets and all(_LOWER.match(line.key or "") for line in keyed) and len(keyed) > 2
    return flat and not any(_SENTENCE.search(line.value) for line in keyed)


def add_yaml(build: Builder, lines: Sequence[str], frame: Sequence[int]) -> None:
    """Add the units of YAML, or of any lines: what is no YAML is a unit a line.

    Args:
        build: Takes them; the lines begin at `build.at`.
        lines: What `yaml_end` has found, or the inside of front matter.
        frame: What every unit needs.
    """
    ends = list(accumulate(map(len, lines), initial=build.at))
    outer = tuple(frame)
    under: dict[int, list[int]] = {}  # units, by the unit they stand under
    anchors: dict[str, int] = {}
    meant: set[int] = set()  # anchored units that an alias stands for
    for line in read(lines):
        if line.document:
            outer = (*frame, build.add_whole(ends[line.end], "mark", frame))
            continue
        need = outer if line.parent is None else (line.parent.unit,)
        cuts = [] if line.block is None else _block_cuts(lines, line, line.block)
        line.unit = build.add_whole(ends[cuts[0] if cuts else line.end], "record", need)
        for stop in [*cuts[1:], line.end] if cuts else []:
            under.setdefault(line.unit, []).append(build.add_whole(ends[stop], "record", (line.unit,)))
        if line.parent is not None:
            under.setdefault(line.parent.unit, []).append(line.unit)
        if line.anchor:
            anchors[line.anchor] = line.unit
        units = [anchors[name] for name in line.aliases if name in anchors]
        build.need(line.unit, *units)
        meant.update(units)
    _keep_whole(build, meant, under)


def _block_cuts(lines: Sequence[str], line: Line, block: int) -> list[int]:
    """Return where a block scalar is cut, as indices of lines: before its first and between its parts."""
    body = lines[block : line.end]
    if sum(map(len, body)) <= SHORT:
        return []
    folded = line.value.startswith(">")
    base = next((_indent(text) for text in body if text.strip()), 0)
    cuts = [block]
    for j in range(block + 1, line.end):
        above = lines[j - 1].strip()
        apart = not above if folded else not above.endswith("\\")  # a command may go on in the next line
        if lines[j].strip() and _indent(lines[j]) <= base and apart:
            cuts.append(j)
    return cuts


def _keep_whole(build: Builder, meant: Iterable[int], under: dict[int, list[int]]) -> None:
    """Have what aliases point at keep all that stands under it: they stand for the whole."""
    waiting = list(meant)
    done: set[int] = set()
    while waiting:
        unit = waiting.pop()
        if unit not in done:
            done.add(unit)
            build.need(unit, *under.get(unit, ()))
            waiting += under.get(unit, ())


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())
