"""From sentence scores to the result: what stays, the slices of the original, and what they save."""

from __future__ import annotations

from dataclasses import replace

from secateurs.errors import describe, own_failure
from secateurs.pipeline.drafts import Scored, mark
from secateurs.policy import Policy, resolve
from secateurs.result.compression import Compression, Sentence, Status
from secateurs.result.savings import TokenCounter


def decide(scored: Scored, policy: Policy, default: Policy, count: TokenCounter) -> Scored:
    """Mark the sentences that stay.

    Args:
        scored: A document.
        policy: Decides; it sees the sentences as the default marked them.
        default: The checkpoint's own policy, for which `Default()` stands.
        count: Counts the LLM tokens of a text.

    Returns:
        The document with its sentences marked, and the policy's name.
    """
    sentences = scored.sentences
    if not sentences or not scored.original.strip():
        return scored
    policy = resolve(policy, default)
    marked = mark(sentences, default(sentences, count))
    if policy != default:
        marked = mark(sentences, policy(marked, count))
    return replace(scored, sentences=marked, policy=repr(policy))


def cut(scored: Scored, count: TokenCounter) -> Compression:
    """Slice the kept sentences out of the original, and count; a document that would not get shorter stays whole.

    Args:
        scored: A document, its sentences marked.
        count: Counts the LLM tokens of a text.
    """
    return _sliced(scored, count).with_token_scores(scored.token_scores)


def leave_whole(original: str, error: BaseException, count: TokenCounter) -> Compression:
    """Return a document as it is, because something went wrong with it.

    Args:
        original: The document.
        error: What went wrong: the result's reason.
        count: Counts the LLM tokens of a text; if that fails, too, there are none.
    """
    try:
        tokens, exact = count(original), count.exact(original)
    except BaseException as failure:
        own_failure(failure)
        tokens, exact = 0, False
    sentences = (Sentence(0, len(original), original, 0.0, kept=True),) if original else ()
    savings = count.savings(tokens, tokens, exact=exact)
    return Compression(original, original, sentences, savings, "error", f"error: {describe(error)}")


def _sliced(scored: Scored, count: TokenCounter) -> Compression:
    original, sentences = scored.original, scored.sentences
    before, exact = count(original), count.exact(original)
    whole = Compression(
        original,
        original,
        mark(sentences, [True] * len(sentences)),
        count.savings(before, before, exact=exact),
        "unchanged",
        "nothing_cut",
        scored.ranking_score,
        scored.warnings,
        scored.policy,
    )
    if not original.strip():
        return replace(whole, reason="blank")
    if all(sentence.kept for sentence in sentences):
        return whole
    text = "".join(sentence.text for sentence in sentences if sentence.kept)
    after = count(text)
    if text and after >= before:
        return replace(whole, reason="no_gain")
    status: Status = "compressed" if text else "dropped"
    reason = None if text else "nothing_passed"
    savings = count.savings(before, after, exact=exact)
    return replace(whole, text=text, sentences=sentences, savings=savings, status=status, reason=reason)
