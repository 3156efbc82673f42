"""A compressor for the tests of the doors: no model, and it does what it is told."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from secateurs import Compression, Policy, Savings, Sentence, Threshold
from secateurs.result.savings import TokenCounter


@dataclass
class FakeCompressor:
    """The compressor's protocol without a model: a sentence that shares a word with the query scores 0.9."""

    policy: Policy = field(default_factory=lambda: Threshold(0.5))
    encoding: str = "o200k_base"
    name: str = "fake-model"
    failure: BaseException | None = None
    broken: str = "\0"
    ranking_score: float | None = None
    ranking: dict[str, float] = field(default_factory=dict)  # ranking score of documents that start so
    calls: list[list[str]] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def compress(self, query: str, documents: Sequence[str], *, policy: Policy | None = None) -> list[Compression]:
        self.calls.append(list(documents))
        self.threads.append(threading.current_thread())
        if self.failure is not None:
            raise self.failure
        return [self._one(query, document, policy or self.policy) for document in documents]

    async def acompress(
        self, query: str, documents: Sequence[str], *, policy: Policy | None = None
    ) -> list[Compression]:
        await asyncio.sleep(0)
        return self.compress(query, documents, policy=policy)

    def _one(self, query: str, document: str, policy: Policy) -> Compression:
        count = TokenCounter(self.encoding)
        before = count(document)
        whole = Compression(
            document, document, (), Savings(before, before, self.encoding), "unchanged", "nothing_cut"
        )
        if self.broken in document:
            return replace(whole, status="error", reason="error: ValueError: broken")
        words = set(query.lower().strip("?").split())
        sentences, start = [], 0
        for part in document.split(". "):
            end = min(start + len(part) + 2, len(document))
            score = 0.9 if words & set(part.lower().split()) else 0.1
            sentences.append(Sentence(start, end, document[start:end], score, kept=True))
            start = end
        flags = policy(sentences, count)
        marked = tuple(replace(one, kept=flag) for one, flag in zip(sentences, flags, strict=True))
        text = "".join(one.text for one in marked if one.kept)
        status, reason = ("compressed", None) if text else ("dropped", "nothing_passed")
        if text == document:
            status, reason = "unchanged", "nothing_cut"
        savings = Savings(before, count(text), self.encoding)
        return replace(
            whole,
            text=text,
            sentences=marked,
            savings=savings,
            status=status,
            reason=reason,
            ranking_score=self.ranking.get(document.split(" ")[0], self.ranking_score),
        )


def with_note(text: str, original: str) -> str:
    """Return what is left of a tool's result with the note that says how much was cut, itself counted."""
    count = TokenCounter()
    before = count(original)
    saved = before - count(text)
    for _ in range(5):
        noted = f"{text}\n[{saved:,} of {before:,} tokens cut]"
        if before - count(noted) == saved:
            break
        saved = before - count(noted)
    return noted


_NOTE = re.compile(r"(?:\n|\\n)?\[[\d,]+ of [\d,]+ tokens cut(?:; [^\]]*)?\]")


def without_note(content: str) -> str:
    """Return a tool's result without the note that says how much was cut; there has to be one."""
    bare, notes = _NOTE.subn("", content)
    assert notes == 1, content
    return bare.replace(', "secateurs": ""', "")
