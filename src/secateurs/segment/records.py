"""Records: logs, listings, `key: value` lines, output of commands. A line is a unit; a stack trace is one, too.

Records are told from prose by how they begin: a time, a level, a path, a number, a hash, a key; or all in the same way,
whatever way that is. An indented line belongs to the record of a log above it; a stack trace, chained ones included, is
one unit with its message. A line under a line that ends with a colon needs it, and a line of a diff its hunk.

Time is linear in the length of the text: a line is looked at a bounded number of times, and only at its beginning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain

from secateurs.segment.languages import language_of
from secateurs.segment.sentences import ends
from secateurs.segment.traces import is_frame, trace_end
from secateurs.segment.units import Builder

_LOOK = 240  # characters at the beginning of a line that tell what it is
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_TIME = (
    r"[\[(<【]?(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}(?:[-/.]\d{2,4})?[ T,]{1,3}\d{1,2}:\d\d"
    r"|\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?=[\s\])】–—|-]|$)|(?:\d{4}年)?\d{1,2}月(?:\d{1,2}[日号])?(?=[\s:：|】）)\]]|$)"
    rf"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{{0,6}},?\s)?(?:{_MONTH}\s+\d{{1,2}}\b|\d{{1,2}}[ /-]{_MONTH})[ ,:/]"
    r"|\d{10,13}(?:\.\d{1,9})?\s|\s{0,9}\d{1,7}\.\d{3,9}\]|\d{4}[-/]\d\d\b|(?:周|星期)[一二三四五六日]\s)"
)
_LEVEL = (
    r"[\[(<|*]?(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|ERR|FATAL|CRIT(?:ICAL)?|SEVERE|PANIC|EMERG|ALERT|FAIL(?:ED|URE)?"
    r"|PASS(?:ED)?|SKIP(?:PED)?)\b|\[(?:info|warn(?:ing)?|error|debug|trace|notice|ok|failed)\]"
    r"|(?:error|warning|info|debug|fatal|hint|remote|npm|pip|make|cargo|docker|bash|sh|kernel)(?:\[\w{1,12}\])?:"
    r"|<\d{1,3}>|[IWEF]\d{4}\s\d\d:\d\d|npm (?:ERR!|WARN|notice)"
)
_LISTING = (
    r"[-dlbcps][-rwxsStT]{9}[.+@]?\s|total \d+(?:\.\d)?[KMG]?$"  # ls -l
    r"|[^\s:]{1,160}:\d{1,7}(?::\d{1,5})?:|[^\s:()]{1,120}\(\d{1,7}(?:,\d{1,5})?\):"  # grep -n, compilers
    r"|(?:[*|\\/ ]{1,9})?[0-9a-f]{7,64}\b(?=[\s:^]|$)"  # git log --oneline, checksums
    r"|\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?=[\s,]|$)"  # an address
    r"|(?:[A-Za-z]{2,10}://|www\.)\S{1,200}(?=\s*$|\s*[|,\t])"  # a URL
    r"|(?:(?:~|\.{1,2})?/|[A-Za-z]:\\|\\\\)\S{1,200}(?=\s*$|\s{2}|\t)"  # a path
    r"|[\w.@+-]{1,60}(?:/[\w.@+-]{1,80}){1,12}/?\s*$|[\w+-]{1,60}\.[a-z]{1,4}\d?\s*$"
)
_SHELL = (
    r"[$%>]\s\S|>>>\s|PS [A-Z]:\\|[\w.-]{1,32}@[\w.-]{1,64}[: ][^$#]{0,80}[$#]\s|(?:mysql|sqlite|postgres|\w{1,20}=[#>])>?\s"
    r"|diff --git |@@ -\d|\+\+\+ \S|--- \S+/|index [0-9a-f]{7,}\.\."
    r"|(?:not )?ok \d|[✓✔✗✘✖×√]\s|\[\s{0,2}\d{1,3}%\]|Step \d+/\d+|#\d{1,4} \[|--- (?:PASS|FAIL)|=== RUN"
    r"|(?:Get|Hit|Ign|Err):\d+ |(?:Collecting|Downloading|Requirement already|Successfully installed|Using cached) "
)
_DATA = (
    r"[\w.-]{1,40}=\S{0,80}(?:\s|$|,)|\{\s?\"[^\"]{0,80}\"\s?:|\[\"|\"[^\"]{0,60}\",[\"\d]|\[[\w .:-]{1,30}\](?::?\s|:)"
    r"|(?=.{0,160},[\d.%$¥€-]{0,20},)[^\s,，。]{1,40}(?: [^\s,，。]{1,40}){0,3}(?:,(?:[^,\s][^,]{0,60})?){3}"  # CSV
    r"|[^|]{1,60}(?:\s\|\s[^|]{0,80}){2}"
)
_HEAD = re.compile(rf"(?:{_TIME}|{_LEVEL}|{_LISTING}|{_SHELL}|{_DATA})")
_LOG = re.compile(rf"(?:{_TIME}|{_LEVEL})")
_LONG = 240  # characters, from which on a record is cut in sentences if it has some
_SPEAKER = re.compile(rf"\s*(?:{_TIME}[\])>】]?)?(?:[^.!?。！？:：\n]{{0,60}}[:：](?=\s|[\u3400-\u9fff]))?\s*")
_PAIR = re.compile(r"[\"'“]?[^\W\d][\w .()/-]{0,30}[\"'”]?\s?[:：=](?:\s+|(?=[\u3400-\u9fff])|$)")
_TOLD = re.compile(
    r"[.!?]['\")]*\s+[A-Z]|[。！？…][^\s”」』）。！？…]"
)  # several sentences: whatever it begins with, that is prose
_HUNK, _FILE = re.compile(r"@@ -\d"), re.compile(r"diff --git |(?:---|\+\+\+) (?!PASS|FAIL)\S|index [0-9a-f]+\.\.")
_IDEOGRAPHS, _REPEATS = re.compile(r"[\u3040-\u9fff]+"), re.compile(r"(.)\1+", re.DOTALL)
_CLASSES = {code: "9" if chr(code).isdigit() else "a" for code in range(128) if chr(code).isalnum()}
_PLAIN = frozenset("a中-'’\"“”‘.,;:!?()[]*_`、，。；：！？（）《》…—–")  # what a word of prose looks like


def is_record(line: str) -> bool:
    """Tell whether a line alone is plainly a record and no prose, by its beginning."""
    return _HEAD.match(line.lstrip()[:_LOOK]) is not None or is_frame(line)


def alike(bodies: Sequence[str]) -> bool:
    """Tell whether lines, stripped of white space, begin as records do: each plainly, or all in the same way."""
    if len(bodies) < 2:
        return False
    most = 0.8 * len(bodies)
    if sum(map(is_record, bodies)) >= most or sum(map(is_pair, bodies)) >= most:
        return True
    return _same([_shapes(body) for body in bodies]) or any(_separated(bodies, mark) for mark in ",，;|\t")


def records_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the run of record lines that begins at line `i`, or `i` if none does.

    Args:
        lines: The lines of a text, their line breaks included.
        i: The line to look at.
    """
    j, found = i, 0
    while j < len(lines) and lines[j].strip():
        end = trace_end(lines, j)
        if end == j and (is_record(lines[j]) or is_pair(lines[j].strip())):
            end = _hunk_end(lines, j) if _HUNK.match(lines[j]) else j + 1
        found += min(end - j, 2)
        if end == j and found and lines[j][0].isspace():
            end = j + 1
        if end == j:
            break
        j = end
    return j if found > 1 else _alike_end(lines, i)


