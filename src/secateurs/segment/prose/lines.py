"""Which line breaks of a paragraph end a sentence, and which are white space in the middle of one.

Hard-wrapped prose breaks where a column is full: in mid-sentence, before a small letter, in Chinese even in mid-word.
Lines that each stand for themselves (verse, addresses, titles, records) do not go on. Three questions:

1. Do the lines begin alike, as records do (`secateurs.segment.prose.records`)? Then none goes on.
2. Is the whole paragraph wrapped at a column? Then all go on.
3. Else, pair by pair: does the first line end, or the second begin, as only the middle of a sentence does?
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from secateurs.segment.prose.heads import is_pair, is_record
from secateurs.segment.prose.inline import DENSE, Walk, inline
from secateurs.segment.prose.records import look_alike

_PAUSE = re.compile(r"[.!?:;。！？：；…][\"'”’»」』)）\]】》*_`]*(?:\[\w{1,4}\])*\s*$")
_KEY = re.compile(  # of a pair, or who speaks: Ann [dev]:
    r"[\w.\- :]{1,40}(?:[:=：](?=\s|$)|(?<!\d)[:=：])|[\w.\- ]{1,30}(?:\[[^\]]{1,20}\]|\([^)]{1,20}\))[:：]\s"
    r"|\*\*[^*]{1,40}\*\*\s*$|【|\[[^\]]{1,80}\]:"
)
_ALERT = re.compile(r"\[![A-Z]{3,12}\]$|:::\s?\w|:\w+_tab:")  # a line of its own in some Markdown
_ATOM, _INDEX = re.compile(r"(?:\b[A-Z]{1,3}[a-z]?|\d\))$"), re.compile(r"\s*\d{1,2}(?![.\d])")  # a formula: O, 2
_HAN = re.compile(DENSE)
_OPENERS = "“\"'‘(（[【「『《*_`«„¿¡"
_HANGS = re.compile(  # no line but one in mid-sentence ends like this
    r"[,，、–—(（\[【「“-]$|(?<!\S)(?:(?<![;,] )(?:and|or)|the|an?|of|with|from|as|into|than|its|their|our|your|if"
    r"|because|whose|der|die|das|dem|den|des|ein|eine|einen|einem|einer|und|oder|vom|zum|zur|im|dass"
    r"|le|la|les|du|des|et|ou|un|une|de|que|dans|pour|el|los|las|del|y|en|con|por|para)$"
)
_HANGS_DENSE = re.compile(r"[和与與或及并並在对對为為是以从從于於由被把将將使向比但]$")
_CARRIES_DENSE = re.compile(r"[的和与與或及等了着過过们們之]|中的|所")
_STARTS_DENSE = re.compile(  # no rest of a sentence begins like this
    r"如果|但是|因此|所以|此外|另外|同时|最后|首先|其次|其中|然而|通过|由于|为了|根据|按照|对于|关于|违反|任何"
    r"|[在当這这那该該本我你您他她它请請注每各凡]"
)
_STOPS_DENSE = re.compile(r"[。！？；][”」』）》]*$")
_TORN = re.compile(r"(?![是好对對嗯哦不行有没沒啊哈喂])[\u4e00-\u9fff][，。、；]")  # 方|式，
_ENDS = re.compile(r"[，。；：！？、,.;:!?]$")
_NO_CARRY = re.compile(  # a title, an article, an item of a list
    r"第[一二三四五六七八九十百千零〇\d]{1,6}[章节節条條款项項部编編回]"
    r"|[（(]?[一二三四五六七八九十\d]{1,3}(?:[)）、．]|\.(?!\d))|[①-⑳【•·|]|[*\-–—>+#]{1,6}\s"
)
_COLUMNS = re.compile(r"\S(?:\t|\s{3})\s*\S")
_INNER = re.compile(r"[，。；！？]")
_BRACKETED = re.compile(r"\[[^\]]*\](?![(\[])")  # [deleted], and no link
_SENTENCE = re.compile(r"[.!?]['\"”’)]*\s+['\"“‘(]*[A-ZÀ-ÞА-Я]")


def runs(lines: Sequence[str], *, wrapped: bool) -> Iterator[str]:
    """Join the lines of a paragraph that one sentence may cross; every run's end is a sentence's end.

    Args:
        lines: The lines, their line breaks included.
        wrapped: What `is_wrapped` says of the paragraph.
    """
    if len(lines) == 1 or wrapped:
        yield "".join(lines)
        return
    bodies = [line.strip() for line in lines]
    look = _Look(
        lower=_is_lower(bodies),
        flowing=_is_flowing(bodies),
        torn=Walk(inline("".join(lines)).sure),
    )
    at, run = 0, [lines[0]]
    before, blank = bodies[0], False
    for body, line, ending in zip(bodies[1:], lines[1:], lines, strict=False):
        at += len(ending)
        if body:
            hard = ending.rstrip("\r\n").endswith(("  ", "\\"))
            if not (goes_on(before, body) if blank else _joins(before, body, look, at, hard=hard)):
                yield "".join(run)
                run = []
            before = body
        blank = not body
        run.append(line)
    yield "".join(run)


@dataclass(frozen=True)
class _Look:
    """What a paragraph as a whole says about its line breaks.

    Attributes:
        lower: It is written in small letters, so that they tell nothing.
        flowing: Its lines break in mid-sentence.
        torn: What no cut may tear.
    """

    lower: bool
    flowing: bool
    torn: Walk


def _is_lower(bodies: Sequence[str]) -> bool:
    """Tell whether most sentences begin with a small letter."""
    begins = [bodies[0], *(body for before, body in pairwise(bodies) if _PAUSE.search(before[-20:]))]
    small = sum(_first(body).islower() for body in begins)
    return small > len(begins) - small + sum(_SENTENCE.search(body) is not None for body in bodies)


def _is_flowing(bodies: Sequence[str]) -> bool:
    """Tell whether a line ends with a comma of Chinese, or half of the lines that do not end a sentence break one."""
    if any(body.endswith(("，", "、")) for body in bodies[:-1]):
        return True
    if not (_PAUSE.search(bodies[-1][-20:]) or any(map(_SENTENCE.search, bodies))):
        return False
    broken = [(a, b) for a, b in pairwise(bodies) if a and b and not _PAUSE.search(a[-20:])]
    if not broken or min(len(before) for before, _ in broken) < max(map(len, bodies)) / 2:
        return False
    return len(broken) <= 2 * sum(body[0].islower() for _, body in broken)


def _first(body: str) -> str:
    """Return the first letter of a line, behind quotation marks and the bracket of a link."""
    if body[:1] == "[" and _BRACKETED.match(body):
        return "["
    return body.lstrip(_OPENERS)[:1]


def is_wrapped(lines: Sequence[str]) -> bool:
    """Tell whether lines are broken at a column: the next line's first word would hardly ever have fitted.

    Columns are 40 to 120 characters, an ideograph counts as two. Where there are small letters, a third of the lines
    that break in mid-sentence go on with one; lines that begin alike are no prose.
    """
    bodies = [line.strip() for line in lines if line.strip()]
    lengths = list(map(len, bodies))
    if not bodies:
        return True
    if not 20 <= max(lengths) <= 120 or (len(bodies) == 2 and _is_title(bodies[0], bodies[1])):
        return False
    broken = [(a, b) for a, b in pairwise(bodies) if not _PAUSE.search(a[-20:])]
    cased = [char for char in (_first(b) for _, b in broken) if char.lower() != char.upper()]
    small = sum(map(str.islower, cased))
    prose = len(cased) > 2 and small >= len(cased) / 2
    if len(cased) > 2 and small < len(cased) / 3 and not _has_sentences(bodies, broken):
        return False
    widths = list(map(_columns, bodies))
    if not 40 <= max(widths) <= 120:
        return False
    # set in a proportional type, as in a PDF, lines differ by a third
    loose = prose and min(widths[:-1]) >= 0.65 * max(widths)
    if not (loose or _is_full(widths, bodies) or (_HAN.search(bodies[0]) and _is_full(lengths, bodies))):
        return False
    return not _is_list(bodies, prose=prose)


def _columns(body: str) -> int:
    """Return how many columns a line takes; an ideograph takes two, and three bytes."""
    return len(body) if not _HAN.search(body) else (len(body) + len(body.encode("utf-8", "replace"))) // 2


def _is_title(body: str, after: str) -> bool:
    """Tell whether the first of two lines stands for itself: two are too few to tell a column."""
    if len(after) >= len(body) or not _PAUSE.search(after[-20:]):
        return True
    return _HAN.match(after) is not None and (not _INNER.search(body) or _KEY.match(body) is not None)


def _has_sentences(bodies: Sequence[str], broken: Sequence[tuple[str, str]]) -> bool:
    """Tell whether a third of the lines hold the end of a sentence, or one ends in the middle of a phrase."""
    inside = sum(_SENTENCE.search(body) is not None for body in bodies)
    return 3 * inside >= len(bodies) or any(
        _HANGS.search(before[-12:]) and before[-1].isalpha() for before, _ in broken
    )


def _is_full(widths: Sequence[int], bodies: Sequence[str]) -> bool:
    """Tell whether nine lines in ten are so wide that the next one's first word would not have fitted."""
    width, full = max(widths), 0
    for at, after in zip(widths, bodies[1:], strict=False):
        full += at + 6 > width if _HAN.match(after) else at + 1 + len(after.split(None, 1)[0]) > width
    return full >= 0.9 * (len(bodies) - 1)


