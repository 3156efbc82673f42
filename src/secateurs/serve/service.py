"""The model's side of the service: what a request may ask of the one compressor that all requests share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from secateurs.adapters.order import in_order, spared
from secateurs.adapters.originals import Originals
from secateurs.adapters.runner import Runner
from secateurs.adapters.spans import Facts, Told, span
from secateurs.errors import Error, OverloadedError
from secateurs.policy import Distinct, Policy, Threshold
from secateurs.result.compression import Compression
from secateurs.result.savings import TokenCounter
from secateurs.serve.admission import Admission
from secateurs.serve.effort import Effort
from secateurs.serve.metrics import Metrics
from secateurs.serve.refusal import RefusalError
from secateurs.serve.settings import ServiceSettings

if TYPE_CHECKING:
    from secateurs.compressor import Compressor
    from secateurs.remote import RemoteCompressor

Pairs = Sequence[tuple[str, str]]
Result = TypeVar("Result")
Answer = Callable[[list[Compression], Effort], Result]

_ANSWERS = 2  # threads that make answers, which is Python's work alone
_SMALL = 16_000  # bytes of text of which an answer is made in less time than a thread takes to begin
_SMALL_STEPS = 1_000  # the same, where every threshold is counted
_LARGE = 500_000  # bytes of text from which answers wait for each other, and keep no smaller one waiting
_FAILURES = 3  # requests in a row of which every document failed: the model is broken, not the documents


@dataclass(frozen=True)
class Job:
    """What one request asks of the model.

    Attributes:
        pairs: (query, document) pairs.
        policy: Which sentences stay.
        max_total_tokens: LLM tokens of all documents together.
        encoding: In which LLM tokens are counted; None for the compressor's own.
        timeout: Seconds the caller wants to wait; None for the service's deadline.
        elision: What stands where something was cut; None for the compressor's own.
        cuts: Whether what is kept goes to an LLM, and so what is cut is saved.
        steps: Whether the answer says what every threshold would cost.
        rerank: Whether the answer orders the documents.
        top_n: How many documents it returns.
        distinct: What counts as said in two documents, of which one keeps it; None for nothing.
    """

    pairs: Pairs
    policy: Policy
    max_total_tokens: int | None = None
    encoding: str | None = None
    timeout: float | None = None
    elision: str | None = None
    cuts: bool = True
    steps: bool = False
    rerank: bool = False
    top_n: int | None = None
    distinct: Distinct | None = None

    @property
    def size(self) -> int:
        """Bytes of its documents in UTF-8, each with the query the model reads beside it."""
        queries = {query: size_of(query) for query, _ in self.pairs}
        return sum(queries[query] + size_of(document) for query, document in self.pairs)


class Service:
    """One compressor, shared by all requests.

    Args:
        compressor: The compressor: ours, or one that has its methods.
        settings: What the service allows.

    Attributes:
        draining: Whether the service is about to end.
        originals: What was cut out of conversations, for a while.
        runner: Runs the compressor on them, as it does for agents.
    """

    def __init__(self, compressor: Compressor | RemoteCompressor, settings: ServiceSettings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        # a large request that shares the model with later ones takes up to twice as long as is estimated
        self.admission = Admission(requests=settings.max_waiting, patience=settings.timeout / 3)
        self.originals = Originals(settings.max_kept_bytes, seconds=settings.keep_seconds)
        self.runner = Runner()
        self.draining = False
        self.ranks: bool | None = None  # not known before the model has read something
        self._compressor = compressor
        self._others: dict[str, Compressor | RemoteCompressor] = {}
        self._failures = 0
        self._answers = ThreadPoolExecutor(_ANSWERS, thread_name_prefix="secateurs-answers")
        self._large = ThreadPoolExecutor(1, thread_name_prefix="secateurs-large-answers")
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="secateurs-bodies")
        self.metrics.serving(lambda: self.name, lambda: self.admission.inside, lambda: self.admission.waiting)
        if hasattr(compressor, "observe"):  # one behind an address tells nothing of its forward passes
            compressor.observe(self.metrics.batch)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._compressor.name  # one behind an address may learn it later

    @property
    def policy(self) -> Policy:
        """Which sentences stay where a request does not say."""
        return self._compressor.policy

    @property
    def encoding(self) -> str:
        """In which LLM tokens are counted where a request does not say."""
        return self._compressor.encoding

    @property
    def elision(self) -> str | None:
        """What stands where something was cut, where a request does not say."""
        return getattr(self._compressor, "elision", None)  # a compressor of somebody's own may have none

    @property
    def healthy(self) -> bool:
        """Whether the model still works: not every document of the last requests failed."""
        return self._failures < _FAILURES

    async def probe(self) -> bool:
        """Return whether the model ranks documents; the first time it reads one, which also warms it up.

        Raises:
            Error: The model cannot read it, or is to order documents and cannot.
        """
        if self.ranks is None:
            found = await self._compressor.acompress("Is it warm?", ["It is warm now."], policy=Threshold(0.0))
            if found[0].status == "error":
                raise Error(f"{self.name} failed on its first document: {found[0].reason}. Try another --device.")
            ranks = found[0].ranking_score is not None
            if self.settings.rerank and not ranks:
                raise Error(f"{self.name} has no ranking head: serve a checkpoint that has one, or leave rerank out.")
            self.ranks = ranks
        return self.ranks

    async def read(self, size: int, work: Callable[[], Result]) -> Result:
        """Read a body: a small one here, large ones on a thread, one after another.

        Args:
            size: Its bytes.
            work: What reads it.
        """
        if size <= _SMALL:
            return work()
        return await self.off_loop(work)

    async def off_loop(self, work: Callable[[], Result]) -> Result:
        """Read a part of a body on the thread of those that are large."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def run(self, job: Job, then: Answer[Result]) -> Result:
        """Compress, within the limits and the deadline.

        Args:
            job: What to do.
            then: Makes the answer of the results; part of what the deadline is for. It is told to end when nobody
                waits for it any more.

        Raises:
            RefusalError: Too much is waiting, or the time is up.
        """
        compressor = self.counting(job.encoding)
        size = job.size
        effort = Effort(sum(len(document) for _, document in job.pairs))

        async def work() -> Result:
            with span() as call:
                results = await self._compress(compressor, job) if job.pairs else []
                call.facts = partial(self._facts, job, results)
            self.judge(results, cuts=job.cuts)
            return await self.make(partial(then, results, effort), size, _SMALL_STEPS if job.steps else _SMALL)

        return await self.within(work, size, effort, job.timeout)

    async def within(
        self, work: Callable[[], Awaitable[Result]], size: int, effort: Effort, timeout: float | None
    ) -> Result:
        """Do what the model is needed for: within what may wait, and within the deadline.

        Args:
            work: What is to be done.
            size: Bytes the model reads for it.
            effort: What the answer may cost; it is told to end when nobody waits for it any more.
            timeout: Seconds the caller wants to wait; None for the service's deadline.

        Raises:
            RefusalError: Too much is waiting, or the time is up.
        """
        seconds = min(timeout or self.settings.timeout, self.settings.timeout)
        with self.admission.enter(size):
            try:
                async with asyncio.timeout(seconds):
                    return await work()
            except TimeoutError:
                raise RefusalError(
                    504, "deadline", f"not done within {seconds:g} s: send less at once, or allow more time."
                ) from None
            except OverloadedError as error:
                raise RefusalError.overloaded(str(error), 10) from None
            finally:
                effort.stop()

    def close(self) -> None:
        """Let the threads end, and those of compressors made here. The one it was given is its owner's to close."""
        for threads in (self._answers, self._large, self._readers):
            threads.shutdown(wait=False, cancel_futures=True)
        while self._others:
            close = getattr(self._others.popitem()[1], "close", None)  # a compressor of somebody's own may have none
            if close is not None:
                close()

    def counter(self, job: Job) -> TokenCounter:
        """Return what counts LLM tokens as the results of a job do."""
        return TokenCounter(job.encoding or self.encoding)

    async def _compress(self, compressor: Compressor | RemoteCompressor, job: Job) -> list[Compression]:
        options: dict[str, Any] = {"policy": job.policy, "max_total_tokens": job.max_total_tokens}
        if job.elision is not None:
            options["elision"] = job.elision
        if job.distinct is not None:
            options["distinct"] = job.distinct
        query = job.pairs[0][0]
        if all(pair[0] == query for pair in job.pairs):
            return await compressor.acompress(query, [document for _, document in job.pairs], **options)
        return await compressor.acompress_pairs(job.pairs, **options)

    def _facts(self, job: Job, results: Sequence[Compression]) -> Facts:
        """Return what a span tells of a request."""
        order = in_order(results, rerank=job.rerank, top_n=job.top_n)
        back = [Told(one.text, None, one.ranking_score) for one in (results[found.index] for found in order)]
        query = job.pairs[0][0] if job.pairs else ""
        given = [Told(document) for _, document in job.pairs]
        savings = spared(results, order, job.encoding or self.encoding)
        return Facts(query, given, back, self.name, job.top_n, savings)

    async def make(self, answer: Callable[[], Result], size: int, small: int = _SMALL) -> Result:
        """Make an answer: a small one here, a large one on a thread, where it does not hold up the event loop.

        Args:
            answer: Makes it.
            size: Bytes of text it is made of.
            small: Up to how many it is a small one.
        """
        if size <= small:
            return answer()
        threads = self._answers if size <= _LARGE else self._large
        return await asyncio.get_running_loop().run_in_executor(threads, answer)

    def counting(self, encoding: str | None) -> Compressor | RemoteCompressor:
        """Return the compressor that counts in an encoding; None for its own."""
        if encoding is None or encoding == self.encoding:
            return self._compressor
        if encoding not in self._others:
            self._others[encoding] = self._compressor.counting(encoding)
        return self._others[encoding]

    def judge(self, results: Sequence[Compression], *, cuts: bool) -> None:
        """Count what became of the documents of one request, and whether the model still works.

        Args:
            results: One a document.
            cuts: Whether they were asked for to be cut, so that their tokens count.
        """
        self.metrics.read(results, cuts=cuts)
        if results:
            failed = all(one.status == "error" for one in results)
            self._failures = self._failures + 1 if failed else 0


def size_of(text: str) -> int:
    """Return a text's bytes in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))
