"""Whose text is it? The lines that name a source, and with `speakers` the marks of who is speaking.

`Title:`, `URL:`, `From:` and their like above a text, numbered sources (`[1] title (url)`). They are looked for in
the whole document at once, because one line alone proves little: a header stands above text and comes with others of
its kind, or at the top.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from secateurs.segment.markdown.mails import introductions, is_separator
from secateurs.segment.markdown.speakers import turns

Role = Literal["keyed", "label", "numbered", "passage", "entry", "speaker"]

_STRONG = r"title|url|source|link|from|subject|document|标题|题目|来源|出处|链接|网址|发件人|主题"
_WEAK = (
    r"author|authors|by|to|cc|bcc|date|sent|published|publisher|website|site|file|filename|path|page|section|retrieved"
    r"|作者|日期|时间|发布时间|发布日期|收件人|抄送|发送时间|文件|文件名|文档|网站|页码|章节"
)
_LABELS = "content|contents|text|body|snippet|excerpt|passage|正文|内容|摘要|全文|原文"
_BOLD = r"(?:\*\*?|__)?"
_COLON = rf"{_BOLD}[ \t]?[:：]{_BOLD}[ \t]*"
_KEYED = re.compile(rf"[ \t]*{_BOLD}(?:(?P<strong>{_STRONG})|{_WEAK}){_COLON}(?P<rest>.*)", re.I)
_LABEL = re.compile(rf"[ \t]*{_BOLD}(?:{_LABELS}){_COLON}", re.I)
_NUMBERED = re.compile(
    r"[ \t]*(?:\*\*)?(?P<mark>\[(?P<n>\d{1,3})\](?!:)|【(?P<cn>\d{1,3})】"
    r"|(?:Document|Doc|Source|Passage|Result|Context|Chunk|Snippet|文档|来源|资料|片段|结果|材料|段落)[ \t]*"
    r"[#\[【(（]?(?P<word>\d{1,3})[\]】)）]?(?:[ \t]*\(Title:[^\n()]{1,200}\))?(?=[ \t]*(?:[:：.\-—–(（\r\n*]|$)))"
    r"(?:\*\*)?(?P<colon>[ \t]*[:：])?[ \t]*"
)
_SENTENCE = re.compile(r"[.!?。！？…~～][\"'”’)）]*\s*$")
_RULE = re.compile(r"\s*(?:[-=*_—]\s*){3,}$")
_TITLES = 2  # lines of a title that stand above header lines at the top
_TITLE = re.compile(r"[^#>|`~\[{<\s*+-].*[^.。!！;；,，:：\s]\s*$")
_FIRST = " \t*[【DSPRC文来资片结材段"  # what a numbered source may begin with
_NAME = 80  # characters of a line in which the colon of a key or a name stands
_KEYS = 12  # header lines of one source; what has more is a table of another kind
_LONG = 200  # characters of a line that still names a source


@dataclass(frozen=True, slots=True)
class Header:
    """What a line is for the text below it.

    Attributes:
        role: `"keyed"` (`Title: …`), `"label"` (`Content:`), `"numbered"` (a line that names a source by number),
            `"passage"` (a number before the source's own text), `"entry"` (a numbered line that is all there is),
            `"speaker"`.
        end: Where its mark ends, in characters of the line; for a header its whole length.
    """

    role: Role
    end: int


def headers(lines: Sequence[str]) -> dict[int, Header]:
    """Find the lines of a document that say whose text it is.

    Args:
        lines: Of the document, with their line breaks.

    Returns:
        What they are, by the index of the line.
    """
    named = [i for i, line in enumerate(lines) if ":" in line[:_NAME] or "：" in line[:_NAME]]
    if not named and not any(line[0] in _FIRST for line in lines):
        return {}
    found: dict[int, Header] = {}
    numbered = {i: match for i in _lines(lines, _FIRST) if (match := _NUMBERED.match(lines[i]))}
    if numbered:
        found.update(_numbered(lines, numbered))
    keyed = {i: match for i in named if (match := _KEYED.match(lines[i])) and len(lines[i]) <= _LONG}
    if keyed:
        found.update(_keyed(lines, keyed, found))
    found.update((i, Header("keyed", len(lines[i]))) for i in introductions(lines) if i not in found)
    found.update((i, Header("speaker", end)) for i, end in turns(lines, named).items() if i not in found)
    return found


def _lines(lines: Sequence[str], firsts: str) -> Iterator[int]:
    return (i for i, line in enumerate(lines) if line[0] in firsts)


def _next(lines: Sequence[str], i: int) -> int | None:
    """Return the next line after `i` with anything on it."""
    return next((j for j in range(i + 1, min(i + 6, len(lines))) if lines[j].strip()), None)


def _numbered(lines: Sequence[str], marks: dict[int, re.Match[str]]) -> dict[int, Header]:
    numbers = [int(match["n"] or match["cn"] or match["word"]) for match in marks.values()]
    first = next(iter(marks))
    alone = len(numbers) == 1 and ("://" in lines[first] or marks[first]["word"] is not None)
    alone = alone and not any(line.strip() for line in lines[:first])
    if not alone and sum(b == a + 1 for a, b in pairwise(numbers)) * 2 < len(numbers):
        return {}
    below = {i: _next(lines, i) for i in marks}
    above = {
        i for i, j in below.items() if j is not None and j not in marks and not lines[j].lstrip().startswith("#")
    }
    others = list(marks)[:-1] or list(marks)
    heads = sum(i in above for i in others) * 2 > len(others)
    found = {}
    for i, match in marks.items():
        if match.end() < len(lines[i].rstrip()) and len(lines[i]) > _LONG:
            found[i] = Header("passage", match.end())
        elif heads and i in above and not (match["colon"] and _SENTENCE.search(lines[i])):
            found[i] = Header("numbered", len(lines[i]))
        elif match.end() < len(lines[i].rstrip()):
            found[i] = Header("passage" if match["word"] else "entry", match.end())
    return found


def _keyed(lines: Sequence[str], keys: dict[int, re.Match[str]], numbered: dict[int, Header]) -> dict[int, Header]:
    groups: list[list[int]] = []
    for i in keys:
        if groups and groups[-1][-1] == i - 1:
            groups[-1].append(i)
        else:
            groups.append([i])
    top = next((i for i, line in enumerate(lines) if line.strip()), 0)
    groups = [group for group in groups if len(group) <= _KEYS and _begins(lines, group[0], top, numbered)]
    firsts = Counter(_key(lines[group[0]]) for group in groups)
    found: dict[int, Header] = {}
    for group in groups:
        strong = any(keys[i]["strong"] for i in group)
        titles = [i for i in range(top, group[0]) if _is_title(lines[i])] if group[0] - top <= _TITLES else []
        below = group[-1] + 1
        label = _LABEL.match(lines[below]) if below < len(lines) else None
        after = _next(lines, group[-1])
        known = len(group) > 1 or label is not None or group[0] - top <= _TITLES or group[0] - 1 in numbered
        known = known or firsts[_key(lines[group[0]])] > 1
        if strong and known and after is not None and any(lines[i][keys[i].start("rest") :].strip() for i in group):
            above = [i for i in range(max(group[0] - 1, top), group[0]) if is_separator(lines[i])]
            found.update((i, Header("keyed", len(lines[i]))) for i in (*titles, *above, *group))
            if label:
                found[below] = Header("label", label.end())
    return found


def _begins(lines: Sequence[str], i: int, top: int, numbered: dict[int, Header]) -> bool:
    """Tell whether header lines may begin at a line: below a blank one, a rule or a number, or below a title."""
    if i == 0 or not lines[i - 1].strip() or i - 1 in numbered or _RULE.match(lines[i - 1]):
        return True
    if is_separator(lines[i - 1]):
        return True
    return i - top <= _TITLES and all(map(_is_title, lines[top:i]))


def _is_title(line: str) -> bool:
    return len(line) <= _LONG // 2 and _TITLE.match(line) is not None


def _key(line: str) -> str:
    return re.split("[:：]", line, maxsplit=1)[0].strip(" \t*_").lower()
