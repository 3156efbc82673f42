"""Which documents come back, and in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from secateurs.result.compression import Compression
from secateurs.result.savings import Savings


@dataclass(frozen=True)
class Returned:
    """One document that goes back.

    Attributes:
        index: Its position among the documents that came in, from 0.
        compression: What becomes of it; None if it goes back as it is.
    """

    index: int
    compression: Compression | None = None

    @property
    def ranking_score(self) -> float | None:
        """Its ranking score as a Python float; None where it has none."""
        if self.compression is None or self.compression.ranking_score is None:
            return None
        return float(self.compression.ranking_score)


def in_order(found: Sequence[Compression | None], *, rerank: bool, top_n: int | None) -> tuple[Returned, ...]:
    """Return what goes back in which order.

    Args:
        found: One compression a document, None where it has none.
        rerank: Whether the best come first: by falling ranking score, what has none behind them, ties as they came.
        top_n: With `rerank`, how many at most; None for all.

    Returns:
        The documents without those in which nothing passed. Where no document has a ranking score nothing is moved
        or left out.
    """
    returned = [Returned(index, one) for index, one in enumerate(found) if one is None or one.status != "dropped"]
    if rerank and any(one.ranking_score is not None for one in returned):
        returned = sorted(returned, key=_best_first)[:top_n]
    return tuple(returned)


def spared(found: Sequence[Compression | None], order: Iterable[Returned], encoding: str) -> Savings:
    """Return what all documents of a call save together: one that does not go back is saved whole.

    Args:
        found: One compression a document, None where it has none.
        order: What goes back.
        encoding: In which LLM tokens are counted.
    """
    back = {one.index for one in order}
    each = (
        one.savings if index in back else replace(one.savings, after=0)
        for index, one in enumerate(found)
        if one is not None
    )
    return sum(each, Savings(0, 0, encoding))


def lacks_ranking(found: Sequence[Compression]) -> bool:
    """Return whether the model read documents and ranked none."""
    read = [one for one in found if one.status != "error" and one.reason != "blank"]
    return bool(read) and all(one.ranking_score is None for one in read)


def _best_first(one: Returned) -> tuple[bool, float]:
    return one.ranking_score is None, -(one.ranking_score or 0.0)
