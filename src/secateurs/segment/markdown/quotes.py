"""Sentences inside a block quote, whose lines begin with `>`.

A mark belongs to its line as indentation does: to the unit that begins there. Where several sentences begin in one
line, its mark is a unit of its own that they need, so that each of them stays a quote without the others.
"""

from __future__ import annotations

import re

from secateurs.segment.markdown.page import Frame, Page
from secateurs.segment.prose import add_prose
from secateurs.segment.units import Builder, Kind

MARKS = re.compile(r"^[ \t]*+(?:>[ \t]*+)++", re.MULTILINE)


def add_quoted(page: Page, end: int, frame: Frame, kind: Kind) -> None:
    """Add the sentences of a quoted paragraph.

    Args:
        page: The document.
        end: Where the paragraph ends, in code points.
        frame: What they need.
        kind: What they are.
    """
    build = page.build
    base = build.at
    piece = build.text[base:end]
    plain = MARKS.sub(lambda match: " " * len(match.group()), piece)
    inner = Builder(plain)
    inner.extend(plain.rfind("\n", 0, len(plain) - len(plain.lstrip())) + 1)  # an empty first line of the quote
    add_prose(inner, len(plain), (), page.language, kind)
    units = inner.units()
    begins = [unit.start == 0 or plain[unit.start - 1] in "\r\n" for unit in units]
    mark: Frame = ()
    where: list[int] = []  # the index on the page of each unit
    for number, unit in enumerate(units):
        if begins[number]:
            marks = MARKS.match(piece, unit.start)
            shared = marks is not None and number + 1 < len(units) and not begins[number + 1]
            mark = (build.add(base + marks.end(), "mark", frame),) if marks is not None and shared else ()
        where.append(build.add(base + unit.end, unit.kind, (*frame, *mark)))
    for number, unit in enumerate(units):
        build.need(where[number], *(where[index] for index in unit.frame))
