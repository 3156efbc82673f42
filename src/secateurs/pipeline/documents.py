"""What a document is between two steps: drafted, then scored, and what it is when something went wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from secateurs.errors import own_failure
from secateurs.result.span import Sentence, Span
from secateurs.result.token_scores import TokenScores
from secateurs.windows.packing import WindowPlan


@dataclass(frozen=True)
class Draft:
    """A document cut into sentences and laid out for the encoder.

    Attributes:
        original: The document.
        spans: Its sentences.
        plan: Its windows; None for a blank document, of which the model is not asked.
    """

    original: str
    spans: tuple[Span, ...]
    plan: WindowPlan | None = None


@dataclass(frozen=True)
class Scored:
    """A document with sentence scores, and then with those sentences marked that stay.

    Attributes:
        original: The document.
        sentences: Its sentences; all of them are kept until a policy has decided.
        ranking_score: Relevance of the whole document, a probability; None without a ranking head.
        warnings: As in the result.
        token_scores: Scores of single tokens; None where the family reads whole sentences.
        policy: What decided, as it is written down; None until then.
    """

    original: str
    sentences: tuple[Sentence, ...]
    ranking_score: float | None
    warnings: tuple[str, ...]
    token_scores: TokenScores | None = None
    policy: str | None = None

    @property
    def undecided(self) -> bool:
        """Whether there is something to decide: a blank document goes back as it is."""
        return bool(self.sentences) and bool(self.original.strip())

    def marked(self, flags: Sequence[bool], policy: str | None = None) -> Scored:
        """Return it with the flags a policy gave its sentences."""
        if len(flags) != len(self.sentences):
            raise ValueError(f"the policy returned {len(flags)} flags for {len(self.sentences)} sentences")
        kept = (replace(one, kept=bool(flag)) for one, flag in zip(self.sentences, flags, strict=True))
        return replace(self, sentences=tuple(kept), policy=policy or self.policy)


@dataclass(frozen=True)
class Failed:
    """A document with which something went wrong; it travels beside the others and goes back whole.

    Attributes:
        original: The document.
        error: What went wrong.
    """

    original: str
    error: BaseException


class _Document(Protocol):
    @property
    def original(self) -> str: ...


Before = TypeVar("Before", bound=_Document)
After = TypeVar("After")


def each(step: Callable[[Before], After], documents: Sequence[Before | Failed]) -> list[After | Failed]:
    """Take every document one step on; what goes wrong with one is that document's alone.

    Args:
        step: What is done with a document.
        documents: Documents; failed ones stay what they are.

    Returns:
        As many, in order.
    """
    done: list[After | Failed] = []
    for document in documents:
        if isinstance(document, Failed):
            done.append(document)
            continue
        try:
            done.append(step(document))
        except BaseException as error:
            done.append(Failed(document.original, own_failure(error)))
    return done
