"""What of a long output is read by the model: a part that may matter, each of many lines that look alike once.

Only for a policy that keeps signals within a budget (`Policy.sparing`), and only where an output is longer than the
model reads in a few seconds. No signal is lost by it: those are found in every line, read or not. Read first are
lines that share rare words with the query, then signals, then the lines of which few are alike. A line that was not
read scores what the one it looks like does, less the more of them there are, else 0.0; the result has the warning
`"lines_skipped"`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateurs.policy.candidates import interleaved
from secateurs.policy.signals import Signs, find_signals, plain
from secateurs.result.join import Parts, Unit
from secateurs.result.span import Sentence
from secateurs.result.token_scores import Ints

LengthsOf = Callable[[Sequence[str]], Ints]

SKIPPED = "lines_skipped"  # the warning

OF_OUTPUT = 12_000  # encoder tokens that are read of what a command wrote, all queries together
OF_OTHERS = 48_000  # of prose, data and markup, of which a word of the query tells less
_CHARACTERS = 3  # of text a token, at most: how much is tokenized to find the tokens that are read
_ASKED = 500  # words of a query that are looked for: of a longer one most windows hold the beginning alone, too
_LONG = 600  # characters of a unit, above which it is like no other
_FADES = 0.7  # times the score of the line it looks like, once more for each further one

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORDS = re.compile(rf"[{_CJK}]{{1,2}}|[^\W_{_CJK}]{{1,60}}")
_FIGURES = re.compile(r"0x[0-9a-fA-F]{1,40}|\b[0-9a-f]{7,40}\b|\d+")


@dataclass(frozen=True)
class Sifted:
    """What of a document is read.

    Attributes:
        read: Which units are.
        like: For each unit the one whose score it has when it is not read; -1 for none.
        fades: By what that score is multiplied.
        signs: What must not be lost of it, of the units that can be chosen.

    Shape:
        read, like, fades: (units,).
    """

    read: NDArray[np.bool_]
    like: NDArray[np.int64]
    fades: NDArray[np.float64]
    signs: Signs

    def filled(self, scores: Sequence[float]) -> list[float]:
        """Return scores with those of units that were not read."""
        given = np.asarray(scores, dtype=np.float64)
        lent = np.where(self.like >= 0, given[self.like] * self.fades, 0.0)
        return np.where(self.read, given, lent).tolist()  # type: ignore[no-any-return]  # a list of floats


def may_sift(document: str, share: float) -> bool:
    """Return whether a document may be longer than what is read of it: a token has a character at least."""
    return len(document) > OF_OUTPUT * share


@dataclass(frozen=True)
class Sifter:
    """Chooses what of one document is read, for one query after the other.

    Attributes:
        units: All its units.
        choices: Indices of those that are not pure frame.
        texts: What those say.
        signs: What must not be lost, of those.
        looks: What each of those is like: the same for lines that differ in figures alone.
        lengths: Returns the encoder tokens of each of some texts.
    """

    units: Sequence[Unit]
    choices: Sequence[int]
    texts: Sequence[str]
    signs: Signs
    looks: Sequence[Hashable]
    lengths: LengthsOf

    @classmethod
    def of(cls, parts: Parts, lengths: LengthsOf) -> Sifter:
        """Look at a document."""
        units, choices, text = parts.units, parts.choices, parts.original
        some = [
            Sentence(units[i].start, units[i].end, text[units[i].start : units[i].end], 0.0, True) for i in choices
        ]
        texts = [one.text for one in some]
        looks = [i if len(one) > _LONG else _FIGURES.sub("#", plain(one)) for i, one in enumerate(texts)]
        return cls(units, choices, texts, find_signals(some), looks, lengths)

    def sift(self, query: str, share: float) -> Sifted | None:
        """Choose what is read for a query.

        Args:
            query: The query.
            share: One through the number of queries that are asked of the document.

        Returns:
            What is read; None where all of it is.
        """
        most = int((OF_OUTPUT if self.signs.output else OF_OTHERS) * share)
        if sum(map(len, self.texts)) <= most:
            return None
        shares, keys = self._shared_words(query)
        size = len(self.units)
        first: dict[Hashable, int] = {}
        twins = Counter[Hashable]()
        fades, like = np.zeros(size), np.full(size, -1, dtype=np.int64)
        for place, key in enumerate(keys):
            at = first.setdefault(key, place)
            like[self.choices[place]] = -1 if at == place else self.choices[at]
            fades[self.choices[place]] = _FADES ** min(twins[key], 100)
            twins[key] += 1
        order = self._order(list(first.values()), shares, [twins[key] for key in keys])
        chosen = self._fitting(order, most)
        if chosen is None:
            return None
        read = np.zeros(size, dtype=np.bool_)
        read[[self.choices[place] for place in chosen]] = True
        return Sifted(read, like, fades, self.signs)

    def _order(self, firsts: Sequence[int], shares: Sequence[float], twins: Sequence[int]) -> list[int]:
        """Return places in the order in which they are read, of units that are alike the first alone."""
        sizes = [len(self.texts[place]) for place in firsts]
        weights = [self.signs.weights[place] for place in firsts]
        worths = interleaved([shares[place] for place in firsts], weights, sizes)
        rank = sorted(range(len(firsts)), key=lambda one: (-worths[one], twins[firsts[one]], one))
        return [firsts[one] for one in rank]

    def _fitting(self, order: Sequence[int], most: int) -> list[int] | None:
        """Return the first of an order that are `most` tokens together; None where that is all there is."""
        room, chosen = most * _CHARACTERS, []
        for place in order:
            if room <= 0:
                break
            room -= len(self.texts[place])
            chosen.append(place)
        totals = np.cumsum(self.lengths([self.texts[place] for place in chosen]))
        fitting = int(np.searchsorted(totals, most, side="right"))
        return None if fitting == len(self.texts) else chosen[: max(fitting, 1)]

    def _shared_words(self, query: str) -> tuple[list[float], list[Hashable]]:
        """Return of each unit its share of the query's words, the rare ones weighing more, and what it is like.

        Two units are alike that look alike, and hold the same words of the query.
        """
        asked = list(dict.fromkeys(_WORDS.findall(query.lower())))[:_ASKED]  # each is looked for at every place
        longest = sorted(map(re.escape, asked), key=lambda word: (-len(word), word))
        pattern = re.compile("|".join(longest) or r"(?!)")
        held = [frozenset(pattern.findall(text.lower())) for text in self.texts]
        known = Counter(word for words in held for word in words)
        weight = {word: math.log1p(len(self.texts) / known[word]) for word in known}
        whole = sum(weight.values()) or 1.0
        shares = [sum(weight[word] for word in words) / whole for words in held]
        return shares, list(zip(self.looks, held, strict=True))
