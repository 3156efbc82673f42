"""What one call came to: the documents that go back, the report, what to raise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from secateurs.adapters.choice import the_threshold
from secateurs.adapters.order import Returned, in_order, spared
from secateurs.adapters.protocol import CompressorLike
from secateurs.adapters.report import Report, without_text
from secateurs.adapters.settings import Settings
from secateurs.adapters.spans import Facts, Told
from secateurs.errors import Error
from secateurs.result.compression import Compression, renumbered
from secateurs.result.savings import Savings


@dataclass(frozen=True)
class Outcome:
    """What one call came to.

    Attributes:
        report: The report, already handed to `on_report`. Its savings are what the LLM is spared: a document that
            `top_n` left out counts there with all its tokens (`after` = 0), though its own compression, made before
            that, still says what was cut inside it.
        returned: The documents to return, in order.
        model: The checkpoint's name.
        threshold: The probability sentences were compared with; None if the policy has no single one.
        failure: What to raise: with `on_error="raise"`, or an error of configuration.
    """

    report: Report
    returned: tuple[Returned, ...]
    model: str
    threshold: float | None = None
    failure: Exception | None = None

    def check(self) -> None:
        """Raise the failure, if there is one to raise."""
        if self.failure is not None:
            raise self.failure

    def metadata(self, compression: Compression) -> dict[str, Any]:
        """Return what stands under the metadata key of one document: JSON types, and no text of it."""
        return {**without_text(compression), "model": self.model, "threshold": self.threshold}


Delivered = Callable[[Sequence[Compression]], Savings]


def facts_of(settings: Settings, outcome: Outcome, texts: Sequence[str | None], ids: Sequence[str | None]) -> Facts:
    """Return what a span tells of a call."""
    given = [Told(text or "", id) for text, id in zip(texts, ids, strict=True)]
    back = [
        given[one.index] if one.compression is None else Told(one.compression.text, ids[one.index], one.ranking_score)
        for one in outcome.returned
    ]
    report = outcome.report
    return Facts(report.query, given, back, outcome.model, settings.top_n, report.savings, report.error)


def texts_in(texts: Sequence[str | None]) -> list[str]:
    """Return the texts that are there."""
    return [text for text in texts if text is not None]


def aligned(texts: Sequence[str | None], results: Sequence[Compression]) -> list[Compression | None]:
    """Return one entry a document again, None where there was no text."""
    given = len(texts_in(texts))
    if len(results) != given:
        raise Error(f"the compressor returned {len(results)} results for {given} documents")
    there = [index for index, text in enumerate(texts) if text is not None]
    found: list[Compression | None] = [None] * len(texts)
    for index, one in zip(there, results, strict=True):
        found[index] = one if given == len(texts) else renumbered(one, there)
    return found


def without_model(settings: Settings, query: str, texts: Sequence[str | None]) -> Outcome | None:
    """Return the outcome where the model has nothing to do, else None."""
    blank = isinstance(query, str) and not query.strip()
    if texts_in(texts) and not blank:
        return None
    error = f"the query is blank ({query!r}): the documents are returned as they are" if blank else None
    return as_they_are(settings, query, texts, error)


def finish(
    settings: Settings,
    query: str,
    ids: Sequence[str | None],
    found: Sequence[Compression | None],
    compressor: CompressorLike,
) -> Outcome:
    """Return what a call came to.

    Args:
        settings: The adapter's settings.
        query: The query.
        ids: An id a document.
        found: A compression a document; None where it has no text.
        compressor: What compressed them.
    """
    policy = settings.choice(compressor.policy)
    found = settings.settle(found, policy)
    returned = in_order(found, rerank=settings.rerank, top_n=settings.top_n)
    left = {one.index for one in returned}
    dropped = tuple(one for index, one in enumerate(ids) if index not in left)
    report = Report(
        query,
        tuple(one for one in found if one is not None),
        spared(found, returned, compressor.encoding),
        dropped,
    )
    failure = _failed_document(found) if settings.on_error == "raise" else None
    threshold = the_threshold(policy) if settings.threshold is None else settings.threshold
    return Outcome(report, returned, compressor.name, threshold, failure)


def _failed_document(found: Sequence[Compression | None]) -> Error | None:
    """Return what to raise for the first document that failed, counted among those that came in."""
    for index, one in enumerate(found):
        if one is not None and one.status == "error":
            return Error(
                f"documents[{index}] could not be compressed: {one.reason}. on_error='keep' returns it whole."
            )
    return None


def as_they_are(settings: Settings, query: str, texts: Sequence[str | None], error: str | None) -> Outcome:
    """Return the outcome that gives all documents back."""
    report = Report(query, (), Savings(0, 0, settings.encoding), error=error)
    return Outcome(report, tuple(Returned(index) for index in range(len(texts))), settings.model_name)
