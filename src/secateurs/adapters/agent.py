"""The settings of an agent's adapter: a tool's result is decided as a whole, and never goes altogether unasked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from secateurs.adapters.choice import choose_for_tools
from secateurs.adapters.settings import Settings
from secateurs.policy import Default, Policy, ToolOutput
from secateurs.result.compression import Compression
from secateurs.result.savings import TokenCounter


@dataclass(kw_only=True)
class AgentSettings(Settings):
    """The settings of an adapter whose documents are the parts of one tool's result."""

    def choice(self, own: Policy) -> ToolOutput:
        """Return what decides which lines stay: `ToolOutput()`, or its care around the policy that was given."""
        return choose_for_tools(self, own)

    @property
    def drops(self) -> bool:
        """Whether it was asked to drop a result in which nothing passes."""
        return self.choice(Default()).when_empty == "drop"

    @property
    def settles(self) -> bool:
        """True: the parts of a result are looked at together."""
        return True

    def settle(self, found: Sequence[Compression | None], policy: Policy) -> Sequence[Compression | None]:
        """Return what becomes of the parts of one result together.

        Where something passes in one part, those in which nothing does are dropped: other documents of a search,
        other strings of a JSON. Where nothing passes in any, as many of the best parts stay as a result of one part
        keeps.

        Args:
            found: One compression a part, as the policy decided it by itself.
            policy: That policy.
        """
        parts = {i: one for i, one in enumerate(found) if one is not None and _decided(one)}
        if self.drops or not parts or not isinstance(policy, ToolOutput):
            return found
        if not any(one.text for one in parts.values()):  # not even one line fits into the budget
            return [_whole(parts[i]) if i in parts else one for i, one in enumerate(found)]
        if len(parts) == 1:
            return found
        count = TokenCounter(self.encoding)
        stays = {i for i, one in parts.items() if _passes(one, policy, count)} or _best(parts, policy)
        return [
            _dropped(one) if one is not None and i in parts.keys() - stays else one for i, one in enumerate(found)
        ]


def _decided(one: Compression) -> bool:
    return one.status != "error" and one.reason != "blank"


def _passes(one: Compression, policy: ToolOutput, count: TokenCounter) -> bool:
    chosen = [sentence for sentence in one.sentences if not sentence.frame]
    return policy.passes(chosen, count) if chosen else bool(one.text)


def _best(parts: dict[int, Compression], policy: ToolOutput) -> set[int]:
    """Return the parts with the best lines: all of them, or as many as fit, at least one."""
    if policy.when_empty == "original":
        return set(parts)
    order = sorted(parts, key=lambda i: -max((one.score for one in parts[i].sentences), default=0.0))
    left = 0 if policy.when_empty == "best" else policy.limit
    stays: set[int] = set()
    for i in order:
        left -= parts[i].savings.after
        if stays and left < 0:
            break
        stays.add(i)
    return stays


def _dropped(one: Compression) -> Compression:
    sentences = tuple(replace(sentence, kept=False, frame=False) for sentence in one.sentences)
    savings = replace(one.savings, after=0)
    return replace(one, text="", sentences=sentences, savings=savings, status="dropped", reason="nothing_passed")


def _whole(one: Compression) -> Compression:
    sentences = tuple(replace(sentence, kept=True) for sentence in one.sentences)
    savings = replace(one.savings, after=one.savings.before)
    return replace(
        one, text=one.original, sentences=sentences, savings=savings, status="unchanged", reason="nothing_cut"
    )
