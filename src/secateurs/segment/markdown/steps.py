"""Units of a list item's own text.

An item is one unit; a longer one is its marker and its sentences, each of which needs the marker. Long is over 240
characters. A numbered step in Chinese or Japanese that holds several sentences says in 40 characters what takes 160
in English, and its sentences are units from 20 ideographs on.
"""

from __future__ import annotations

import re

from secateurs.segment.markdown.page import Frame, Page
from secateurs.segment.markdown.quotes import MARKS, add_quoted
from secateurs.segment.prose import add_prose

LONG = 240  # characters of an item that stays one unit
MOST = 64  # units of an item's own text that what is nested in it needs; an item that is longer is no item
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_DENSE_STEP = 20  # ideographs of a numbered step that stays one unit, however many sentences it holds
_STOP = re.compile(r"[。！？][”」』）)》\"'*_`]*\s*(?=[^\s”」』）)》\"'*_`。！？])")
_TASK = re.compile(r"\[[ xX]\][ \t]+")


def is_long(text: str, *, numbered: bool) -> bool:
    """Tell whether an item's own text is cut in sentences.

    Args:
        text: Without its marker.
        numbered: Whether the marker is a number.
    """
    text = text.strip()
    if len(text) > LONG or not numbered:
        return len(text) > LONG
    return _STOP.search(text) is not None and len(_DENSE.findall(text)) > _DENSE_STEP


def add_item(page: Page, at: int, end: int, frame: Frame, *, numbered: bool, tight: bool = False) -> Frame:
    """Add an item's own text.

    Args:
        page: The document.
        at: Where the text behind the marker begins, in code points.
        end: Where it ends.
        frame: What it needs.
        numbered: Whether the marker is a number.
        tight: Whether a paragraph stands right above the list. A marker with nothing behind it cannot end that, so
            what begins in a further line of the item needs what stands behind the marker.

    Returns:
        The units of the text, which whatever is nested in the item needs.
    """
    build = page.build
    first = len(build)
    task = _TASK.match(build.text, at, end)
    at = task.end() if task else at
    if is_long(build.text[at:end], numbered=numbered):
        frame = (*frame, build.add(at, "mark", frame))
        if MARKS.search(build.text, at, end):
            add_quoted(page, end, frame, "item")
        else:
            add_prose(build, end, frame, page.language, "item")
        page.bind(first + 1)
        if tight:
            for index in range(first + 2, len(build)):
                if build.begins_line(index):
                    build.need(index, first + 1)
    else:
        build.add_whole(end, "item", frame)
    return tuple(range(first, min(len(build), first + MOST)))
