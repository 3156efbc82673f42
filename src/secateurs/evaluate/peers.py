"""The peers that need no model: keyword overlap, and keeping the first units."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from secateurs.errors import MissingExtraError
from secateurs.evaluate.ladder import Floats

# One token a word of letters or digits; Chinese and Japanese have no spaces, so there a token is a character, and
# each pair of neighbours another (the bigrams of Lucene's CJKAnalyzer, with its unigrams on).
_CJK = "\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_WORDS = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_IS_CJK = re.compile(rf"[{_CJK}]")


def words(text: str) -> list[str]:
    """Cut a text into keywords, lower case.

    Source:
        Lucene's CJKAnalyzer: bigrams, here with unigrams.

    Example:
        >>> words("Who built 水车厂?")
        ['who', 'built', '水', '车', '厂', '水车', '车厂']
    """
    found: list[str] = []
    for run in _WORDS.findall(text.lower()):
        if _IS_CJK.match(run):
            found += [*run, *(run[at : at + 2] for at in range(len(run) - 1))]
        else:
            found.append(run)
    return found


def keyword_overlap(query: str, units: Sequence[str]) -> Floats:
    """Score units by BM25, the units of one document being the collection.

    Raw BM25 scores of different documents cannot be compared; divided by the document's best they can, and one
    threshold for all files does far better.

    Args:
        query: The query.
        units: The texts of all units of the document.

    Returns:
        Scores in [0, 1], 1 for the best unit; all 0 where no unit shares a word with the query.

    Raises:
        MissingExtraError: bm25s is not installed.

    Shape:
        (units,).

    Source:
        Robertson et al. 1994 (TREC-3), Lucene's variant, as the library bm25s implements it; k1 1.5, b 0.75.
    """
    try:
        import bm25s  # type: ignore[import-untyped]  # it ships no types
    except ModuleNotFoundError:
        raise MissingExtraError("the peer bm25", "evaluate") from None
    asked, known = words(query), [words(unit) for unit in units]
    if not asked or not any(known):
        return np.zeros(len(units))
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index(known, show_progress=False)
    scores = np.asarray(index.get_scores(asked), dtype=np.float64)
    return scores / scores.max() if scores.max() > 0.0 else np.zeros(len(units))


def keep_first(query: str, units: Sequence[str]) -> Floats:
    """Score units by their place: 1, 1/2, 1/3 ...; a threshold of 1/k keeps the first k.

    Shape:
        (units,).

    Source:
        The lead baseline of summarization (Nenkova 2005, AAAI).
    """
    return 1.0 / np.arange(1, len(units) + 1)
