"""The output of an agent's tool: whether it is compressed, what becomes of it, what the LLM is told; no framework."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from secateurs.adapters.asking import Asking
from secateurs.adapters.originals import Originals
from secateurs.result.compression import Compression
from secateurs.result.savings import Savings, TokenCounter
from secateurs.support.arguments import check_count

Output = TypeVar("Output")

NOTHING = "[no part of this result answers the query]"
# of a tool that returns originals
EXPAND = (
    "Return a tool result whole that was cut down to what answers the query. "
    "Use it when the part you need is missing; the handle stands at the end of the cut result."
)


@dataclass(frozen=True)
class Parts(Generic[Output]):
    """An output taken apart.

    Attributes:
        texts: What can be compressed, in order.
        ids: Ids of the documents among them, else None.
        rebuild: Makes the output around as many other texts. A text that became blank takes the white space behind
            it along, a text block that did is left out.
    """

    texts: tuple[str, ...]
    ids: tuple[str | None, ...]
    rebuild: Callable[[Sequence[str]], Output]


@dataclass(frozen=True)
class Job(Generic[Output]):
    """An output to compress.

    Attributes:
        asking: What it was asked for.
        original: What the LLM would read of it.
        before: LLM tokens of that.
        parts: It, taken apart.
        conversation: Names the conversation that may have it back; "" where nothing tells.
    """

    asking: Asking
    original: str
    before: int
    parts: Parts[Output]
    conversation: str = ""


@dataclass(frozen=True)
class Shorter(Generic[Output]):
    """An output that became shorter.

    Attributes:
        output: The output.
        savings: LLM tokens before and after, our own notes counted.
        handle: Under which the original is kept; None if it is not.
    """

    output: Output
    savings: Savings
    handle: str | None


@dataclass(frozen=True)
class WayBack:
    """How an agent has back what was cut.

    Attributes:
        tool: Name of the tool that returns originals.
        originals: Where they are kept.
    """

    tool: str
    originals: Originals


class Shortener:
    """Decides which outputs are compressed, and makes them of what their compressions say.

    Args:
        encoding: The tiktoken encoding in which tokens are counted.
        min_tokens: Outputs of fewer LLM tokens stay as they are.
        way_back: How an agent has an original back; None for no way.
        drops: Whether a note stands in the place of an output in which nothing passes; else that stays as it is.

    Raises:
        ValueError, TypeError: `min_tokens` is no count.
    """

    def __init__(self, encoding: str, *, min_tokens: int, way_back: WayBack | None, drops: bool) -> None:
        check_count(min_tokens, "min_tokens", least=0)
        self._count = TokenCounter(encoding)
        self._min_tokens = min_tokens
        self._way_back = way_back
        self._drops = drops

    def job(self, asking: Asking, original: str, parts: Parts[Output], conversation: str = "") -> Job[Output] | None:
        """Return what there is to compress; None for an output that is short, or has nothing in it that can be."""
        if len(original.encode(errors="replace")) < self._min_tokens or not parts.texts:
            return None  # a token has at least a byte
        before = self._count(original)
        return Job(asking, original, before, parts, conversation) if before >= max(self._min_tokens, 1) else None

    def shorter(
        self, job: Job[Output], found: Sequence[Compression], shown: Callable[[Output], str]
    ) -> Shorter[Output] | None:
        """Return an output cut to its query, the way back at its end; None where it would get no shorter.

        Args:
            job: What was compressed.
            found: One result a text.
            shown: Returns what the LLM reads of an output.
        """
        if all(one.text == one.original for one in found):
            return None
        texts = [one.text for one in found]
        if not any(text.strip() for text in texts):
            if not self._drops:
                return None
            texts[-1] = NOTHING
        handle = None
        if self._way_back is not None:
            handle = self._way_back.originals.handle(job.original, job.conversation)
            last = max(index for index, text in enumerate(texts) if text.strip())
            texts[last] += f'\n[cut to the query; {self._way_back.tool}(handle="{handle}") returns all of it]'
        output = job.parts.rebuild(texts)
        exact = self._count.exact(job.original)
        savings = self._count.savings(job.before, self._count(shown(output)), exact=exact)
        if savings.saved <= 0:
            return None
        self.keep(job.original, job.conversation)
        return Shorter(output, savings, handle)

    def keep(self, original: str, conversation: str = "") -> None:
        """Keep an original for the way back, if there is one."""
        if self._way_back is not None:
            self._way_back.originals.put(original, conversation)


def nothing_kept(handle: str) -> str:
    """Return what an LLM is told of a handle that is not, or no longer, kept."""
    return f"Nothing is kept under {handle!r}. Call the tool that gave the result again."
