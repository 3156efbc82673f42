"""The compressor: segment, score, decide, cut, count. The only file that knows all the steps.

query, document
  -> sentences        segment/        spans that tile the document
  -> windows          windows/        each sentence tokenized once, packed behind the query
  -> token scores     model/          one forward pass for many windows of many documents
  -> sentence scores  windows/aggregate.py
  -> keep flags       policy.py
  -> Compression      pipeline/       the kept slices of the original, and what they save

What a document is between two steps stands in pipeline/drafts.py.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from secateurs import checkpoints
from secateurs.errors import own_failure
from secateurs.model.device import resolve_device, resolve_dtype
from secateurs.model.scorer import Observer, Scorer, WindowScores, compute
from secateurs.pipeline.cache import ScoreCache, recall, remember
from secateurs.pipeline.cutting import cut, decide, leave_whole
from secateurs.pipeline.drafts import Draft, Scored, reduce_scores, spend
from secateurs.pipeline.overlap import groups, overlapped
from secateurs.policy import Policy, check_policy
from secateurs.result.compression import Compression
from secateurs.result.savings import TokenCounter
from secateurs.result.token_scores import Locator
from secateurs.segment import Segmenter, check_tiling, get_segmenter
from secateurs.support.arguments import check_count, check_documents, check_pairs, check_query
from secateurs.support.calls import Calls
from secateurs.support.names import checkpoint_name
from secateurs.windows.packing import Ids

Item = TypeVar("Item", bound=Scored | Compression)

_CLOSED = "this Compressor is closed: its weights are freed. Load it again with from_pretrained."

_log = logging.getLogger(__name__)


class Compressor:
    """Cuts documents down to the sentences that matter for a query.

    Make one with `from_pretrained` and share it: it is safe to call from many threads and tasks at once.

    Args:
        checkpoint: A loaded checkpoint.
        segmenter: How documents are split: None for the default, a name, or a callable text -> (start, end) pairs.
        policy: Which sentences stay by default; None for the checkpoint's own.
        encoding: The tiktoken encoding in which savings are counted.
        cache: Remembers scores of (query, document) pairs; None scores every call anew. It can be shared, and set
            later as the attribute of the same name.

    Example:
        >>> from secateurs import Threshold
        >>> compressor = Compressor.from_pretrained()
        >>> document = "Ann Lee wrote it in 1999. It rained that year."
        >>> compressor.compress("Who wrote it?", [document], policy=Threshold(0.5))[0].text
        'Ann Lee wrote it in 1999. '
    """

    def __init__(
        self,
        checkpoint: checkpoints.Checkpoint,
        *,
        segmenter: Segmenter | str | None = None,
        policy: Policy | None = None,
        encoding: str = "o200k_base",
        cache: ScoreCache | None = None,
    ) -> None:
        self._segment = get_segmenter(segmenter)
        self._count = TokenCounter(encoding)
        self.policy = checkpoint.default_policy if policy is None else check_policy(policy)
        self.encoding = encoding
        self.cache = cache
        self.checkpoint = checkpoint.path
        self._default_policy = checkpoint.default_policy
        self._rule = checkpoint.family.rule
        self._locate = Locator(checkpoint.tokenizer, checkpoint.family.sentences)
        self._loaded: checkpoints.Checkpoint | None = checkpoint
        self._scorer: Scorer | None = Scorer(checkpoint.model)
        self._calls = Calls()
        self._recipe: dict[str, Any] = {
            "model": str(checkpoint.path),
            "device": str(checkpoint.model.device),
            "dtype": str(checkpoint.model.dtype).removeprefix("torch."),
            "family": checkpoint.family.name,
        }
        self._segmenter = segmenter
        self._owner = (checkpoint.path.resolve(), checkpoint.model.device.type, checkpoint.model.dtype, segmenter)

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path | None = None,
        *,
        revision: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        family: str | None = None,
        segmenter: Segmenter | str | None = None,
        policy: Policy | None = None,
        encoding: str = "o200k_base",
    ) -> Self:
        """Load a checkpoint.

        Args:
            model: Hub id or folder; None for the bundled English and Chinese model, which needs no network.
            revision: Branch, tag or commit on the hub.
            device: `"auto"`, `"cpu"`, `"mps"`, `"cuda"` or `"cuda:N"`.
            dtype: `"auto"` (float32 on CPU and MPS, 16 bit on CUDA), `"float32"`, `"bfloat16"` or `"float16"`.
            family: The checkpoint's layout, needed only where its config.json cannot tell.
            segmenter: How documents are split; None for sentences, a language code to fix it, or a callable.
            policy: Which sentences stay by default; None for the checkpoint's own threshold.
            encoding: The tiktoken encoding in which savings are counted.

        Returns:
            A compressor, ready to use.

        Raises:
            CheckpointError: The checkpoint cannot be found or is not complete.
            DeviceError: The device is unknown or not available.
        """
        checkpoints.check_family(family)  # wrong arguments are found before a model is loaded
        get_segmenter(segmenter), TokenCounter(encoding)
        where = resolve_device(device)
        precision = resolve_dtype(dtype, where)
        path = checkpoints.locate(model, revision)
        load = partial(checkpoints.load, path, family=family, device=where, dtype=precision)
        checkpoint = compute(load, where)
        compressor = cls(checkpoint, segmenter=segmenter, policy=policy, encoding=encoding)
        compressor._recipe = {
            "model": model,
            "revision": revision,
            "device": device,
            "dtype": dtype,
            "family": family,
        }
        return compressor

    @property
    def name(self) -> str:
        """The checkpoint's name: `secateurs-xsmall`, `owner/pruner` from the hub, else its folder's; never a path."""
        return checkpoint_name(self.checkpoint)

    def compress(
        self,
        query: str,
        documents: Sequence[str],
        *,
        policy: Policy | None = None,
        max_total_tokens: int | None = None,
        timeout: float | None = None,
    ) -> list[Compression]:
        """Compress documents for one query.

        Args:
            query: What the documents were retrieved for; not blank.
            documents: The documents, as a list.
            policy: Which sentences stay; None for this compressor's own.
            max_total_tokens: LLM tokens to spend over all documents together, best sentences first.
            timeout: Seconds after which to give up; None to wait as long as it takes.

        Returns:
            One result a document, in order. A document that fails comes back whole, with `status="error"`.

        Raises:
            ValueError: The query is blank, or a setting is out of range.
            TypeError: An argument is of the wrong type.
            TimeoutError: The time is up.
            OverloadedError: Other callers' documents are waiting already, too many for these to join them.
        """
        check_query(query)
        check_documents(documents)
        work = partial(self._run, [(query, document) for document in documents], policy, max_total_tokens)
        return self._calls.run(work, timeout=timeout)

    def compress_pairs(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        policy: Policy | None = None,
        max_total_tokens: int | None = None,
        timeout: float | None = None,
    ) -> list[Compression]:
        """Compress documents for many queries at once, batched together.

        Args:
            pairs: (query, document) pairs.
            policy: Which sentences stay; None for this compressor's own.
            max_total_tokens: LLM tokens to spend over all documents together, best sentences first.
            timeout: Seconds after which to give up; None to wait as long as it takes.

        Returns:
            One result a pair, in order.

        Raises:
            ValueError: A query is blank, or a setting is out of range.
            TypeError: An argument is of the wrong type.
            TimeoutError: The time is up.
            OverloadedError: Other callers' documents are waiting already, too many for these to join them.
        """
        return self._calls.run(partial(self._run, check_pairs(pairs), policy, max_total_tokens), timeout=timeout)

    async def acompress(
        self,
        query: str,
        documents: Sequence[str],
        *,
        policy: Policy | None = None,
        max_total_tokens: int | None = None,
        timeout: float | None = None,
    ) -> list[Compression]:
        """Do what `compress` does without blocking the event loop."""
        check_query(query)
        check_documents(documents)
        work = partial(self._run, [(query, document) for document in documents], policy, max_total_tokens)
        return await self._calls.arun(work, timeout=timeout)

    async def acompress_pairs(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        policy: Policy | None = None,
        max_total_tokens: int | None = None,
        timeout: float | None = None,
    ) -> list[Compression]:
        """Do what `compress_pairs` does without blocking the event loop."""
        work = partial(self._run, check_pairs(pairs), policy, max_total_tokens)
        return await self._calls.arun(work, timeout=timeout)

    def counting(self, encoding: str) -> Self:
        """Return a compressor with the same weights whose savings are counted in another tiktoken encoding."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._count, other.encoding, other._calls = TokenCounter(encoding), encoding, Calls(self._calls.process)
        return other

    def observe(self, on_pass: Observer) -> None:
        """Call a function after every forward pass, for metrics.

        Args:
            on_pass: Called with the pass's encoder tokens and seconds, on the thread that ran it; what it raises is
                logged.
        """
        scorer = self._scorer
        if scorer is None:
            raise RuntimeError(_CLOSED)
        scorer.observe(on_pass)

    def close(self) -> None:
        """Free the weights; the compressor cannot be used afterwards."""
        self._loaded = self._scorer = None
        self._calls.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what to load, never the weights."""
        settings = {"segmenter": self._segmenter, "policy": self.policy, "encoding": self.encoding}
        return _load, (type(self), {**self._recipe, **settings}, self.cache)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        checkpoint = self._loaded
        state = "closed" if checkpoint is None else str(checkpoint.model.device)
        return f"Compressor({self.checkpoint.name!r}, {state}, policy={self.policy!r}, encoding={self.encoding!r})"

    def _run(
        self,
        pairs: Sequence[tuple[str, str]],
        policy: Policy | None,
        max_total_tokens: int | None,
        cancelled: threading.Event,
    ) -> list[Compression]:
        policy = self.policy if policy is None else check_policy(policy)
        if max_total_tokens is not None:
            check_count(max_total_tokens, "max_total_tokens", least=0)
            decided = self._each(pairs, cancelled, partial(self._decide_all, policy))
            return self._cut_all(spend(decided, max_total_tokens, self._count))
        return self._each(pairs, cancelled, lambda scored: self._cut_all(self._decide_all(policy, scored)))

    def _each(
        self,
        pairs: Sequence[tuple[str, str]],
        cancelled: threading.Event,
        finish: Callable[[Sequence[Scored | Compression]], list[Item]],
    ) -> list[Item]:
        """Score each document and finish it; one that was retrieved twice only once."""
        once = list(dict.fromkeys(pairs))
        parts = overlapped(groups(once), self._draft, partial(self._score, cancelled), finish)
        found = dict(zip(once, chain.from_iterable(parts), strict=True))
        return [found[pair] for pair in pairs]

    def _draft(self, pairs: Sequence[tuple[str, str]]) -> list[Draft]:
        """Segment and tokenize what is not known already; each query once."""
        checkpoint = self._loaded
        if checkpoint is None:
            raise RuntimeError(_CLOSED)
        queries: dict[str, Ids | BaseException] = {}
        drafts = []
        for query, document in pairs:
            known = recall(self.cache, self._owner, query, document)
            if known is not None:
                drafts.append(Draft(query, document, known=known))
                continue
            if query not in queries:
                queries[query] = _encode_query(checkpoint, query)
            drafts.append(self._draft_one(checkpoint, query, queries[query], document))
        return drafts

    def _draft_one(
        self, checkpoint: checkpoints.Checkpoint, query: str, query_ids: Ids | BaseException, document: str
    ) -> Draft:
        try:
            spans = tuple(check_tiling(self._segment(document), document))
            if not document.strip():
                return Draft(query, document, spans)
            if isinstance(query_ids, BaseException):
                return Draft(query, document, failure=query_ids)
            tokens = checkpoint.encode_sentences([document[start:end] for start, end in spans])
            return Draft(query, document, spans, checkpoint.layout.plan(query_ids, tokens))
        except BaseException as error:
            return Draft(query, document, failure=own_failure(error))  # one document's failure is its own

    def _score(self, cancelled: threading.Event, drafts: Sequence[Draft]) -> list[Scored | Compression]:
        """Run the windows of all documents together, and reduce them to sentence scores."""
        scorer = self._scorer
        if scorer is None:
            raise RuntimeError("this Compressor was closed while it was used.")
        windows = [window for draft in drafts if draft.plan for window in draft.plan.windows]
        outcomes = iter(scorer.score(windows, cancelled=cancelled))
        results: list[Scored | Compression] = []
        for draft in drafts:
            mine = [next(outcomes) for _ in draft.plan.windows] if draft.plan else []
            failure = draft.failure or next((item for item in mine if isinstance(item, BaseException)), None)
            if failure is not None:
                results.append(self._failed(draft.original, failure))
            elif draft.known is not None:
                results.append(draft.known)
            else:
                scores = [item for item in mine if isinstance(item, WindowScores)]
                scored = self._guard(reduce_scores, draft, scores, self._rule, self._locate)
                if isinstance(scored, Scored):
                    remember(self.cache, self._owner, draft.query, scored)
                results.append(scored)
        return results

    def _decide_all(self, policy: Policy, items: Sequence[Scored | Compression]) -> list[Scored | Compression]:
        return [self._guard(decide, item, policy, self._default_policy, self._count) for item in items]

    def _cut_all(self, items: Sequence[Scored | Compression]) -> list[Compression]:
        return [self._guard(cut, item, self._count) for item in items]

    def _guard(self, step: Any, item: Any, *arguments: Any) -> Any:
        """Run one step for one document; what goes wrong is that document's alone."""
        if isinstance(item, Compression):
            return item
        try:
            return step(item, *arguments)
        except BaseException as error:
            return self._failed(item.original, own_failure(error))

    def _failed(self, original: str, error: BaseException) -> Compression:
        """Return a document whole, because something went wrong with it."""
        result = leave_whole(original, error, self._count)
        _log.warning("a document of %d characters is returned whole: %s", len(original), result.reason)
        return result


def _encode_query(checkpoint: checkpoints.Checkpoint, query: str) -> Ids | BaseException:
    """Tokenize a query; where that fails, only its own documents do."""
    try:
        return checkpoint.encode_query(query)
    except BaseException as error:
        return own_failure(error)


def _load(kind: type[Compressor], settings: dict[str, Any], cache: ScoreCache | None = None) -> Compressor:
    compressor = kind.from_pretrained(settings.pop("model"), **settings)
    compressor.cache = cache
    return compressor
