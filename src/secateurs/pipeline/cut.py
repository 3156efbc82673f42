"""Last step: the kept units with their frames, and what they save; and what becomes of a document that failed."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from secateurs.errors import describe, in_one_line, own_failure
from secateurs.pipeline.documents import Failed, Scored
from secateurs.result.compression import Compression, Status
from secateurs.result.savings import TokenCounter
from secateurs.result.span import Sentence

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tokens:
    """LLM tokens of a text, and whether their number is exact."""

    tokens: int
    exact: bool


def tokens_of(original: str, count: TokenCounter) -> Tokens:
    """Count a document that is not cut; one that cannot be counted has no tokens."""
    try:
        return Tokens(count(original), count.exact(original))
    except BaseException as error:
        own_failure(error)
        return Tokens(0, exact=False)


def cut(document: Scored, count: TokenCounter) -> Compression:
    """Put the kept units together, and count; a document that would not get shorter stays whole.

    Args:
        document: A document, its units marked.
        count: Counts the LLM tokens of a text.
    """
    original = document.original
    before = Tokens(count(original), count.exact(original))
    if not original.strip():
        return _whole(document, before, count, "blank")
    if all(sentence.kept for sentence in document.sentences):
        return _whole(document, before, count, "nothing_cut")
    text = document.text
    after = count(text)
    if text and after >= before.tokens:
        return _whole(document, before, count, "no_gain")
    if not text and any(sentence.kept for sentence in document.sentences):  # white space, of their own segmenter
        document = document.choose([False] * len(document.choices))
    status: Status = "compressed" if text else "dropped"
    result = Compression(
        text=text,
        original=original,
        sentences=document.sentences,
        savings=count.savings(before.tokens, after, exact=before.exact),
        status=status,
        reason=None if text else "nothing_passed",
        ranking_score=document.ranking_score,
        warnings=document.warnings,
        policy=document.policy,
    )
    return _carrying(result, document)


def _whole(document: Scored, before: Tokens, count: TokenCounter, reason: str) -> Compression:
    """Return a document as it is."""
    result = Compression(
        text=document.original,
        original=document.original,
        sentences=document.whole(),
        savings=count.savings(before.tokens, before.tokens, exact=before.exact),
        status="unchanged",
        reason=reason,
        ranking_score=document.ranking_score,
        warnings=document.warnings,
        policy=document.policy,
    )
    return _carrying(result, document)


def _carrying(result: Compression, document: Scored) -> Compression:
    """Let a result carry along what it was made of: whoever shows it may ask."""
    return result.with_parts(document.parts).with_token_scores(document.token_scores)


def leave_whole(failed: Failed, count: TokenCounter) -> Compression:
    """Return a document as it is, because something went wrong with it.

    Args:
        failed: The document; its error is the result's reason.
        count: Counts the LLM tokens of a text; if that fails, too, there are none.
    """
    original = failed.original
    whole = tokens_of(original, count)
    savings = count.savings(whole.tokens, whole.tokens, exact=whole.exact)
    sentences = (Sentence(0, len(original), original, 0.0, kept=True),) if original else ()
    result = Compression(original, original, sentences, savings, "error", f"error: {describe(failed.error)}")
    _log.warning("a document of %d characters is returned whole: %s", len(original), in_one_line(failed.error))
    return result
