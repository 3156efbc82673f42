"""The documents of the benchmark: made from a seed and a word list, so that every machine measures the same ones.

Nobody's text is shipped. The words are common ones; what they say does not matter to the clock, their lengths do.
Lengths are log-normal (median 150, sigma 0.7, cut to 16..512 encoder tokens a window): a few long documents among
many short ones, as retrieval returns them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SEED = 7
QUERY = "Who built the mill by the river, and in which year?"
MEDIAN, SIGMA, SHORTEST, LONGEST = 150, 0.7, 16, 512  # encoder tokens of a window
DOCUMENTS = 64

_ENGLISH = """
the of and to in was for on as with by at from his an were which it is that had first year after new two city also
river mill water stone house built wheel flour town bridge road north south east west part during between until over
people war church school family company state world film book music team game season player member group work life
name power house line station area land form time number end century army king queen king's law court office paper
story water engine machine iron wood grain market harvest flood winter summer dam valley field village bank canal
"""
_CHINESE = """
水车 建于 河边 石头 村庄 磨坊 面粉 冬天 夏天 洪水 大坝 山谷 城市 桥梁 道路 北方 南方 人们 战争 学校 家庭 公司 国家
世界 电影 音乐 球队 比赛 成员 工作 生活 名字 力量 车站 地区 土地 时间 世纪 军队 国王 法律 办公室 报纸 故事 机器
木头 粮食 市场 收获 一九 年代
"""


@dataclass(frozen=True)
class Corpus:
    """Documents and the query they are compressed for."""

    query: str
    documents: tuple[str, ...]


def make_corpus(
    costs: Callable[[Sequence[str]], Sequence[int]], *, overhead: int, longest: int, tokens: int | None = None
) -> Corpus:
    """Make the documents, every fourth of them Chinese.

    Args:
        costs: Counts the encoder tokens of each sentence.
        overhead: Encoder tokens of a window that are not the document's: the query and the control tokens.
        longest: Encoder tokens of the longest window.
        tokens: Stop at this many encoder tokens; None for 64 documents.

    Returns:
        The documents, in an order of their own; the same for the same tokenizer.
    """
    rng = random.Random(SEED)
    pools = [_Pool(rng, costs, _ENGLISH.split(), " ", ". "), _Pool(rng, costs, _CHINESE.split(), "", "。")]
    documents: list[str] = []
    total = 0
    while len(documents) < DOCUMENTS if tokens is None else total < tokens:
        length = _draw(rng, min(longest, LONGEST))
        documents.append(pools[len(documents) % 4 == 3].document(rng, length - overhead))
        total += length
    return Corpus(QUERY, tuple(documents))


def histogram(lengths: Sequence[int]) -> dict[str, int]:
    """Count lengths between powers of two.

    Args:
        lengths: Encoder tokens of each window.

    Returns:
        Windows of each range, the upper end not included.

    Example:
        >>> histogram([16, 31, 70])
        {'16-32': 2, '32-64': 0, '64-128': 1}
    """
    powers = [int(math.log2(length)) for length in lengths]
    ranges = range(min(powers), max(powers) + 1)
    return {f"{2**power}-{2 ** (power + 1)}": powers.count(power) for power in ranges}


class _Pool:
    """Sentences whose lengths are known, so that a document of a wanted length can be put together."""

    def __init__(
        self,
        rng: random.Random,
        costs: Callable[[Sequence[str]], Sequence[int]],
        words: list[str],
        gap: str,
        end: str,
    ) -> None:
        lines = [gap.join(rng.choices(words, k=2 + index % 20)) for index in range(200)]
        sentences = [line[0].upper() + line[1:] + end for line in lines]
        self._priced = list(zip(costs(sentences), sentences, strict=True))

    def document(self, rng: random.Random, tokens: int) -> str:
        """Return sentences of about that many encoder tokens in all; at least one."""
        sentences: list[str] = []
        while fitting := [(cost, sentence) for cost, sentence in self._priced if cost <= tokens]:
            cost, sentence = rng.choice(fitting)
            sentences.append(sentence)
            tokens -= max(cost, 1)
        return "".join(sentences) or min(self._priced)[1]


def _draw(rng: random.Random, longest: int) -> int:
    """Draw a length; what is out of range is drawn again."""
    while True:
        length = round(rng.lognormvariate(math.log(MEDIAN), SIGMA))
        if min(SHORTEST, longest) <= length <= longest:
            return length
