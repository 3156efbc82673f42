"""Front matter: what stands between `---` (YAML) or `+++` (TOML) at the beginning of a page."""

from __future__ import annotations

import re

from secateurs.segment.data import add_ini, add_yaml
from secateurs.segment.markdown.page import Page

_MOST = 400  # lines of front matter
_FIELD = re.compile(r"[\w.-]+\s*[:=](?:\s|$)|\s+\S|- |#|\[|\s*$")
_KEY = re.compile(r"[a-z_][\w-]*:(?:\s|$)")


def add_front_matter(page: Page) -> int:
    """Add the front matter at the beginning of a page, YAML between `---` or TOML between `+++`.

    Returns:
        The line after it; 0 if there is none.
    """
    lines = page.lines
    lo, _ = page.extent()
    fence = lines[lo].strip("\ufeff \t\r\n")
    if fence not in ("---", "+++"):
        return _add_rest_of_matter(page, lo)
    stop = min(len(lines), lo + _MOST)
    close = next((i for i in range(lo + 1, stop) if lines[i].rstrip() in (fence, "...")), None)
    if close is None or close == lo + 1 or not all(_FIELD.match(line) for line in lines[lo + 1 : close]):
        return 0
    page.skip(lo)
    opener = page.add(lo + 1, "mark", page.outline.base)
    add = add_yaml if fence == "---" else add_ini
    first = len(page.build)
    add(page.build, lines[lo + 1 : close], (*page.outline.base, opener))
    end = len(page.build)
    closer = page.add(close + 1, "mark", (*page.outline.base, opener))
    page.build.need(opener, closer)
    for index in range(first, end):
        page.build.need(index, closer)
    return close + 1


def _add_rest_of_matter(page: Page, lo: int) -> int:
    """Add front matter whose first line the chunk has lost; its closing mark is what tells it."""
    lines = page.lines
    if not _KEY.match(lines[lo].lstrip("\ufeff")):
        return 0
    stop = min(len(lines), lo + _MOST)
    close = next((i for i in range(lo, stop) if not lines[i].strip() or lines[i].rstrip() == "---"), None)
    if close is None or not lines[close].strip() or not all(_FIELD.match(line) for line in lines[lo:close]):
        return 0
    page.skip(lo)
    add_yaml(page.build, lines[lo:close], page.outline.base)
    page.add(close + 1, "mark", page.outline.base)
    return close + 1
