"""Records: logs, listings, `key: value` lines, output of commands. A line is a unit; a stack trace is one, too.

Records are told from prose by how they begin: a time, a level, a path, a number, a hash, a key; or all in the same
way, whatever way that is. An indented line belongs to the record of a log above it; a stack trace, chained ones
included, is one unit with its message. A line under a line that ends with a colon needs it, and a line of a diff its
hunk.

Time is linear in the length of the text: a line is looked at a bounded number of times, and only at its beginning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain

from secateurs.segment.prose.heads import LOOK, TIME, is_log, is_pair, is_record
from secateurs.segment.prose.languages import language_of
from secateurs.segment.prose.sentences import ends
from secateurs.segment.prose.traces import trace_end
from secateurs.segment.units import Builder

_SAMPLE = 10  # lines that tell whether all begin alike
_LONG = 240  # characters, from which on a record is cut in sentences if it has some
_SPEAKER = re.compile(  # 10:31 – Ewa:
    rf"\s*(?!.{{0,3}}\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d:\d\d){TIME}[\])>】]?[\s–—-]{{0,4}}"
    r"[^\W\d][\w .'’()（）-]{0,40}[:：](?:\s+|(?=[\u3400-\u9fff]))"
)
_BLANK = re.compile(r"(?:[^\S\n]*\n)*")
_TOLD = re.compile(
    r"[.!?]['\")]*\s+[A-Z]|[。！？…][^\s”」』）。！？…]"
)  # several sentences: whatever it begins with, that is prose
_HUNK, _FILE = re.compile(r"@@ -\d"), re.compile(r"diff --git |(?:---|\+\+\+) (?!PASS|FAIL)\S|index [0-9a-f]+\.\.")
_IDEOGRAPHS = re.compile(r"[\u3040-\u9fff]+")
_CLASSES = {code: "9" if chr(code).isdigit() else "a" for code in range(128) if chr(code).isalnum()}
_COLUMNS = re.compile(r"\S(?:\t|\s{3})\s*\S")
_ODD = re.compile(
    r"[\d/\\=@#$%&+|<>{}~^]|[\u3040-\u9fff] +\S|\w:\w|-\w|[,，;\t].*[,，;\t]"
)  # in some word of each record
_PLAIN = frozenset("a中-'’\"“”‘.,;:!?()[]*_`、，。；：！？（）《》…—–")  # what a word of prose looks like


def alike(bodies: Sequence[str]) -> bool:
    """Tell whether lines, stripped of white space, begin as records do: each plainly, or all in the same way."""
    if len(bodies) < 2:
        return False
    bodies = bodies[:: len(bodies) // _SAMPLE + 1]
    most = 0.8 * len(bodies)
    if sum(map(is_record, bodies)) >= most or sum(map(is_pair, bodies)) >= most:
        return True
    return look_alike(bodies)


def look_alike(bodies: Sequence[str]) -> bool:
    """Tell whether lines, whatever each alone may be, all begin in the same way, or stand in the same columns."""
    most = 0.8 * len(bodies)
    if sum(_COLUMNS.search(body[:LOOK]) is not None for body in bodies) >= most:
        return True
    if sum(_ODD.search(body[:LOOK]) is not None for body in bodies) < most:
        return False
    return _same(bodies) or any(_separated(bodies, mark) for mark in ",，;|\t")


def records_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the run of record lines that begins at line `i`, or `i` if none does.

    Args:
        lines: The lines of a text, their line breaks included.
        i: The line to look at.
    """
    j, found = i, 0
    while j < len(lines):
        end = trace_end(lines, j) if lines[j].strip() else _log_goes_on(lines, i, j)
        if end == j and (is_record(lines[j]) or is_pair(lines[j].strip())):
            end = _hunk_end(lines, j) if _HUNK.match(lines[j]) else j + 1
        found += min(end - j, 2)
        if end == j and found and lines[j].strip() and lines[j][0].isspace():
            end = j + 1
        if end == j:
            break
        j = end
    return j if found > 1 else _alike_end(lines, i)


def _log_goes_on(lines: Sequence[str], i: int, j: int) -> int:
    """Return the index after one or two blank lines at `j` inside a log that begins at line `i`, or `j`."""
    k = j + 1 + (j + 1 < len(lines) and not lines[j + 1].strip())
    return k if i < j and k < len(lines) and is_log(lines[j - 1]) and is_log(lines[k]) else j


def add_records(build: Builder, lines: Sequence[str], frame: Sequence[int]) -> None:
    """Add records: a unit a line, a stack trace one unit, indented lines with the record above them.

    A line that is indented under one that ends with a colon needs that one.

    Args:
        build: Where to; the lines begin at `build.at`, blank ones aside.
        lines: The lines, their line breaks included.
        frame: Indices of what each of them needs.
    """
    at, i = build.at, 0
    if lines and not build.text.startswith(lines[0], at):
        blank = _BLANK.match(build.text, at)
        at = at if blank is None else blank.end()
    above: list[tuple[int, int]] = []  # of the lines that end with a colon: how far they are indented, their index
    while i < len(lines):
        line, j = lines[i], i + 1
        if not line.strip():
            at += len(line)
            if len(build):
                build.add(at, "record")  # it joins the unit before
        elif _HUNK.match(line) or _FILE.match(line):
            j = _add_diff(build, lines, i, at, frame)
            at += sum(map(len, lines[i:j]))
        else:
            j = _unit_end(lines, i)
            at += sum(map(len, lines[i:j]))
            indent = _indent(line)
            while above and above[-1][0] >= indent:
                above.pop()
            index = _add_record(build, at, (*frame, *(parent for _, parent in above[-1:])))
            if line.rstrip().endswith((":", "：")):
                above.append((indent, index))
        i = j


