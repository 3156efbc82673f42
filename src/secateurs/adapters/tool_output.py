"""The output of an agent's tool: whether it is compressed, what becomes of it, what the LLM is told; no framework."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from secateurs.adapters.asking import Asking
from secateurs.adapters.originals import Originals
from secateurs.result.compression import Compression
from secateurs.result.savings import Savings, TokenCounter
from secateurs.support.arguments import check_count

Output = TypeVar("Output")
Made = TypeVar("Made", covariant=True)

NOTHING = "no part of this result answers the query"
_TRIES = 8
# of a tool that returns originals
EXPAND = (
    "Return a tool result whole that was cut down to what answers the query. "
    "Use it when the part you need is missing; the handle stands at the end of the cut result."
)


class Rebuild(Protocol[Made]):
    """Makes an output around other texts."""

    def __call__(self, texts: Sequence[str], note: str = "") -> Made:
        """Return it, with a note that leaves it well-formed; "" for none."""


@dataclass(frozen=True)
class Parts(Generic[Output]):
    """An output taken apart.

    Attributes:
        texts: What can be compressed, in order.
        ids: Ids of the documents among them, else None.
        rebuild: Makes the output around as many other texts. A text that became blank takes the white space behind
            it along, a text block that did is left out.
        valid: Returns whether an output still parses as what it parsed as before.
    """

    texts: tuple[str, ...]
    ids: tuple[str | None, ...]
    rebuild: Rebuild[Output]
    valid: Callable[[Output], bool] = lambda output: True


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
        tool: Name of the tool that returns originals; None where the LLM has none, and is not told of a handle.
        originals: Where they are kept.
    """

    tool: str | None
    originals: Originals


class Delivery(Generic[Output]):
    """What becomes of one output, made while its compressions are reported, so that the report tells the same.

    Args:
        shortener: Makes it.
        job: What is compressed.
        shown: Returns what the LLM reads of an output.

    Attributes:
        shorter: The output; None where it stays as it is.
    """

    def __init__(self, shortener: Shortener, job: Job[Output], shown: Callable[[Output], str]) -> None:
        self._shortener = shortener
        self._job = job
        self._shown = shown
        self.shorter: Shorter[Output] | None = None

    def __call__(self, found: Sequence[Compression]) -> Savings:
        """Make it of the results of its texts; return what it saves."""
        self.shorter = self._shortener.shorter(self._job, found, self._shown)
        if self.shorter is not None:
            return self.shorter.savings
        return self._shortener.unchanged(self._job)


class Shortener:
    """Decides which outputs are compressed, and makes them of what their compressions say.

    Args:
        encoding: The tiktoken encoding in which tokens are counted, or what counts them.
        min_tokens: Outputs of fewer LLM tokens stay as they are.
        way_back: How an agent has an original back; None for no way.
        drops: Whether a note stands in the place of an output in which nothing passes; else that stays as it is.

    Raises:
        ValueError, TypeError: `min_tokens` is no count.
    """

    def __init__(
        self, encoding: str | TokenCounter, *, min_tokens: int, way_back: WayBack | None, drops: bool
    ) -> None:
        check_count(min_tokens, "min_tokens", least=0)
        self._count = TokenCounter(encoding) if isinstance(encoding, str) else encoding
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
        """Return an output cut to its query, with a note that says so; None where it would get no shorter.

        What it counts is what reaches the LLM: the note, the handle and elision marks included.

        Args:
            job: What was compressed.
            found: One result a text.
            shown: Returns what the LLM reads of an output.
        """
        if all(one.text == one.original for one in found):
            return None
        texts = [one.text for one in found]
        nothing = not any(text.strip() for text in texts)
        if nothing and not self._drops:
            return None
        handle = None
        if self._way_back is not None:
            handle = self._way_back.originals.handle(job.original, job.conversation)
        made = self._noted(job, texts, shown, handle, nothing=nothing)
        if made is None or not (nothing or job.parts.valid(made.output)):
            return None
        self.keep(job.original, job.conversation)
        return made

    def _noted(
        self,
        job: Job[Output],
        texts: Sequence[str],
        shown: Callable[[Output], str],
        handle: str | None,
        *,
        nothing: bool,
    ) -> Shorter[Output] | None:
        """Return an output with a note that says how much was cut, the note counted; None where it is not shorter."""
        tool = None if self._way_back is None else self._way_back.tool
        back = "" if tool is None else f'; {tool}(handle="{handle}") returns all of it'
        exact = self._count.exact(job.original)
        saved = job.before - self._count(shown(job.parts.rebuild(texts)))
        for _ in range(_TRIES):  # what it says changes how long it is
            what = NOTHING if nothing else f"{saved:,} of {job.before:,} tokens cut"
            output = job.parts.rebuild(texts, f"[{what}{back}]")
            after = self._count(shown(output))
            if after >= job.before:
                return None
            if nothing or saved == job.before - after:
                return Shorter(output, self._count.savings(job.before, after, exact=exact), handle)
            saved = job.before - after
        return None

    def unchanged(self, job: Job[Output]) -> Savings:
        """Return what an output saves that stays as it is."""
        return self._count.savings(job.before, job.before, exact=self._count.exact(job.original))

    def keep(self, original: str, conversation: str = "") -> None:
        """Keep an original for the way back, if there is one."""
        if self._way_back is not None:
            self._way_back.originals.put(original, conversation)


def nothing_kept(handle: str) -> str:
    """Return what an LLM is told of a handle that is not, or no longer, kept."""
    return f"Nothing is kept under {handle!r}. Call the tool that gave the result again."
