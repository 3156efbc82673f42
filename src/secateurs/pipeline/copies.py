"""Step of its own, where it is asked for: what is said in several documents of a call stays in the best of them.

Documents are looked at best first, and each unit is looked up among those of the better ones (matches.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from secateurs.pipeline.documents import Failed, Scored
from secateurs.pipeline.matches import At, Document, Library
from secateurs.policy import Distinct
from secateurs.result.compression import Compression
from secateurs.result.span import UnitPlace


@dataclass(frozen=True)
class Copies:
    """What was left out of one document.

    Attributes:
        units: The unit that says it, by the unit that was left out.
        alone: Whether nothing else stayed of the document.
    """

    units: Mapping[int, UnitPlace]
    alone: bool = False


@dataclass(frozen=True)
class Distinguished:
    """Documents in which every copy was left out.

    Attributes:
        documents: The documents, with fewer units kept.
        copies: What was left out of each; None for nothing.
    """

    documents: list[Scored | Failed]
    copies: list[Copies | None]


def distinguish(
    documents: Sequence[Scored | Failed], distinct: Distinct, queries: Sequence[str] | None = None
) -> Distinguished:
    """Leave out of each document what a kept unit of a better one says.

    Args:
        documents: Documents with the units a policy kept.
        distinct: What counts as the same, and which document is the better one.
        queries: The query of each; documents of two queries say nothing of each other. None for one query.

    Returns:
        The documents with fewer units kept. A unit that stays in place of others is worth as much to a budget as the
        best of them.
    """
    done: list[Scored | Failed] = list(documents)
    copies: list[Copies | None] = [None for _ in documents]
    libraries: dict[str, Library] = defaultdict(lambda: Library(distinct.similarity))
    for index in _order(documents, distinct):
        scored = documents[index]
        if isinstance(scored, Failed) or not scored.undecided:
            continue
        library = libraries["" if queries is None else queries[index]]
        document = Document(index, scored, distinct.places[index] if distinct.places else None)
        found = library.copies(document)
        for one in found:
            document.stays[one] = False
        for one in sorted(found, reverse=True):  # what it leaves behind may lean on it
            if document.needed(one):
                document.stays[one] = True
                del found[one]
        if found:
            done[index] = scored.choose(document.stays)
            units = {scored.choices[one]: library.place(at) for one, at in found.items()}
            copies[index] = Copies(units, alone=not any(document.stays))
            _raise_worths(done, scored, found, library)
        policy = f"{scored.policy}, {distinct!r}" if scored.policy else None
        now = done[index]
        done[index] = now if policy is None or isinstance(now, Failed) else replace(now, policy=policy)
        library.add(document)
    return Distinguished(done, copies)


def tell(results: Sequence[Compression], copies: Sequence[Copies | None]) -> list[Compression]:
    """Return results that say which units were left out as copies, and of which ones.

    Not said is what did not come so: a document that would not have got shorter is whole, and a unit that stayed may
    have gone for a budget's sake afterwards.

    Args:
        results: The results of a call.
        copies: What was left out of each.
    """
    return [one if mine is None else _told(one, mine, results) for one, mine in zip(results, copies, strict=True)]


def _told(result: Compression, copies: Copies, results: Sequence[Compression]) -> Compression:
    if result.status in ("unchanged", "error"):
        return result
    said = {unit: at for unit, place in copies.units.items() if (at := _standing(place, results)) is not None}
    sentences = tuple(
        replace(one, copy_of=said[unit]) if unit in said and not one.kept else one
        for unit, one in enumerate(result.sentences)
    )
    nothing_new = result.status == "dropped" and copies.alone and len(said) == len(copies.units)
    reason = "nothing_new" if nothing_new else result.reason
    told = replace(result, sentences=sentences, reason=reason)
    return told.with_parts(result.parts).with_token_scores(result.token_scores)


def _standing(place: UnitPlace, results: Sequence[Compression]) -> UnitPlace | None:
    """Return where a unit stands now; None where it went."""
    other = results[place.document]
    if other.status == "error":  # it came back whole, as one unit
        return UnitPlace(place.document, 0)
    return place if other.sentences[place.unit].kept else None


def _order(documents: Sequence[Scored | Failed], distinct: Distinct) -> list[int]:
    """Return the documents' indices, the best first: as they were given, or as `adapters.order` orders results."""
    order = list(range(len(documents)))
    if not distinct.by_ranking:
        return order

    def key(index: int) -> tuple[bool, float]:
        one = documents[index]
        score = None if isinstance(one, Failed) else one.ranking_score
        return score is None, -(score or 0.0)

    return sorted(order, key=key)


def _raise_worths(done: list[Scored | Failed], scored: Scored, found: Mapping[int, At], library: Library) -> None:
    """Let what stays be worth the best of its copies."""
    worths = _worths(scored)
    best: dict[int, dict[int, float]] = defaultdict(dict)
    for one, (at, unit) in found.items():
        its = best[library.documents[at].index]
        its[unit] = max(its.get(unit, 0.0), worths[one])
    for index, its in best.items():
        other = done[index]
        if isinstance(other, Scored):
            raised = (max(worth, its.get(unit, 0.0)) for unit, worth in enumerate(_worths(other)))
            done[index] = replace(other, worths=tuple(raised))


def _worths(scored: Scored) -> Sequence[float]:
    return scored.worths or [scored.sentences[unit].score for unit in scored.choices]