def _is_list(bodies: Sequence[str], *, prose: bool) -> bool:
    """Tell whether lines are records, or items of a list; a number of them, evenly spread, tell."""
    bodies = bodies[:: len(bodies) // 10 + 1]
    records = sum(map(is_record, bodies))
    if records > 1 and records >= 0.3 * len(bodies):
        return True
    if 2 * sum(_NO_CARRY.match(body) is not None for body in bodies[1:]) >= len(bodies):
        return True
    if sum(map(is_pair, bodies)) >= 0.8 * len(bodies):
        return True
    if prose:  # one look is enough
        return sum(_COLUMNS.search(body) is not None for body in bodies) >= 0.3 * len(bodies)
    return look_alike(bodies)


def goes_on(before: str, line: str) -> bool:
    """Tell whether a paragraph of Chinese or Japanese goes on behind a blank line, as laws and PDFs are often set.

    Only its last physical line tells: one that ends in mid-sentence, and the shorter rest of it that ends a sentence.
    Texts of other scripts are torn like this as well, but there two passages that were put together look the same.

    Args:
        before: The last line of the paragraph.
        line: The first line of the next.
    """
    before, line = before.strip(), line.strip()
    if not 12 <= len(before) <= 130 or not line or len(line) >= len(before):
        return False
    if not _HAN.match(line) or not (_HAN.match(before[-1]) or before[-1] in "，、"):
        return False
    if _NO_CARRY.match(line) or _STARTS_DENSE.match(line) or is_record(line) or is_record(before):
        return False
    if not _STOPS_DENSE.search(line):
        return False
    return bool(_TORN.match(line) or _INNER.search(before) or (len(before) >= 25 and "、" in before))


def _joins(before: str, body: str, look: _Look, at: int, *, hard: bool) -> bool:
    """Tell whether a sentence goes on over a line break.

    Args:
        before: The line before it.
        body: The line behind it.
        look: What the paragraph says.
        at: Where in the paragraph the line behind it begins; ascending from call to call.
        hard: Whether the break is marked as one: two spaces or a backslash before it.
    """
    torn = look.torn.holding(at) is not None
    hangs = _HANGS.search(before[-12:]) is not None and (not _NO_CARRY.match(body) or body[:1] in "（(")
    if not before or not body or _ALERT.match(before):
        return False
    if _KEY.match(body) and (not hangs or not before[-1].isalpha() or body[0].isupper()):
        return False
    if is_record(body) and (not hangs or is_record(before)):
        return False
    if torn or (_ATOM.search(before) and _INDEX.match(body)):
        return True
    small = not look.lower and (_first(body) if len(before) >= 40 else body).lstrip("`*_")[:1].islower()
    if _PAUSE.search(before[-20:]):
        mark = before.rstrip("\"'”’»」』)）]】》*_`")[-1:]
        return small and mark not in ":：" and (mark not in ";；" or before[-1] == mark)
    if hangs:
        return True
    if hard and not small:
        return False
    if _HAN.match(before[-1]) or _HAN.match(body[0]):
        return _joins_dense(before, body, look)
    return small or (look.flowing and not look.lower and not _NO_CARRY.match(body) and not is_record(before))


def _joins_dense(before: str, body: str, look: _Look) -> bool:
    """Decide where there are no small letters to tell: in Chinese and Japanese."""
    if _NO_CARRY.match(body) or is_record(before) or _KEY.match(before):
        return False
    if _HANGS_DENSE.search(before) or _TORN.match(body) or _CARRIES_DENSE.match(body):
        return True
    if look.flowing:
        return True
    long = _columns(before) >= 80
    return long and _INNER.search(before) is not None and _ENDS.search(body) is not None
