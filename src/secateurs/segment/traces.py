"""Stack traces, of Python, Java, JavaScript, Go, Rust, .NET, Ruby and PHP: where one ends that begins at a line.

A trace is its message, its frames and whatever it was caused by. The message stands before the frames, except in Python;
the line of a log above a trace belongs to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LOOK = 240  # characters at the beginning of a line that tell what it is
_TRACEBACK = "Traceback (most recent call last)"
_OPENER = re.compile(
    r"panic: |fatal error: |thread '[^']{0,80}' panicked at|Exception in thread \"|Unhandled [Ee]xception|goroutine \d+ \["
    r"|(?:PHP )?Fatal error:\s+Uncaught |Stack trace:|stack backtrace:|[+|]\s+Exception Group Traceback"
)
_FRAME = re.compile(
    r"\s*(?:at\s+(?:async\s|new\s)?(?:[\w$<>]+\(|[^\s()]*[./<$:\\][^\s()]*(?:\s*$|\s?\(|\s\[|\sin\s)"
    r"|[^\s()]+\s(?:\[as [^\]]{1,80}\]\s)?\((?:[^()]{1,200}:\d+|<anonymous>|native|index \d+)\))"
    r"|File \"[^\"]{1,200}\", line \d|\.\.\. \d+ (?:more|common|lines)"
    r"|from \S{1,200}:\d+:in |#\d{1,4}\s+(?:0x|/|\S{1,200}\()|\d{1,4}:\s+(?:0x[0-9a-f]+ - )?[\w<{]+::|\S{1,200}\.(?:go|rs):\d+)"
)
_GO = re.compile(r"[\w./*()-]{1,160}\([^()]{0,120}\)\s*$|created by |exit status \d|\[signal |goroutine \d+ \[")
_MORE = re.compile(
    r"\s*(?:Caused by\b|Suppressed:|Traceback \(most recent|During handling of the above|The above exception was"
    r"|--- End of |stack backtrace:|Stack trace:|note: |\{main\}|thrown in |goroutine \d+ \[|created by |exit status \d"
    r"|\^|~+|Wrapped by:|Inner [Ee]xception|---> |\[cause\]:|\[errors\]:|Node\.js v\d|\[Previous line repeated)"
)
_CHAIN = re.compile(
    r"\s*(?:During handling of the above|The above exception was|Traceback \(most recent|goroutine \d+ \[|stack backtrace:"
    r"|Caused by\b|Stack trace:)"
)
_THROWN = re.compile(
    r"(?:[\w$]{1,80}[.:/\\]{1,2}){0,12}[\w$]{0,80}(?:Error|Exception|Warning|Exit|Interrupt|Failure|Fault|Panic)"
)
_PYTHON = re.compile(r"(?:[+|]\s)?[A-Za-z_][\w.]{0,120}(?::\s|:?\s*$)")
_NODE = re.compile(r"\S{1,200}:\d+\s*$")


def trace_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the stack trace that begins at line `i`, its message included, or `i` if none does."""
    start = _frames_at(lines, i)
    if start < 0:
        return i
    j, python = start, False
    while j < len(lines):
        line = lines[j][:_LOOK]
        if not line.strip():
            after = _chained(lines, j)
            if after == j:
                break
            j = after
            continue
        if _TRACEBACK in line:
            python = True
        elif not (line[0].isspace() or _FRAME.match(line) or _MORE.match(line) or _GO.match(line)):
            if not (python and _PYTHON.match(line)) and not _caused(lines, j):
                break
            python = False
        j += 1
    return j


def _frames_at(lines: Sequence[str], i: int) -> int:
    """Return where the frames of a trace begin whose message begins at line `i`; -1 if it is none."""
    line = lines[i][:_LOOK]
    if _OPENER.match(line.lstrip()) or _TRACEBACK in line:
        return i
    if line[:1].isspace() and _is_frame(line) and i + 1 < len(lines) and _is_frame(lines[i + 1]):
        return i  # a piece of text may begin in the middle of a trace
    for j in range(i + 1, min(i + 4, len(lines))):
        line = lines[j][:_LOOK]
        if not line.strip():
            return -1
        if _is_frame(line) or (j == i + 1 and (_OPENER.match(line.lstrip()) or _TRACEBACK in line)):
            return j
        if not _THROWN.match(line) and not line[0].isspace():
            return -1
    return -1


def is_frame(line: str) -> bool:
    """Tell whether a line is a frame of a stack trace."""
    return _FRAME.match(line[:_LOOK]) is not None


def _is_frame(line: str) -> bool:
    return line[:1].isspace() and _FRAME.match(line[:_LOOK]) is not None


def _caused(lines: Sequence[str], j: int) -> bool:
    """Tell whether line `j` is the message of more frames."""
    return _THROWN.match(lines[j][:_LOOK]) is not None and j + 1 < len(lines) and _is_frame(lines[j + 1])


def _chained(lines: Sequence[str], j: int) -> int:
    """Return the line behind up to two blank ones at `j` where the trace goes on, or `j` if it does not."""
    after = j
    while after < min(j + 3, len(lines)) and not lines[after].strip():
        after += 1
    return after if after < len(lines) and _CHAIN.match(lines[after][:_LOOK]) else j
