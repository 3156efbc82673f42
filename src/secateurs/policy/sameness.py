"""Whether two units say the same: what each says as words, and what may not differ between two that nearly do.

Time is linear in the length of a text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

from secateurs.policy.pointing import holds_pointing, is_pointing

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKENS = re.compile(
    rf"[{_CJK}]"
    r"|[-+\u2212\u00b1]?\d++(?>(?:[.,:/\-\u2013]\d++){0,6})(?![^\W\d_])"  # a number, date or time, with its sign
    rf"|(?:[^\W_{_CJK}]+(?:['\u2019][^\W_{_CJK}]+)*[#+]{{0,2}})"
    r"|[^\w\s.,;:\"'()\[\]{}*_`#\u2026\u201c\u201d\u2018\u2019\xab\xbb\xb7\u2022\-\u2013\u2014\u3001\u3002"
    r"\u300a\u300b\u300c\u300d\u300e\u300f\u3010\u3011]"  # any sign but those that only set words apart
)
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # full-width letters, figures and marks
_CHINESE = re.compile(rf"[{_CJK}]")
_KANA = re.compile("[\u3041-\u30fa]")
_SENTENCES = frozenset(("prose", "item", "markup"))
_WORDED = _SENTENCES | {"heading"}
_LONGEST = 4_000  # characters of a unit of which words are looked at; a longer one is compared as it stands
_RUN = 3  # words of a shingle
_SKETCH = 6  # shingles by which nearly equal units find each other
_SHORT, _SHORT_CHINESE = 6, 16  # words, characters of a unit that says nothing by itself
_NEARLY = 8  # words from which on a unit may be nearly equal to another

_LITTLE_WORDS = "a an the that which and of 的 之 了"
_TURNING_WORDS = """
not no never none nor neither either without cannot nobody nothing nowhere hardly barely scarcely false untrue myth
wrong deny denies denied refuse refuses refused fail fails failed lack lacks
almost nearly about approximately roughly around only just all every each any some many most few several half more
less least at over under up maximum minimum allegedly reportedly supposedly perhaps maybe possibly probably likely
unlikely rarely seldom sometimes often usually always
until till before after since except unless if may might can could will would shall should must need instead formerly
previously former ex first last next current new old
monday tuesday wednesday thursday friday saturday sunday january february march april june july august september
october november december today yesterday tomorrow
one two three four five six seven eight nine ten eleven twelve twenty hundred thousand million billion
不 没 沒 無 无 未 非 勿 莫 别 別 否 禁 仅 僅 只 都 每 约 約 近 多 少 超 至 前 后 後 若 如 除 可
能 应 應 须 須 必 将 將 已 曾 零 一 二 三 四 五 六 七 八 九 十 百 千 万 萬 亿 億 两 兩 半 年 月 日 时 時
"""  # negations; how far it holds; when, and whether at all; dates; numbers
# by one of these a sentence is known as English: of no other language in such letters are the pronouns known
_ENGLISH = frozenset(
    ["the", "of", "and", "is", "are", "were", "by", "with", "from", "has", "had", "been", "to", "for"]
)
_LITTLE, _TURNING = frozenset(_LITTLE_WORDS.split()), frozenset(_TURNING_WORDS.split())


@dataclass(frozen=True)
class Saying:
    """What a unit says.

    Attributes:
        text: The unit, without white space around it.
        kind: Its kind, as in `segment.units`. Of a row, a line of code or a member of JSON every character counts.
    """

    text: str
    kind: str

    @cached_property
    def key(self) -> str:
        """The same for units that say the same verbatim: white space, emphasis and wide forms aside."""
        if self.kind not in _WORDED or not self.tokens:
            return f"\n{self.text}"
        first, *others = self.tokens
        return " ".join((first.lower(), *others))

    @cached_property
    def tokens(self) -> list[str]:
        """Its words, numbers and the signs that count, as they are written."""
        return _TOKENS.findall(self.text.translate(_WIDE)) if len(self.text) <= _LONGEST else []

    @cached_property
    def leans(self) -> bool:
        """Whether what it says hangs on what stands before it, as far as anybody can tell from its words."""
        words = self.tokens
        if self.kind not in _SENTENCES or not words or _KANA.search(self.text):
            return True
        chinese = _CHINESE.findall(self.text)
        lower = [word.lower() for word in words]
        if any(map(is_pointing, lower)) or holds_pointing("".join(chinese)):
            return True
        if 2 * len(chinese) > len(words):
            return len(chinese) < _SHORT_CHINESE
        return len(words) < _SHORT or not any(map(_is_name, words[1:])) or _ENGLISH.isdisjoint(lower)

    @property
    def may_differ(self) -> bool:
        """Whether another unit may say nearly the same."""
        return not self.leans and len(self.tokens) >= _NEARLY

    @cached_property
    def fixed(self) -> tuple[str, ...]:
        """What must be equal in order: numbers, dates, signs, names, negations, words that turn a statement."""
        first, *others = self.tokens
        words = [first.lower(), *others]
        return tuple(word if _is_name(word) else word.lower() for word in words if _is_fixed(word))

    @cached_property
    def words(self) -> list[str]:
        """Its words in order, the little ones aside."""
        return [word for word in map(str.lower, self.tokens) if word not in _LITTLE]

    @cached_property
    def shingles(self) -> frozenset[int]:
        """Its runs of three words."""
        words = [word.lower() for word in self.tokens]
        runs = range(len(words) - _RUN + 1)
        return frozenset(crc32(" ".join(words[at : at + _RUN]).encode("utf-8", "surrogatepass")) for at in runs)

    @property
    def sketch(self) -> list[tuple[int, int]]:
        """A few numbers; two units that are nearly equal have one in common, all but surely."""
        fixed = crc32(" ".join(self.fixed).encode("utf-8", "surrogatepass"))
        return [(fixed, one) for one in sorted(self.shingles)[:_SKETCH]]

    def nearly(self, other: Saying, similarity: float) -> bool:
        """Return whether this says nearly what another one says, and nothing that it does not say.

        Args:
            other: The other unit.
            similarity: Share of the runs of three words of both that must be in both.
        """
        rest = iter(other.words)
        if self.fixed != other.fixed or not all(word in rest for word in self.words):  # each behind the last
            return False
        both = len(self.shingles & other.shingles)
        return both >= similarity * (len(self.shingles) + len(other.shingles) - both)


def _is_name(word: str) -> bool:
    return any(map(str.isupper, word))


def _is_fixed(word: str) -> bool:
    if _is_name(word) or not any(map(str.isalpha, word)) or any(map(str.isdigit, word)):
        return True
    lower = word.lower().replace("\u2019", "'")
    return lower in _TURNING or lower.endswith("n't")
