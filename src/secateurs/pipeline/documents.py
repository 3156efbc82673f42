"""What a document is between two steps: drafted, then scored, and what it is when something went wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from secateurs.errors import own_failure
from secateurs.pipeline.sift import Sifted
from secateurs.policy import Candidates
from secateurs.policy.signals import Signs
from secateurs.result.join import Parts
from secateurs.result.span import Sentence
from secateurs.result.token_scores import TokenScores
from secateurs.windows.packing import WindowPlan


@dataclass(frozen=True)
class Draft:
    """A document cut into units and laid out for the encoder.

    Attributes:
        parts: Its units.
        plan: Its windows; None for a blank document, of which the model is not asked.
        sifted: What of it is read; None where everything is.
    """

    parts: Parts
    plan: WindowPlan | None = None
    sifted: Sifted | None = None

    @property
    def original(self) -> str:
        """The document."""
        return self.parts.original


@dataclass(frozen=True)
class Scored:
    """A document with unit scores, and then with those units marked that stay.

    Attributes:
        parts: Its units, and how they are put together.
        sentences: The units with their scores; all of them are kept until a policy has decided.
        ranking_score: Relevance of the whole document, a probability; None without a ranking head.
        warnings: As in the result.
        token_scores: Scores of single tokens; None where the family reads whole sentences.
        policy: What decided, as it is written down; None until then.
        worths: What each candidate is worth to a limit, where the policy says so; None where that is its score.
        signs: What of its candidates must not be lost, where that is known already.
        behind: How far, in log-odds, it ranks behind the best one of its query, where documents compete.
    """

    parts: Parts
    sentences: tuple[Sentence, ...]
    ranking_score: float | None
    warnings: tuple[str, ...]
    token_scores: TokenScores | None = None
    policy: str | None = None
    worths: tuple[float, ...] | None = None
    signs: Signs | None = None
    behind: float = 0.0

    @property
    def original(self) -> str:
        """The document."""
        return self.parts.original

    @property
    def undecided(self) -> bool:
        """Whether there is something to decide: a blank document goes back as it is."""
        return bool(self.sentences) and bool(self.original.strip())

    @property
    def choices(self) -> list[int]:
        """Indices of the units that a policy may choose."""
        return self.parts.choices

    @property
    def candidates(self) -> Candidates:
        """What a policy chooses among; marked as kept is what was chosen so far, and not what came along."""
        sentences = [self.sentences[index] for index in self.choices]
        chosen = [replace(one, kept=False, frame=False) if one.frame else one for one in sentences]
        return Candidates(chosen, self._text, self.signs)

    @property
    def text(self) -> str:
        """What is left of it: the kept units with their frames, verbatim."""
        return self.parts.text([sentence.kept for sentence in self.sentences])

    def choose(self, flags: Sequence[bool], policy: str | None = None) -> Scored:
        """Return it with the units kept that a policy chose, and with them what they need.

        Args:
            flags: One a candidate.
            policy: What decided, as it is written down; None for what decided before.
        """
        if len(flags) != len(self.choices):
            raise ValueError(f"the policy returned {len(flags)} flags for {len(self.choices)} sentences")
        chosen = {index for index, flag in zip(self.choices, flags, strict=True) if flag}
        stays = self.parts.closure(chosen)
        sentences = (
            Sentence(one.start, one.end, one.text, one.score, stay, stay and index not in chosen)
            for index, (one, stay) in enumerate(zip(self.sentences, stays, strict=True))
        )
        return replace(self, sentences=tuple(sentences), policy=policy or self.policy)

    def whole(self) -> tuple[Sentence, ...]:
        """Return its units, all of them kept."""
        units = zip(self.sentences, self.parts.units, strict=True)
        return tuple(replace(one, kept=True, frame=unit.pure) for one, unit in units)

    def eliding(self, mark: str | None) -> Scored:
        """Return it with an elision mark where something is cut."""
        return self if mark == self.parts.elision else replace(self, parts=replace(self.parts, elision=mark))

    def _text(self, some: Sequence[int]) -> str:
        return self.parts.text(self.parts.closure(self.choices[place] for place in some))


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