def add_records(build: Builder, lines: Sequence[str], frame: Sequence[int]) -> None:
    """Add records: a unit a line, a stack trace one unit, indented lines with the record above them.

    A line that is indented under one that ends with a colon needs that one.

    Args:
        build: Where to; the lines begin at `build.at`.
        lines: The lines, their line breaks included.
        frame: Indices of what each of them needs.
    """
    at, i = build.at, 0
    above: list[tuple[int, int]] = []  # of the lines that end with a colon: how far they are indented, their index
    while i < len(lines):
        if _HUNK.match(lines[i]) or _FILE.match(lines[i]):
            j = _add_diff(build, lines, i, frame)
            at += sum(map(len, lines[i:j]))
        else:
            j = _unit_end(lines, i)
            at += sum(map(len, lines[i:j]))
            indent = _indent(lines[i])
            while above and above[-1][0] >= indent:
                above.pop()
            index = _add_record(build, at, (*frame, *(parent for _, parent in above[-1:])))
            if lines[i].rstrip().endswith((":", "：")):
                above.append((indent, index))
        i = j


def _add_record(build: Builder, end: int, frame: Sequence[int]) -> int:
    """Add one record; a long one that tells several sentences, as a line of a chat does, in sentences with its head."""
    start, text = build.at, build.text
    record = text[start:end]
    head = _SPEAKER.match(record) if len(record) > _LONG and record.count("\n") < 2 else None
    if head is None or not head.end() or not _TOLD.search(record):
        return build.add_whole(end, "record", frame)
    mark = build.add(start + head.end(), "mark", frame)
    for cut in chain(ends(record[head.end() :], language_of(record)), (len(record) - head.end(),)):
        build.add_whole(start + head.end() + cut, "record", (*frame, mark))
    return mark


