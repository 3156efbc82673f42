"""Where sentences end: the ends of blocks, lines and sentences of a text, and the spans between them.

Three steps, the first two in `secateurs.segment.blocks`:

1. *Blocks.* Fenced code, pipe tables, list items and headings are one span each and are never torn. A blank
   line always ends a sentence.
2. *Lines.* A newline inside a paragraph is white space where the text looks hard-wrapped and an end otherwise
   (see `secateurs.segment.blocks`), so prose in columns stays whole and lyrics, logs and `key: value` lines
   do not melt into one sentence.
3. *Sentences.* `sentencex` proposes; a few rules of ours dispose: a closing quote or bracket stays with the
   sentence before it, a short quotation or bracket is not cut inside, CJK full stops always count, and a full
   stop without white space after it ends a sentence only between two ordinary words (`end.Next one`).

White space belongs to the sentence before it, leading white space to the first one. A span without a letter
or a digit (`---`, `!!!`) joins the one before it. Time is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import sentencex  # type: ignore[import-untyped]  # it ships no types

from secateurs.result.compression import Span
from secateurs.segment.blocks import WORD, block_end, paragraph_end, runs
from secateurs.segment.units import Builder, Kind, pieces

Finer = Callable[[str, int, int], Iterable[int]]


_WINDOW = 4000  # characters that sentencex sees at once: it is quadratic on runs of marks
_OPEN, _CLOSE = "“„‟«‹‘「『（(【[《〈｛{", "”»›’」』）)】]》〉｝}\"'`*_"
_WIDE = "。！？｡．…⋯"
_SPACES = "\n\r\t\v\f\x1c\x1d\x1e\x1f\x85\xa0\u2007\u2028\u2029\u202f\u3000"
_NEUTRAL = {ord(char): " " for char in _OPEN + _CLOSE + _SPACES}
_APOSTROPHE = re.compile(r"(?<=[^\W_])['’](?=[^\W_])")
_SURROGATE = re.compile("[\ud800-\udfff]")
DENSE = r"[\u3040-\u9fff\uf900-\ufaff]"
_SCRIPT = re.compile(
    r"(?P<latin>[A-Za-z\u00c0-\u024f]+)|(?P<zh>[\u3400-\u9fff\uf900-\ufaff]+)|(?P<ja>[\u3041-\u30ff\uff66-\uff9d]+)"
    r"|(?P<ko>[\uac00-\ud7a3\u1100-\u11ff]+)|(?P<ru>[\u0400-\u052f]+)|(?P<el>[\u0370-\u03ff\u1f00-\u1fff]+)"
    r"|(?P<ar>[\u0600-\u06ff]+)|(?P<he>[\u0590-\u05ff]+)|(?P<hi>[\u0900-\u097f]+)|(?P<bn>[\u0980-\u09ff]+)"
    r"|(?P<ta>[\u0b80-\u0bff]+)|(?P<th>[\u0e00-\u0e7f]+)|(?P<lo>[\u0e80-\u0eff]+)|(?P<my>[\u1000-\u109f]+)"
    r"|(?P<ka>[\u10a0-\u10ff]+)|(?P<hy>[\u0530-\u058f]+)|(?P<am>[\u1200-\u137f]+)|(?P<km>[\u1780-\u17ff]+)"
)
SHORT = re.compile(  # quotations and brackets so short that they stay whole
    r"\([^()]{1,200}\)|（[^（）]{1,100}）|\[[^\[\]]{1,200}\]|【[^【】]{1,100}】|《[^《》]{1,100}》"
    r"|“[^“”]{1,80}”|「[^「」]{1,40}」|『[^『』]{1,40}』|«[^«»]{1,80}»"
    r"|(?<![^\s(\[—–-])\"(?=\S)[^\"]{1,80}(?<=\S)\""
)
_MARK = re.compile(r"[^\w\s,;:'\"()-]")
_UNIT_STOP = r"(?<=[\d/]\s)[ghlmst]\)?\.(?=\s+[A-Z])"  # 1.74 m. He: sentencex takes the m for an initial
# sentencex takes these for abbreviations; before a capital they are words: "fall ill. Production began"
_WORDS = ["ill", "ok", "no", "art", "me", "ore", "arc", "miss", "may", "con", "etc"]
_WORD_STOP = rf"(?:{'|'.join(rf'(?<=[a-z,] {word})' for word in _WORDS)})\.(?=\s+[A-Z])"
_FULL_STOP = re.compile(rf"[。！？｡]|(?<={DENSE})(?:…+|⋯+|．|[.!?]+)|{_UNIT_STOP}|{_WORD_STOP}")
_TAIL = re.compile(
    r"(?P<stops>[.!?。！？｡．…⋯।॥؟]*)(?P<close>[”»›’」』）)】\]》〉｝}\"'`*_]*(?:\[\w{1,4}\])*)(?P<space>\s*)"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:approx|ca|cf|resp|viz|vs|pp?|vol|nos?|eds?|est|fl|figs?|eqs?|sec|ch|art|op|b|d|r|c)\.$",
    re.I,
)
_INITIAL = re.compile(rf"{DENSE}[A-Z]\.$")
_ORDINAL = re.compile(
    r"\W*(?:(?:item|note|section|part|article|chapter|table|figure)\s+)?"
    r"(?:\d{1,3}(?:\.\d{1,3}){0,4}|[a-z]|[ivx]{2,4})\.",
    re.I,
)
_NAME = re.compile(r"\w\W+[A-Z]\w+!$")  # Yahoo! is, Jeopardy! was
_GLUED = re.compile(r"(?:^|[\s“\"(])[A-Za-z-]*(?:[a-z]{2}|\d{4})[.!?]$")
_NEXT_WORD = re.compile(r"[A-Z][a-z]*(?:['’][a-z]+)?[\s,]")


def cuts(text: str, code: str | None, *, finer: Finer | None = None) -> Iterator[int]:
    """Yield ascending positions where a span may end, the text's own end left out or not.

    Args:
        text: The text.
        code: A language; None detects it.
        finer: Further ends inside one sentence of prose, `text[start:end]`, ascending; blocks are never torn.
    """
    lines = text.splitlines(keepends=True)
    at = i = 0
    while i < len(lines):
        j = block_end(lines, i)
        if j > i:
            at += sum(map(len, lines[i:j]))
            yield at
        else:
            j = paragraph_end(lines, i)
            blank = not lines[i].strip()  # then it is all white space, and has one end
            for run in ["".join(lines[i:j])] if blank else runs(lines[i:j]):
                start, at = at, at + len(run)
                for end in chain(_sentences(text, start, at, code), (at,)):
                    if finer is not None:
                        yield from finer(text, start, end)
                    yield end
                    start = end
        i = j


def tile(text: str, ends: Iterable[int]) -> list[Span]:
    """Turn ascending ends into spans that tile the text, each with its white space behind it and a word in it."""
    spans: list[Span] = []
    start = scanned = 0
    for cut in chain(ends, (len(text),)):
        if cut <= scanned:
            continue
        cut = _after_space(text, cut)
        if WORD.search(text, scanned, cut):
            spans.append(Span(start, cut))
            start = cut
        elif spans:
            spans[-1] = Span(spans[-1].start, cut)
            start = cut
        scanned = cut
    return spans if start == len(text) else [Span(0, len(text))]


def _after_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def offsets(start: int, pieces: Iterable[str]) -> Iterator[int]:
    """Yield where each of consecutive pieces ends."""
    for piece in pieces:
        start += len(piece)
        yield start


def detect_language(text: str) -> str:
    """Name the language that a text's script suggests: `"ja"`, `"zh"`, `"ko"`, `"ru"`, ..., else `"en"`.

    Looks at most at 3,000 characters, from the start, the middle and the end. Latin text is always `"en"`.
    """
    if text.isascii():
        return "en"
    if len(text) > 3000:
        middle = len(text) // 2
        text = text[:1000] + text[middle - 500 : middle + 500] + text[-1000:]
    counts: Counter[str] = Counter()
    for match in _SCRIPT.finditer(text):
        counts[match.lastgroup or ""] += match.end() - match.start()
    latin = counts.pop("latin", 0)
    han, kana = counts["zh"], counts["ja"]
    if kana and kana * 10 >= han:  # a Japanese name in Chinese text is no Japanese text
        counts["ja"] += counts.pop("zh", 0)
    code, count = max(counts.items(), key=lambda item: item[1], default=("en", 0))
    weight = 4 if code in ("zh", "ja") else 1  # an ideograph says about as much as four letters
    return code if count * weight > latin else "en"


def _sentences(text: str, start: int, end: int, code: str | None) -> Iterator[int]:
    """Yield the ends of the sentences inside one run of prose, `text[start:end]`."""
    piece = text[start:end]
    if not _MARK.search(piece):
        return
    stops = {match.end() for match in _FULL_STOP.finditer(piece)}
    stops.update(_proposals(piece, code or detect_language(piece)))
    short = [match.span() for match in SHORT.finditer(piece)] if stops else []
    last = seen = which = 0
    for stop in sorted(stops):
        tail = _TAIL.match(piece, stop) if stop >= seen else None  # else a run of marks would cost its square
        if tail is None:
            continue
        seen = tail.end()
        if seen == len(piece):
            break
        close = tail.end("close")
        if not tail["space"] and piece[close - 1] == '"' and piece.count('"', last, close) % 2:
            close -= 1  # this quotation mark opens the next sentence
        cut = close if not tail["space"] else tail.end()
        while which < len(short) and short[which][1] <= stop:
            which += 1
        inside = which < len(short) and short[which][0] < cut < short[which][1]
        if not inside and _ends(piece, last, stop, tail, piece[cut : cut + 1]):
            yield start + cut
            last = cut


def _proposals(piece: str, code: str) -> Iterator[int]:
    """Yield the positions right after a mark where sentencex would end a sentence.

    It sees the text with quotation marks, brackets and line breaks blanked out, one for one, because it keeps
    whatever they enclose in one sentence; and a window at a time, each beginning where a sentence does.
    """
    plain = _APOSTROPHE.sub("\u02bc", piece) if "'" in piece or "’" in piece else piece
    plain = _SURROGATE.sub("\ufffd", plain.translate(_NEUTRAL)).replace("@.@", "@,@")
    at = 0
    while at < len(plain):
        window = plain[at : at + _WINDOW]
        ends = list(offsets(at, sentencex.segment(code, window)))[:-1]
        rest = len(plain)
        if at + _WINDOW < rest:
            middle = at + _WINDOW // 2
            rest = ends[-1] if ends and ends[-1] > middle else plain.rfind(" ", middle, at + _WINDOW) + 1
            rest = rest or at + _WINDOW
        floor = at
        for end in ends:
            stop = end
            while stop > floor and (piece[stop - 1].isspace() or piece[stop - 1] in _OPEN + _CLOSE):
                stop -= 1
            floor = end
            if stop and not piece[stop - 1].isalnum():
                yield stop
        at = rest


def _ends(piece: str, start: int, stop: int, tail: re.Match[str], following: str) -> bool:
    """Tell whether the mark before `stop` ends the sentence that began at `start`."""
    mark = (tail["stops"] or piece[stop - 1])[-1]
    if following in "，、；：,;:)]}）】—～·%":
        return False
    if mark in _WIDE:
        return _ends_wide(mark, tail, following)
    before = piece[max(start, stop - 40) : stop]
    if not tail["space"]:
        if re.match(DENSE, following):
            return re.match(DENSE, piece[stop - 2 : stop - 1]) is not None or mark in "!?"
        return bool(_GLUED.search(before) and _NEXT_WORD.match(piece, tail.end()))
    if following.islower() and tail["close"].strip("*_"):
        return False  # "Go!" she said
    if mark == "." and (following.isdigit() or following.islower()) and _ABBREVIATION.search(before):
        return False
    if mark == "." and following.isupper() and _INITIAL.search(before):
        return False
    if mark == "!" and following.islower() and _NAME.search(before):
        return False
    return _ORDINAL.fullmatch(piece, start, stop) is None


def _ends_wide(mark: str, tail: re.Match[str], following: str) -> bool:
    """Decide after a full-width mark, where no white space is needed."""
    if mark in "…⋯" and (following in "等的之" or following.islower()):
        return False
    if mark == "．" and following.isalnum() and following.isascii():
        return False
    # A title in brackets goes on with its noun, a Japanese quotation with its particle: 「行く。」と言った
    if tail["close"][-1:] in ("》", "〉"):
        return bool(tail["space"])
    return not (tail["close"] and not tail["space"] and "\u3041" <= following <= "\u3096")


def add_prose(build: Builder, end: int, frame: Sequence[int], language: str | None, kind: Kind = "prose") -> None:
    """Add the sentences of a paragraph up to `end`."""
    at = build.at
    for run in runs(build.text[at:end].splitlines(keepends=True)):
        for stop in (*_sentences(build.text, at, at + len(run), language), at + len(run)):
            if WORD.search(build.text, build.at, stop) or not len(build):
                for end_ in pieces(build.text, build.at, stop):
                    build.add(end_, kind, frame)
            else:
                build.extend(stop)
        at += len(run)
