"""Made documents: lengths from recorded distributions, words from a seed, so that every machine measures the same.

Nobody's text is shipped. The words are common ones; what they say does not matter to the clock, their lengths do.
Few words repeat often, though, and tokenizers remember words: real text (real.py) takes longer to tokenize.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SEED = 7
QUERY = "Who built the mill by the river, and in which year?"
FEWEST = 40  # documents; of one batch of 32 alone nobody could tell whether it was sorted
_PARAGRAPH = 8  # sentences of a long text

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

Costs = Callable[[Sequence[str]], Sequence[int]]


@dataclass(frozen=True)
class Corpus:
    """Documents and the query they are compressed for."""

    query: str
    documents: tuple[str, ...]


@dataclass(frozen=True)
class Lengths:
    """A distribution of lengths, in encoder tokens of document, query and control tokens; outside it is drawn again.

    Attributes:
        says: The distribution, in words.
        draw: Draws one.
        shortest: Least.
        longest: Most.
    """

    says: str
    draw: Callable[[random.Random], float]
    shortest: int
    longest: int

    def __call__(self, rng: random.Random) -> int:
        """Draw until one is in range."""
        while not self.shortest <= (length := round(self.draw(rng))) <= self.longest:
            pass
        return length


def lognormal(median: int, sigma: float, shortest: int, longest: int) -> Lengths:
    """Return a log-normal distribution: a few long documents among many short ones, as retrieval returns them."""
    says = f"lognormal, median {median}, sigma {sigma}, in {shortest}..{longest} encoder tokens"
    return Lengths(says, lambda rng: rng.lognormvariate(math.log(median), sigma), shortest, longest)


def normal(mean: int, deviation: int, shortest: int, longest: int) -> Lengths:
    """Return a normal distribution: chunks that a splitter made about equally long."""
    says = f"normal, mean {mean}, deviation {deviation}, in {shortest}..{longest} encoder tokens"
    return Lengths(says, lambda rng: rng.gauss(mean, deviation), shortest, longest)


@dataclass(frozen=True)
class Recipe:
    """A set of documents to make.

    Attributes:
        name: What the tables and `--workloads` call it.
        documents: How many.
        lengths: How long they are.
        scales: Whether `--scale` changes how many there are.
    """

    name: str
    documents: int
    lengths: Lengths
    scales: bool = True

    def count(self, scale: float) -> int:
        """Return how many documents to make: never so few that batching makes no difference."""
        return max(min(self.documents, FEWEST), round(self.documents * scale)) if self.scales else self.documents


MIXED = Recipe("mixed", 64, lognormal(150, 0.7, 16, 512), scales=False)
RECIPES = (
    MIXED,
    Recipe("rag", 64, normal(350, 80, 64, 512)),
    Recipe("heavy-tail", 64, lognormal(300, 1.1, 16, 8192)),
    Recipe("small", 1000, lognormal(40, 0.4, 24, 96)),
)
LONG = "long"
LONG_CHARACTERS = 100_000


def make_corpus(recipe: Recipe, costs: Costs, *, overhead: int, scale: float = 1.0) -> Corpus:
    """Make documents, every fourth of them Chinese, no two the same: what is asked twice is scored only once.

    Args:
        recipe: How many, and how long.
        costs: Counts the encoder tokens of each sentence.
        overhead: Encoder tokens of a window that are not the document's: the query and the control tokens.
        scale: How many documents, as a multiple of the recipe's.

    Returns:
        The documents, in an order of their own; the same for the same tokenizer.
    """
    rng = random.Random(SEED)
    writers = [_Writer(rng, costs, _ENGLISH.split(), " ", ". "), _Writer(rng, costs, _CHINESE.split(), "", "。")]
    documents: dict[str, None] = {}
    for index in range(recipe.count(scale)):
        tokens = recipe.lengths(rng) - overhead
        writer = writers[index % 4 == 3]
        while (document := writer.document(rng, tokens)) in documents:
            tokens += 1
        documents[document] = None
    return Corpus(QUERY, tuple(documents))


def make_long(costs: Costs, characters: int) -> Corpus:
    """Make one English document of exactly so many characters, in paragraphs."""
    rng = random.Random(SEED)
    return Corpus(QUERY, (_Writer(rng, costs, _ENGLISH.split(), " ", ". ").text(rng, characters),))


def histogram(lengths: Sequence[int]) -> dict[str, int]:
    """Count lengths between powers of two.

    Args:
        lengths: Encoder tokens, at least one each.

    Returns:
        How many are in each range, the upper end not included.

    Example:
        >>> histogram([16, 31, 70])
        {'16-32': 2, '32-64': 0, '64-128': 1}
    """
    powers = [int(math.log2(length)) for length in lengths]
    ranges = range(min(powers), max(powers) + 1)
    return {f"{2**power}-{2 ** (power + 1)}": powers.count(power) for power in ranges}


class _Writer:
    """Sentences whose lengths are known, so that a document of a wanted length can be put together."""

    def __init__(self, rng: random.Random, costs: Costs, words: list[str], gap: str, end: str) -> None:
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

    def text(self, rng: random.Random, characters: int) -> str:
        """Return exactly so many characters, a paragraph every few sentences."""
        pieces: list[str] = []
        missing = characters
        while missing > 0:
            sentence = rng.choice(self._priced)[1]
            pieces.append(sentence if len(pieces) % _PARAGRAPH else sentence.rstrip() + "\n\n")
            missing -= len(pieces[-1])
        return "".join(pieces)[:characters]
