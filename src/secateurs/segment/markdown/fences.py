"""Units of code: fences, indented blocks, documents that are nothing else."""

from __future__ import annotations

from secateurs.segment.data import add_ini, add_json, add_yaml, ini_end, json_end, yaml_end
from secateurs.segment.markdown.page import Frame, Page
from secateurs.segment.units import pieces

SHORT = 12  # lines of code that stay one unit


def add_fence(page: Page, lo: int, hi: int, frame: Frame, *, info: str = "", closed: bool = True) -> None:
    """Add a code fence: whole while it is short, else its marks and, between them, what blank lines separate.

    Args:
        page: The document; the fence begins at the first line that is not cut yet.
        lo: The line of its opening mark.
        hi: One past its last line.
        frame: What it needs.
        info: What stands behind the opening mark: JSON, YAML and INI are cut as such, so that they stay valid.
        closed: Whether the last line is the closing mark.
    """
    last = hi - closed
    if last - lo - 1 <= SHORT:
        page.add(hi, "code" if hi - lo > 1 else "mark", frame)
        return
    opener = page.add(lo + 1, "mark", frame)
    first = len(page.build)
    _add_inside(page, lo + 1, last, (*frame, opener), info.partition(" ")[0].lower())
    if closed:
        end = len(page.build)
        closer = page.add(hi, "mark", (*frame, opener))
        page.build.need(opener, closer)
        for index in range(first, end):
            page.build.need(index, closer)


def _add_inside(page: Page, lo: int, hi: int, frame: Frame, language: str) -> None:
    build, lines = page.build, page.lines[lo:hi]
    start = next((page.starts[i] for i in range(lo, hi) if not page.blank(i)), build.at)
    if language in ("json", "jsonc", "json5"):
        start += len(build.text[start : start + 200]) - len(build.text[start : start + 200].lstrip())
        end = json_end(build.text, start) if build.text[start : start + 1] in ("{", "[") else None
        if end is not None and end <= page.starts[hi] and not build.text[end : page.starts[hi]].strip():
            add_json(build, page.starts[hi], frame, page.language)
            return
    if language in ("yaml", "yml") and yaml_end(lines, 0) == len(lines):
        add_yaml(build, lines, frame)
    elif language in ("ini", "toml", "properties", "conf") and ini_end(lines, 0) == len(lines):
        add_ini(build, lines, frame)
    else:
        _add_stretches(page, lo, hi, frame)


def add_code(page: Page, lo: int, hi: int, frame: Frame) -> None:
    """Add code without marks: whole while it is short, else what blank lines separate."""
    if hi - lo <= SHORT:
        page.add(hi, "code", frame)
    else:
        _add_stretches(page, lo, hi, frame)


def add_tail(page: Page, lo: int, hi: int) -> None:
    """Add code whose opening mark is lost; its last line is the closing one, which nothing but this code needs."""
    frame = page.outline.frame
    if hi - lo - 1 <= SHORT:
        page.add(hi, "code" if any(not page.blank(i) for i in range(lo, hi - 1)) else "mark", frame)
        return
    first = len(page.build)
    _add_stretches(page, lo, hi - 1, frame)
    end = len(page.build)
    closer = page.add(hi, "mark", frame)
    for index in range(first, end):
        page.build.need(index, closer)


def add_code_lines(page: Page, lo: int, hi: int, frame: Frame) -> None:
    """Add a unit for each line of code."""
    for i in range(lo, hi):
        page.add(i + 1, "code", frame)


def add_whole_fence(page: Page, lo: int, hi: int, *, closed: bool = True) -> None:
    """Add a fence that is the whole document: its marks, and each line a unit."""
    base = page.outline.base
    opener = page.add(lo + 1, "mark", base)
    first = len(page.build)
    add_code_lines(page, lo + 1, hi - closed, (*base, opener))
    if closed:
        end = len(page.build)
        closer = page.add(hi, "mark", (*base, opener))
        page.build.need(opener, closer)
        for index in range(first, end):
            page.build.need(index, closer)


def _add_stretches(page: Page, lo: int, hi: int, frame: Frame) -> None:
    """Add what blank lines separate; what is too long even so is cut at line breaks."""
    for i in range(lo, hi):
        if i + 1 == hi or (_empty(page, i) and not _empty(page, i + 1)):
            for end in pieces(page.build.text, page.build.at, page.starts[i + 1]):
                page.build.add(end, "code", frame)


def _empty(page: Page, i: int) -> bool:
    return not page.lines[i].strip(" \t\r\n>")  # `>` alone: an empty line of a quote