def _add_diff(build: Builder, lines: Sequence[str], i: int, frame: Sequence[int]) -> int:
    """Add the lines of a diff: each needs its hunk's line, and that the lines which name the file."""
    at = build.at
    files: list[int] = []
    hunk: int | None = None
    for number in range(i, len(lines)):
        line = lines[number]
        at += len(line)
        if _HUNK.match(line):
            hunk = build.add_whole(at, "record", (*frame, *files))
        elif hunk is not None and line[:1] in "+- \\":
            build.add_whole(at, "record", (*frame, hunk))
        elif _FILE.match(line):
            files = [] if hunk is not None else files
            hunk = None
            files.append(build.add_whole(at, "record", (*frame, *files)))
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
    log = _LOG.match(head[:_LOOK]) is not None
    if not head or not (log or is_pair(head)) or head.endswith((":", "：")):
        return j
    indent = _indent(lines[i])
    while j < len(lines) and lines[j].strip() and _indent(lines[j]) > indent:
        body = lines[j].strip()[:_LOOK]
        if _LOG.match(body) if log else (is_record(body) or is_pair(body)):
            break
        j += 1
    return j


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def is_pair(body: str) -> bool:
    """Tell whether a line is a key and its value, and no prose of several sentences."""
    return _PAIR.match(body[:_LOOK]) is not None and _TOLD.search(body[:_LOOK]) is None


def _alike_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the three or more lines from `i` on that all begin in the same way, or `i`."""
    bodies = [line.strip() for line in lines[i : i + 3]]
    if len(bodies) < 3 or not all(bodies) or any(_TOLD.search(body[:_LOOK]) for body in bodies) or not alike(bodies):
        return i
    j = i + 3
    while j < len(lines) and lines[j].strip() and alike([bodies[1], bodies[2], lines[j].strip()]):
        j += 1
    return j


def _shapes(body: str) -> list[str]:
    """Reduce the words of a line's beginning to their looks: `Person07 Lee,Sales,40000` to `a9`, `a,a,9`."""
    head = body[:80] if body.isascii() else _IDEOGRAPHS.sub("中", body[:80])
    return _REPEATS.sub(r"\1", head.translate(_CLASSES)).split()[:8]


def _same(shapes: Sequence[list[str]]) -> bool:
    """Tell whether lines have the same looks: their first words, or as many words and two columns of figures or so."""
    most = 0.8 * len(shapes)
    if len(shapes) > 2:
        head, count = Counter(shape[0] for shape in shapes if shape).most_common(1)[0]
        if count >= most and not set(head) <= _PLAIN:
            return True
    width, count = Counter(map(len, shapes)).most_common(1)[0]
    if width < 3 or count < most:
        return False
    columns = zip(*(shape for shape in shapes if len(shape) == width), strict=True)
    found = 0
    for column in columns:
        look, count = Counter(column).most_common(1)[0]
        found += count >= most and ("中" in look or not set(look) <= _PLAIN)
    return found > 1


def _separated(bodies: Sequence[str], mark: str) -> bool:
    """Tell whether three or more lines have as many fields, and one of figures among them."""
    if len(bodies) < 3 or mark not in bodies[0]:
        return False
    rows = [body[:_LOOK].split(mark) for body in bodies]
    width, count = Counter(map(len, rows)).most_common(1)[0]
    if width < 3 or count < 0.9 * len(rows):
        return False
    columns = zip(*(row for row in rows if len(row) == width), strict=True)
    return any(sum(any(map(str.isdigit, field[:40])) for field in column) >= 0.8 * len(rows) for column in columns)
