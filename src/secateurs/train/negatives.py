"""Which other documents look as if they answered a query: same article, or the same rare words."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from secateurs.train.config import MixConfig
from secateurs.train.data import Corpus, Item

_TERMS = 6  # rarest words of a query that are looked up
_CANDIDATES = 12
_COMMON = 0.03  # a piece in more than this share of the documents says nothing

Indices = NDArray[np.int64]


class Negatives:
    """Finds documents that do not answer a query, easy and hard ones; built once, then only read.

    A document is offered only if it holds none of the query's answer strings, so that its sentences may be
    labelled negative.

    Args:
        corpus: All documents and queries.
        mix: Shares of same-article and hard ones.
    """

    def __init__(self, corpus: Corpus, mix: MixConfig) -> None:
        self._corpus = corpus
        self._mix = mix
        languages: dict[str, set[int]] = defaultdict(set)
        titles: dict[tuple[str, str], set[int]] = defaultdict(set)
        for item in corpus.items:
            languages[item.record.lang].add(item.document)
            if item.record.title:
                titles[item.record.lang, item.record.title].add(item.document)
        self._by_language = {key: np.array(sorted(some)) for key, some in languages.items()}
        self._by_title = {key: np.array(sorted(some)) for key, some in titles.items() if len(some) > 1}
        self._hard: dict[int, Indices] = {}
        for language, documents in self._by_language.items():
            self._index(language, documents)

    def draw(self, index: int, rng: np.random.Generator) -> int | None:
        """Draw a document that does not answer an item's query.

        Args:
            index: The item.
            rng: Decides.

        Returns:
            Index of a document; None if none was found.
        """
        item = self._corpus.items[index]
        key = (item.record.lang, item.record.title)
        for _ in range(6):
            kind = rng.random()
            if kind < self._mix.same_title and key in self._by_title:
                some = self._by_title[key]
            elif kind < self._mix.same_title + self._mix.hard and index in self._hard:
                some = self._hard[index]
            else:
                some = self._by_language[item.record.lang]
            found = int(some[rng.integers(len(some))])
            if self._is_clean(found, item):
                return found
        return None

    def _is_clean(self, document: int, item: Item) -> bool:
        if document == item.document:
            return False
        text = self._corpus.documents[document].text
        if text == self._corpus.documents[item.document].text:
            return False
        return not any(len(answer) > 1 and answer in text for answer in item.record.answers)

    def _index(self, language: str, documents: Indices) -> None:
        """Rank the documents of one language for each query by the sum of idf of shared pieces."""
        postings: dict[int, list[int]] = defaultdict(list)
        for document in documents.tolist():
            for piece in np.unique(self._corpus.documents[document].ids).tolist():
                postings[piece].append(document)
        most = max(50, int(_COMMON * len(documents)))
        lists = {piece: np.array(some) for piece, some in postings.items() if len(some) <= most}
        for index, item in enumerate(self._corpus.items):
            if item.record.lang != language:
                continue
            pieces = sorted(
                {piece for piece in item.query.tolist() if piece in lists}, key=lambda p: (len(lists[p]), p)
            )
            if not pieces:
                continue
            some = [lists[piece] for piece in pieces[:_TERMS]]
            weights = np.repeat([np.log(len(documents) / len(one)) + 1 for one in some], [len(one) for one in some])
            found, places = np.unique(np.concatenate(some), return_inverse=True)
            order = np.argsort(-np.bincount(places, weights), kind="stable")[: _CANDIDATES + 1]
            best = found[order]
            best = best[best != item.document]
            if len(best):
                self._hard[index] = best
