"""Where the sentences of one run of prose end: `sentencex` proposes, a few rules of ours dispose.

A closing quote or bracket, a footnote mark and an emoji stay with the sentence they end; nothing is cut inside what
`inline` says is whole; CJK full stops always count; a full stop without white space behind it ends
a sentence only between two ordinary words (`end.Next one`). Time is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, chain

import sentencex  # type: ignore[import-untyped]  # it ships no types

from secateurs.segment.prose.abbreviations import begins_sentence, goes_on
from secateurs.segment.prose.inline import DENSE, NOTHING, Walk, inline

WORD = re.compile(r"[^\W_]")

_WINDOW = 4000  # characters that sentencex sees at once: it is quadratic on runs of marks
_OPEN, _CLOSE = "“„‟«‹‘「『（(【[《〈｛{", "”»›’」』）)】]》〉｝}\"'`*_"
_WIDE = "。！？｡．…⋯"
_SPACES = "\n\r\t\v\f\x1c\x1d\x1e\x1f\x85\xa0\u2007\u2028\u2029\u202f\u3000"
_NEUTRAL = re.compile(f"[{re.escape(_OPEN + _CLOSE + _SPACES)}]")
_APOSTROPHE = re.compile(r"(?<=[^\W_])['’](?=[^\W_])")
_SURROGATE = re.compile("[\ud800-\udfff]")
MARK = re.compile(r"[^\w\s,;:'\"()\-|#$%&*+/<=>@\[\]\\^`{}~，、；：（）“”]")  # what may end a sentence
_STOP = re.compile(r"[。！？｡]|[.!?…⋯．]+")
_DENSE = re.compile(DENSE)
# sentencex takes these for abbreviations or initials; before a capital they are words: "fall ill. Production began"
_WORDS = "ill|ok|no|art|me|ore|arc|miss|may|con|etc"
_WORD_STOP = re.compile(rf"[a-z,] (?:{_WORDS})$|[\d/]\s[ghlmst]\)?$")  # 1.74 m. He
_CAPITAL, _BEGINS = re.compile(r"\s+[A-Z]"), re.compile(r"\s+(?!I\b)[A-Z]")
_EMOJI = (
    "(?:[\U0001f000-\U0001faff☺☹☝✌✊✋✨❤❣⭐✅❌❗❓⚡☀☕♥][\ufe0f\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f♀♂]*"
    r"|[:;=]['-]?[)(DPpoO/|](?=\s|$))"
)
_FOOTNOTE = (
    r"\[\^?\w{1,4}(?:[,–-]\s?\w{1,4}){0,4}\](?!\()|\[(?:note|nb|注|註) ?\d{1,3}\]|\[(?:citation needed|来源请求)\]"
    r"|[¹²³⁰⁴-⁹]"
)
_TAIL = re.compile(
    rf"(?P<stops>[.!?。！？｡．…⋯।॥؟]*)(?P<close>[”»›’」』）)】\]》〉｝}}\"'`*_]*(?:{_FOOTNOTE})*)(?P<space>\s*)"
)
_EMOJIS = re.compile(rf"(?:{_EMOJI}\s*)+(?<=\s)(?!\d)")
_ANY_EMOJI = re.compile(_EMOJI)
_NOTE = re.compile(r"\[\^?\d{1,3}(?:[,–-]\s?\d{1,3}){0,4}\]\s+(?=[A-Z“\"\u3400-\u9fff])")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:approx|ca|cf|resp|viz|vs|pp?|vol|nos?|eds?|est|fl|figs?|eqs?|sec|ch|art|op|b|d|r|c)\.$",
    re.I,
)
_INITIAL = re.compile(rf"{DENSE}[A-Z]\.$")
_ORDINAL = re.compile(
    r"\W*(?:(?:item|note|section|part|article|chapter|table|figure|step)\s+)?"
    r"(?:\d{1,3}(?:\.\d{1,3}){0,4}|[a-z]|[ivx]{2,4})\.",
    re.I,
)
_NAME = re.compile(r"\w\W+[A-Z]\w+!$")  # Yahoo! is, Jeopardy! was
_GLUED = re.compile(r"(?:^|[\s“\"(])[A-Za-z-]*(?:[a-z]{2}|\d{4})[.!?]$")
_NEXT_WORD = re.compile(r"[A-Z][a-z]*(?:['’][a-z]+)?[\s,]")
_NO_START = re.compile(r"[&+=/±×÷≈<>]\s|&amp;")
_SAYS = re.compile(  # 他说, 小明高兴地问道; and not 也就是说, 或者说
    r"(?!或者说)(?:[\u3400-\u9fff]{1,8}?(?<![来來是就如话話可据據虽雖再按要该該以且至能不理实實])"
    r"(?:[说說问問答喊叫嚷喝吼叹嘆写寫回][着著道]?|道)|[说說答问問][道着])[，。！,]"
)


def ends(piece: str, language: str) -> Iterator[int]:
    """Yield the ends of the sentences inside one run of prose, its own end left out.

    Each has a letter or a digit; white space up to the last line break, or all of it, belongs to the sentence before.

    Args:
        piece: The run; line breaks in it are white space.
        language: A language code.
    """
    if not MARK.search(piece):
        return
    held = scanned = 0
    for cut in chain(_cuts(piece, language), (len(piece),)):
        if WORD.search(piece, scanned, cut):
            if held:
                yield held
            held = cut
        elif held:
            held = cut
        scanned = cut


def _cuts(piece: str, language: str) -> Iterator[int]:
    """Yield the ends of sentences, whatever they hold."""
    found = _stops(piece, language)
    spans = inline(piece) if found or "." in piece else NOTHING
    # sentencex takes the last letter of an address or of code for an initial
    found.update(at + 1 for _, at in spans.whole if piece[at : at + 1] == "." and _CAPITAL.match(piece, at + 1))
    stops = sorted(found)
    dead, whole, opens = Walk(spans.dead), Walk(spans.whole), {span.start for span in spans.whole}
    last = seen = 0
    for stop in stops:
        if stop < seen or dead.holding(stop):  # a run of marks is one mark; else it would cost its square
            continue
        tail = _tail(piece, last, stop, spans.links, opens)
        seen = tail.end
        if tail.cut == len(piece):
            break
        if whole.holding(tail.cut) is None and _is_end(piece, last, stop, tail, language):
            yield piece.rfind("\n", tail.close, tail.cut) + 1 or tail.cut
            last = tail.cut


@dataclass(frozen=True, slots=True)
class _Tail:
    """What follows a mark: more marks, closing quotes and brackets, white space, an emoji."""

    mark: str
    closing: str
    close: int  # where the white space begins
    end: int  # where it ends
    cut: int  # where the next sentence would begin
    spaced: bool


def _tail(piece: str, start: int, stop: int, links: dict[int, int], opens: set[int]) -> _Tail:
    """Read what follows the mark before `stop`, in the sentence that began at `start`."""
    tail = next(_TAIL.finditer(piece, stop))  # it matches everywhere
    mark = (tail["stops"] or piece[stop - 1])[-1]
    bracket = piece.find("]", stop, tail.end("close")) if links else -1
    linked = bracket in links  # the mark ends the text of a link
    if linked:
        tail = next(_TAIL.finditer(piece, links[bracket]))
    close, cut, spaced = tail.end("close"), tail.end(), tail["space"] != ""
    marks = range(tail.start("close"), close) if opens else ()
    first = next((at for at in marks if at in opens and piece[at] in "`*_\"'"), close)
    if not spaced and piece[close - 1] == '"' and piece.count('"', start, close) % 2:
        first = close - 1
    if first < close:  # that quotation mark, backtick, asterisk opens the next sentence
        return _Tail(mark, piece[tail.start("close") : first], first, tail.end(), first, False)
    if "\n" not in tail["space"]:
        more = _EMOJIS.match(piece, cut)
        if more and not _ANY_EMOJI.search(piece, max(start, stop - 300), stop):
            cut, spaced = more.end(), True
        elif spaced and piece[start : start + 1] != "[":
            note = _NOTE.match(piece, cut)
            cut = note.end() if note else cut
    return _Tail(mark, "]" if linked else tail["close"], close, tail.end(), cut, spaced)


def _stops(piece: str, language: str) -> set[int]:
    """Find the positions right after marks that may end a sentence."""
    found = set(_proposals(piece, language))
    for match in _STOP.finditer(piece):
        at, end = match.span()
        wide = piece[at] in "。！？｡" or (at > 0 and _DENSE.match(piece, at - 1) is not None)
        if wide or (piece[at] == "…" and _BEGINS.match(piece, end)):
            found.add(end)
        elif piece[at:end] == "." and _CAPITAL.match(piece, end):
            word = _WORD_STOP.search(piece[max(0, at - 8) : at]) is not None
            if word or (language != "en" and begins_sentence(piece[end : end + 20])):  # usw. Sie
                found.add(end)
    return found


def _proposals(piece: str, language: str) -> Iterator[int]:
    """Yield the positions right after a mark where sentencex would end a sentence.

    It sees the text with quotation marks, brackets and line breaks blanked out, one for one, because it keeps
    whatever they enclose in one sentence; and a window at a time, each beginning where a sentence does.
    """
    plain = _APOSTROPHE.sub("\u02bc", piece) if "'" in piece or "’" in piece else piece
    plain = _SURROGATE.sub("\ufffd", _NEUTRAL.sub(" ", plain)).replace("@.@", "@,@")
    at = 0
    while at < len(plain):
        window = plain[at : at + _WINDOW]
        found = list(accumulate(map(len, sentencex.segment(language, window)), initial=at))[1:-1]
        rest = len(plain)
        if at + _WINDOW < rest:
            middle = at + _WINDOW // 2
            rest = found[-1] if found and found[-1] > middle else plain.rfind(" ", middle, at + _WINDOW) + 1
            rest = rest or at + _WINDOW
        floor = at
        for end in found:
            stop = end
            while stop > floor and (piece[stop - 1].isspace() or piece[stop - 1] in _OPEN + _CLOSE):
                stop -= 1
            floor = end
            if stop and not piece[stop - 1].isalnum():
                yield stop
        at = rest


def _is_end(piece: str, start: int, stop: int, tail: _Tail, language: str) -> bool:
    """Tell whether the mark before `stop` ends the sentence that began at `start`."""
    following = piece[tail.cut]
    if following in "，、；：,:;)]}）】—～·%" or _NO_START.match(piece, tail.cut):
        return False
    if tail.closing == "]" and piece[tail.close - 1] == ")" and not tail.spaced:
        return False  # a link, and its sentence goes on
    if tail.mark in _WIDE:
        return _is_end_wide(piece, tail)
    before = piece[max(start, stop - 40) : stop]
    if not tail.spaced:
        if _DENSE.match(following):
            return _DENSE.match(piece[stop - 2 : stop - 1]) is not None or tail.mark in "!?"
        return bool(_GLUED.search(before) and _NEXT_WORD.match(piece, tail.end))
    if following.islower() and (tail.closing.strip("*_") or (tail.mark == "!" and _NAME.search(before))):
        return False  # "Go!" she said; Yahoo! is
    if tail.mark == "." and not tail.closing.strip("*_") and before[-2:-1] != ".":
        informal = piece[start : start + 1].islower()
        if _is_short(before, piece[tail.cut : tail.cut + 40], language, informal=informal):
            return False
    return _ORDINAL.fullmatch(piece, start, stop) is None


def _is_short(before: str, after: str, language: str, *, informal: bool) -> bool:
    """Tell whether a full stop belongs to an abbreviation, an initial or an ordinal."""
    if (after[0].isdigit() or after[0].islower()) and _ABBREVIATION.search(before):
        return True
    if after[0].isupper() and _INITIAL.search(before):
        return True
    return goes_on(before, after, language, informal=informal)


def _is_end_wide(piece: str, tail: _Tail) -> bool:
    """Decide after a full-width mark, where no white space is needed."""
    mark, following = tail.mark, piece[tail.cut]
    if mark in "…⋯" and (following in "等的之" or following.islower()):
        return False
    if mark == "．" and following.isalnum() and following.isascii():
        return False
    # A title in brackets goes on with its noun, a Japanese quotation with its particle: 「行く。」と言った
    if tail.closing[-1:] in ("》", "〉"):
        return tail.spaced
    if tail.closing[-1:] in ("”", "」", "』") and _SAYS.match(piece, tail.cut):
        return False
    return not (tail.closing and not tail.spaced and "\u3041" <= following <= "\u3096")
