"""JSON lines: records that are one object or array a line."""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.segment.data.json_scan import SHORT, json_end
from secateurs.segment.data.json_text import add_json
from secateurs.segment.data.linebreaks import begins_line, line_end
from secateurs.segment.units import Builder


def json_lines_end(lines: Sequence[str], i: int) -> int:
    """Find where JSON lines end that begin at a line.

    Args:
        lines: Of the document, each with its line break.
        i: Where to look.

    Returns:
        The index after the last of two or more lines that are one object or array each, blank lines between them
        allowed; `i` where there are fewer. `[1]` under `[2]` is no data.
    """
    if not begins_line(lines, i):
        return i
    found = count = 0
    rich = False
    j = i
    while j < len(lines):
        k = line_end(lines, j)
        line = "".join(lines[j:k]).lstrip("\ufeff").strip()
        if line:
            if json_end(line, 0) != len(line):
                break
            found, count = k, count + 1
            rich = rich or line[0] == "{" or "," in line
        elif not count:
            break
        j = k
    return found if count > 1 and rich else i


def add_json_lines(build: Builder, lines: Sequence[str], frame: Sequence[int], language: str | None) -> None:
    """Add the units of JSON lines: a record of up to `SHORT` characters is one, a longer one is cut by its members.

    Args:
        build: Takes them; the lines begin at `build.at`.
        lines: What `json_lines_end` has found.
        frame: What every unit needs.
        language: Of the sentences in strings; None detects it.
    """
    i = 0
    at = build.at
    while i < len(lines):
        j = line_end(lines, i)
        line = "".join(lines[i:j])
        at += len(line)
        if len(line.strip()) > SHORT:
            add_json(build, at, frame, language)
        else:
            build.add(at, "member", frame)
        i = j
