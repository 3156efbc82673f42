"""Stack traces, of Python, Java, JavaScript, Go, Rust, .NET, Ruby and PHP: where one ends that begins at a line.

A trace is its message, its frames and whatever it was caused by. The message stands before the frames, in Python
behind them; the line of a log above a trace belongs to it. What a container or a build service writes before each
line (`web_1  | `, a time) is looked through.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from secateurs.segment.prose.heads import LOOK, is_frame, is_log

_PREFIX = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{8,20}Z?\s|[\w.-]{1,40}\s{0,20}\|\s")
_TRACEBACK = "Traceback (most recent call last)"
_OPENER = re.compile(
    r"\s{0,9}(?:panic: |fatal error: |thread '[^']{0,80}' panicked at|Exception in thread \"|Unhandled [Ee]xception"
    r"|goroutine \d+ \[|(?:PHP )?Fatal error:\s+Uncaught |Stack trace:|stack backtrace:)"
)
_THROWN = re.compile(
    r"(?:[\w$]{1,80}[.:/\\]{1,2}){0,12}[\w$]{0,80}(?:Error|Exception|Warning|Exit|Interrupt|Failure|Fault|Panic)"
)
_SIGN = re.compile(rf"{_OPENER.pattern}|{_THROWN.pattern}|\S{{1,200}}:\d+\s*$|.*{re.escape(_TRACEBACK)}")
_CHAIN = re.compile(  # what may follow a blank line
    r"\s*(?:During handling of the above|The above exception was|Traceback \(most recent|goroutine \d+ \["
    r"|stack backtrace:|Caused by\b|Stack trace:|Node\.js v\d)"
)
_MORE = re.compile(  # lines of a trace that are not indented, frames apart
    r"Caused by\b|Suppressed:|Wrapped by:|--- End of |---> |stack backtrace:|Stack trace:|note: |\{main\}|thrown in "
    r"|During handling of the above|The above exception was|Inner [Ee]xception|\[cause\]:|\[errors\]:|\^|~+|[+|] "
    r"|[\w./*()-]{1,160}\([^()]{0,120}\)\s*$|created by |exit status \d|\[signal |goroutine \d+ \[|Node\.js v\d"
)
_RAISED = re.compile(r"[A-Za-z_][\w.]{0,120}(?::\s|:?\s*$)")  # Python's last line: the error and its message
_THROWS = re.compile(r"\S{1,200}:\d+\s*$")  # Node's first line: where it was thrown


def trace_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the stack trace that begins at line `i`, its message included, or `i` if none does."""
    prefixed = _PREFIX.match(lines[i]) is not None
    start = _first(lines, i, prefixed=prefixed)
    if start == i:
        return i
    j, python, loose = start, any(_TRACEBACK in line for line in lines[i:start]), start + 2
    while j < len(lines):
        line = _bare(lines[j], prefixed=prefixed)
        if line is None:
            break
        if not line.strip():
            after = _chained(lines, j, prefixed=prefixed)
            if after == j:
                break
            j = after
            continue
        if _TRACEBACK in line:
            python = True
        elif not (line[0].isspace() or is_frame(line) or _MORE.match(line)):
            if python and _RAISED.match(line):
                python, loose = False, j + 3  # its message may have more lines
            elif not _is_message(lines, j, prefixed=prefixed, loose=j < loose):
                break
        j += 1
    return j


def _bare(line: str, *, prefixed: bool) -> str | None:
    """Return the beginning of a line, without what stands before each; None where that is missing."""
    if not prefixed:
        return line[:LOOK]
    found = _PREFIX.match(line)
    return None if found is None else line[found.end() : found.end() + LOOK] or "\n"


def _first(lines: Sequence[str], i: int, *, prefixed: bool) -> int:
    """Return the index after the first line that is surely of a trace whose message begins at line `i`, or `i`."""
    head = _bare(lines[i], prefixed=prefixed) or ""
    if _OPENER.match(head) or _TRACEBACK in head:
        return i + 1
    if not head.strip() or not (
        _SIGN.match(head) or (i + 1 < len(lines) and _may_follow(lines[i + 1], prefixed=prefixed))
    ):
        return i
    near = [_bare(line, prefixed=prefixed) or "" for line in lines[i : i + 6]]
    if len(near) < 2 or (_is_inner(head) and _is_inner(near[1])):
        return i + 2 if len(near) > 1 else i  # a piece of text may begin in the middle of a trace
    if _THROWS.match(head) and len(near) > 2 and near[2].strip()[:1] == "^":
        return i + 3
    thrown = _THROWN.match(head) is not None
    for at, line in enumerate(near[1:5], 1):
        if _is_inner(line) or (at == 1 and (_OPENER.match(line) or _TRACEBACK in line)):
            return i + at + 1
        if not line.strip() or is_log(line) or not (thrown or (at == 1 and _THROWN.match(line))):
            return i
        thrown = True
    return i


def _may_follow(line: str, *, prefixed: bool) -> bool:
    """Tell, at once, whether a line may be the second of a trace."""
    line = _bare(line, prefixed=prefixed) or ""
    return line[:1].isspace() or _SIGN.match(line) is not None


def _is_inner(line: str) -> bool:
    """Tell whether a line is an indented frame."""
    return line[:1].isspace() and is_frame(line)


def _is_message(lines: Sequence[str], j: int, *, prefixed: bool, loose: bool = False) -> bool:
    """Tell whether line `j` of a trace, which is not indented, is a message: more of the trace follows.

    Args:
        lines: The lines of the text.
        j: Which one.
        prefixed: Whether something stands before each line.
        loose: Whether it may be any words, as between the place and the frames, or behind the error.
    """
    near = [_bare(line, prefixed=prefixed) or "" for line in lines[j : j + 3]]
    if len(near) < 2 or is_log(near[0]):
        return False
    if _THROWN.match(near[0]):
        return any(map(_is_inner, near[1:]))
    return (
        loose
        and len(near[0]) <= 80
        and ((near[1][0].isspace() and near[1].strip() != "") or _MORE.match(near[1]) is not None)
    )


def _chained(lines: Sequence[str], j: int, *, prefixed: bool) -> int:
    """Return the line behind up to two blank ones at `j` where the trace goes on, or `j` if it does not."""
    after = j
    while after < min(j + 3, len(lines)) and not (_bare(lines[after], prefixed=prefixed) or "").strip():
        after += 1
    if after == len(lines):
        return j
    line = _bare(lines[after], prefixed=prefixed) or ""
    message = _THROWN.match(line) is not None and _is_message(lines, after, prefixed=prefixed)
    return after if message or _CHAIN.match(line) else j
