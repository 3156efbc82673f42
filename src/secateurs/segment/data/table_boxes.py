"""Tables drawn with rules: boxes of SQL clients and terminals, `psql`, `pip list`, reStructuredText."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

_BARS = "|│┃║┆┊"
_DASHES = "-=─━═╌┄┈"
_JOINTS = "+┌┐└┘├┤┬┴┼╭╮╰╯╒╓╔╕╖╗╘╙╚╛╜╝╞╟╠╡╢╣╤╥╦╧╨╩╪╫╬┏┳┓┡╇┩┗┻┛┠╋┨┢┪┣┫┯┷┿┝┥╂"
_RULE = re.compile(rf"[ \t]*[{re.escape(_DASHES + _JOINTS + _BARS)}:][{re.escape(_DASHES + _JOINTS + _BARS)}: \t]*$")
_STROKE = re.compile(rf"[{re.escape(_DASHES)}]{{2}}")
_GROUPS = re.compile(r"[ \t]*(?:-{2,}|={2,})(?:[ \t]+(?:-+|=+))+[ \t]*$")
_BAR = re.compile(f"[{re.escape(_BARS)}]")
_CROSSED = re.compile(f"[{re.escape(_JOINTS + _BARS)}]")
_HINT = re.compile(f"[{re.escape(_BARS)}]|[{re.escape(_DASHES)}]{{2}}")
OTHER = re.compile(r"\s*(?:```|~~~|[$#>%] |\S+@\S*[:~].*[$#] )")  # a fence, a prompt: no row of what stands above
_GRID = 3  # lines that a row of a grid has on average, at most; more are rows with a rule here and there


@dataclass(frozen=True, slots=True)
class Row:
    """Lines of a table that belong together.

    Attributes:
        end: Index after the last of them.
        role: The row that names the columns, a rule, or one of the others.
    """

    end: int
    role: Literal["header", "rule", "row"]


def read_box(lines: Sequence[str], i: int) -> list[Row] | None:
    """Return the rows of a table with rules that begins at a line, None if there is none."""
    if i + 1 >= len(lines) or not (_HINT.search(lines[i]) or _HINT.search(lines[i + 1])):
        return None
    if _is_drawn(lines[i]) and _has_bar(lines[i + 1]) and not _is_drawn(lines[i + 1]):
        return _boxed(lines, i)
    if _GROUPS.match(lines[i]):
        return _between_groups(lines, i)
    if _has_bar(lines[i]) and _is_drawn(lines[i + 1]):
        return _under_rule(lines, i, bars=True)
    if lines[i].strip() and _GROUPS.match(lines[i + 1]) and not _is_rule(lines[i]):
        return _under_rule(lines, i, bars=False)
    return None


def _is_rule(line: str) -> bool:
    """Tell whether a line is drawn; `│ --- ┆ --- │` is a row, as Polars has it, `| --- | --- |` a rule."""
    if line.lstrip()[:1] in tuple(_BARS[1:]):
        return False
    return _RULE.match(line.rstrip()) is not None and _STROKE.search(line) is not None


def _is_drawn(line: str) -> bool:
    """Tell whether a line is a rule with something that crosses it, so that it divides columns."""
    return _is_rule(line) and _CROSSED.search(line) is not None


def _has_bar(line: str) -> bool:
    return _BAR.search(line) is not None


def _boxed(lines: Sequence[str], i: int) -> list[Row] | None:
    """Read a box: rules and rows in turn, the first rows being the header if a rule divides them from others."""
    end = i
    rules = []
    while end < len(lines) and (_is_rule(lines[end]) or lines[end].lstrip()[:1] in tuple(_BARS)):
        if _is_rule(lines[end]):
            rules.append(end)
        end += 1
    stops = [*rules, end] if rules[-1] < end - 1 else rules
    parts = [(low + 1, high) for low, high in pairwise(stops)]
    if not parts:
        return None
    rows = [Row(i + 1, "rule")]
    if len(parts) > 1:
        rows += [Row(parts[0][1], "header"), Row(parts[0][1] + 1, "rule")]
    body = parts[1:] if len(parts) > 1 else parts
    grid = len(body) > 1 and sum(high - low for low, high in body) <= _GRID * len(body)
    for low, high in body:
        if grid:
            rows.append(Row(min(high + 1, end), "row"))
            continue
        rows += [Row(j + 1, "row") for j in range(low, high)]
        if high < end:
            rows.append(Row(high + 1, "rule"))
    return rows


def _under_rule(lines: Sequence[str], i: int, *, bars: bool) -> list[Row] | None:
    """Read a header, the rule below it and the rows below that, up to a blank line, a fence or one without bars."""
    rows = [Row(i + 1, "header"), Row(i + 2, "rule")]
    for j in range(i + 2, len(lines)):
        if (
            not lines[j].strip()
            or OTHER.match(lines[j])
            or (bars and not _has_bar(lines[j]) and not _is_rule(lines[j]))
        ):
            break
        rows.append(Row(j + 1, "rule" if _is_rule(lines[j]) else "row"))
    return rows if len(rows) > 2 else None


def _between_groups(lines: Sequence[str], i: int) -> list[Row] | None:
    """Read a simple table of reStructuredText: the same rule above the header, below it and at the end."""
    if i + 2 >= len(lines) or not _GROUPS.match(lines[i + 2]):
        return None
    rows = [Row(i + 1, "rule"), Row(i + 2, "header"), Row(i + 3, "rule")]
    for j in range(i + 3, len(lines)):
        rule = _GROUPS.match(lines[j]) is not None
        rows.append(Row(j + 1, "rule" if rule else "row"))
        if rule:
            return rows
    return None
