"""Labelled data, one context a record -> cases with several documents, as a search by words would return them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from secateurs.evaluate.answers.cases import Case, Document
from secateurs.evaluate.ladder import Floats
from secateurs.evaluate.options import need
from secateurs.evaluate.peers import words


def gather(cases: Sequence[Case], documents: int, *, among: Sequence[Case], seed: int) -> list[Case]:
    """Give every case with a single document the nearest other documents of the same data.

    They are ranked by BM25 of the query; where the words of the query find fewer (it is in another language), by
    BM25 of the case's own document. The own document has the place of its rank; where it is not among the first, a
    place drawn by the case's id. A case that cannot be answered gets no document of its own document's source: what
    stands next to it might answer.

    Args:
        cases: The cases; those with several documents stay as they are.
        documents: How many a case shall have; 1 to leave all as they are.
        among: Whose documents are searched.
        seed: Of the drawn places.

    Raises:
        MissingExtraError: bm25s is not installed.
    """
    if documents < 2:
        return list(cases)
    need("bm25s", "the search by words", "evaluate")
    search = _Search(list(dict.fromkeys((one.text, one.source) for case in among for one in case.documents)))
    return [_gathered(case, documents, search, seed) if len(case.documents) == 1 else case for case in cases]


def _gathered(case: Case, documents: int, search: _Search, seed: int) -> Case:
    own = case.documents[0]

    def is_other(place: int) -> bool:
        text, source = search.texts[place]
        return text != own.text and not (case.unanswerable and source and source == own.source)

    ranked = search.rank(case.query)
    candidates = ranked if len(ranked) >= documents + 1 else [*ranked, *search.rank(own.text)]
    others = [place for place in dict.fromkeys(candidates) if is_other(place)][: documents - 1]
    ranks = {place: rank for rank, place in enumerate(ranked)}
    mine = min((rank for place, rank in ranks.items() if search.texts[place][0] == own.text), default=len(ranked))
    before = sum(ranks.get(place, len(ranked)) < mine for place in others)
    if mine == len(ranked) or before == len(others):
        before = random.Random(f"{seed}:{case.id}").randint(0, len(others))
    found = [Document(search.texts[place][0], None, search.texts[place][1]) for place in others]
    return replace(case, documents=(*found[:before], own, *found[before:]))


class _Search:
    """BM25 over documents.

    Attributes:
        texts: Text and source of each.
    """

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        import bm25s  # type: ignore[import-untyped]  # it ships no types

        self.texts = texts
        self._known = set[str]()
        corpus = [words(text) for text, _ in texts]
        self._known.update(word for some in corpus for word in some)
        self._index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
        if self._known:
            self._index.index(corpus, show_progress=False)

    def rank(self, query: str) -> list[int]:
        """Return the documents that share a word with the query, best first."""
        asked = [word for word in words(query) if word in self._known]
        if not asked:
            return []
        scores: Floats = np.asarray(self._index.get_scores(asked), dtype=np.float64)
        order = np.argsort(-scores, kind="stable")
        return [int(place) for place in order if scores[place] > 0.0]
