"""Which other documents look as if they answered a query: same article or source, or the same rare words."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateurs.train.config import MixConfig
from secateurs.train.data import Corpus, Ids, Item

_TERMS = 6  # rarest words of a query that are looked up
_CANDIDATES = 12
_COMMON = 0.03  # a piece in more than this share of the documents says nothing

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Negative:
    """A document that does not answer a query.

    Attributes:
        document: Its index.
        same: It is of the same article or source as the query's own.
    """

    document: int
    same: bool


class Negatives:
    """Finds documents that do not answer a query, easy and hard ones; built once, then only read.

    A document is offered only if it holds none of the query's answer strings, so that its sentences may be
    labelled negative. It is in the language of the query's own document or in the query's: a retriever that knows
    both returns both.

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
        self._in_title = {key: frozenset(some.tolist()) for key, some in self._by_title.items()}
        self._hard: dict[tuple[int, str], Indices] = {}
        for language, documents in self._by_language.items():
            self._index(language, documents)

    def draw(self, index: int, rng: np.random.Generator) -> Negative | None:
        """Draw a document that does not answer an item's query.

        Args:
            index: The item.
            rng: Decides.

        Returns:
            The document; None if none was found.
        """
        item = self._corpus.items[index]
        record = item.record
        title = (record.lang, record.title)
        for _ in range(6):
            kind = rng.random()
            language = record.lang
            if record.query_lang in self._by_language and record.query_lang != language and rng.random() < 0.5:
                language = record.query_lang
            if kind < self._mix.same_title and title in self._by_title:
                some = self._by_title[title]
            elif kind < self._mix.same_title + self._mix.hard and (index, language) in self._hard:
                some = self._hard[index, language]
            else:
                some = self._by_language[language]
            found = int(some[rng.integers(len(some))])
            if self._is_clean(found, item):
                return Negative(found, found in self._in_title.get(title, ()))
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
        for index, query in self._queries(language):
            pieces = sorted({piece for piece in query.tolist() if piece in lists}, key=lambda p: (len(lists[p]), p))
            if not pieces:
                continue
            some = [lists[piece] for piece in pieces[:_TERMS]]
            weights = np.repeat([np.log(len(documents) / len(one)) + 1 for one in some], [len(one) for one in some])
            found, places = np.unique(np.concatenate(some), return_inverse=True)
            order = np.argsort(-np.bincount(places, weights), kind="stable")[: _CANDIDATES + 1]
            best = found[order]
            best = best[best != self._corpus.items[index].document]
            if len(best):
                self._hard[index, language] = best

    def _queries(self, language: str) -> list[tuple[int, Ids]]:
        """Return for each item the words to look its negatives up with among the documents of one language.

        A query in the other language shares no words with them: another query of its document speaks for it.
        """
        known: dict[int, Ids] = {}
        for item in self._corpus.items:
            if item.record.query_lang == item.record.lang == language:
                known.setdefault(item.document, item.query)
        found = []
        for index, item in enumerate(self._corpus.items):
            if item.record.query_lang == language:
                found.append((index, item.query))
            elif item.record.lang == language and item.document in known:
                found.append((index, known[item.document]))
        return found