def _add_record(build: Builder, end: int, frame: Sequence[int]) -> int:
    """Add one record; a long line of a chat, where that tells several sentences, in sentences that need its head."""
    start, text = build.at, build.text
    record = text[start:end]
    head = _SPEAKER.match(record) if len(record) > _LONG and record.count("\n") < 2 else None
    if head is None or not _TOLD.search(record):
        return build.add_whole(end, "record", frame)
    mark = build.add(start + head.end(), "mark", frame)
    for cut in chain(ends(record[head.end() :], language_of(record)), (len(record) - head.end(),)):
        build.add_whole(start + head.end() + cut, "record", (*frame, mark))
    return mark


def _add_diff(build: Builder, lines: Sequence[str], i: int, at: int, frame: Sequence[int]) -> int:
    """Add the lines of a diff: each needs its hunk's line, and that the lines which name the file."""
    file: int | None = None  # the last line that names the file; it needs those before it
    hunk: int | None = None
    for number in range(i, len(lines)):
        line = lines[number]
        at += len(line)
        if _HUNK.match(line):
            hunk = build.add_whole(at, "record", frame if file is None else (*frame, file))
        elif hunk is not None and line[:1] in "+- \\" and line.strip():
            build.add_whole(at, "record", (*frame, hunk))
        elif _FILE.match(line):
            fresh = file is None or hunk is not None or line.startswith("diff")
            file = build.add_whole(at, "record", frame if fresh or file is None else (*frame, file))
            hunk = None
        else:
            return number
    return len(lines)


def _hunk_end(lines: Sequence[str], i: int) -> int:
    j = i + 1
    while j < len(lines) and lines[j].strip() and lines[j][0] in "+- \\":
        j += 1
    return j


def _unit_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the record that begins at line `i`, and after the indented lines that belong to it."""
    j = trace_end(lines, i)
    if j > i:
        return j
    head, j = lines[i].strip(), i + 1
    log = is_log(head)
    if not head or not (log or is_pair(head)) or head.endswith((":", "：")):
        return j
    indent = _indent(lines[i])
    while j < len(lines) and lines[j].strip() and _indent(lines[j]) > indent:
        body = lines[j].strip()[:LOOK]
        if is_log(body) if log else (is_record(body) or is_pair(body)):
            break
        j += 1
    return j


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _alike_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the three or more lines from `i` on that all begin in the same way, or `i`."""
    bodies = [line.strip() for line in lines[i : i + 3]]
    if len(bodies) < 3 or not all(map(_ODD.search, bodies)) or any(map(_TOLD.search, bodies)) or not alike(bodies):
        return i
    j, head = i + 3, _shapes(bodies[0])[:1]
    while j < len(lines) and lines[j].strip() and not _TOLD.search(lines[j]):
        body = lines[j].strip()
        if _shapes(body)[:1] != head and not alike([*bodies[1:], body]):
            break
        j += 1
    return j


def _shapes(body: str) -> list[str]:
    """Reduce the words of a line's beginning to their looks: `Person07 Lee,Sales,40000` to `a9`, `a,a,9`."""
    head = (body[:80] if body.isascii() else _IDEOGRAPHS.sub("中", body[:80])).translate(_CLASSES)
    for char in "a9":
        while char * 2 in head:
            head = head.replace(char * 2, char)
    return head.split()[:8]


def _same(bodies: Sequence[str]) -> bool:
    """Tell whether lines look the same: in their first words, or in as many words and two columns of them."""
    shapes, most = [_shapes(body) for body in bodies], 0.8 * len(bodies)
    if len(shapes) > 2:
        head, count = Counter(shape[0] for shape in shapes if shape).most_common(1)[0]
        long = (
            max(map(len, bodies)) > 80
        )  # then a number alone may be an index that was put on a line of its own: O, 2
        if count >= most and not _is_plain(head) and not (long and head == "9"):
            return True
    width, count = Counter(map(len, shapes)).most_common(1)[0]
    if width < 3 or count < most:
        return False
    columns = zip(*(shape for shape in shapes if len(shape) == width), strict=True)
    found = 0
    for column in columns:
        look, count = Counter(column).most_common(1)[0]
        found += count >= most and ("中" in look or not _is_plain(look))
    return found > 1


def _is_plain(look: str) -> bool:
    """Tell whether what a word looks like is a word of prose."""
    return set(look) <= _PLAIN and ("a" in look or "中" in look)


def _separated(bodies: Sequence[str], mark: str) -> bool:
    """Tell whether three or more lines have as many fields, and one of figures among them."""
    if len(bodies) < 3 or mark not in bodies[0]:
        return False
    rows = [body[:LOOK].split(mark) for body in bodies]
    width, count = Counter(map(len, rows)).most_common(1)[0]
    if width < 3 or count < 0.9 * len(rows):
        return False
    columns = zip(*(row for row in rows if len(row) == width), strict=True)
    return any(sum(any(map(str.isdigit, field[:40])) for field in column) >= 0.8 * len(rows) for column in columns)
