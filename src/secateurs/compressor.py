"""The compressor: the public class, sync and async, its arguments, loading and closing.

The steps of the work are `secateurs.pipeline`'s; see `pipeline/run.py`.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from secateurs import checkpoints
from secateurs.checkpoints.folder import stamp_of
from secateurs.model.device import resolve_device, resolve_dtype
from secateurs.model.scorer import Observer, Scorer, compute
from secateurs.pipeline.cache import ScoreCache
from secateurs.pipeline.recipe import Recipe
from secateurs.pipeline.run import Pipeline
from secateurs.policy import Default, Distinct, Policy, check_distinct, check_policy, resolve
from secateurs.result.compression import Compression
from secateurs.result.savings import TokenCounter
from secateurs.segment import Segmenter, get_cutter
from secateurs.support.arguments import (
    check_also,
    check_count,
    check_documents,
    check_elision,
    check_pairs,
    check_query,
)
from secateurs.support.calls import Calls
from secateurs.support.fork import ForkLock
from secateurs.support.names import checkpoint_name, commit_of

_CLOSED = "this Compressor is closed: its weights are freed. Load it again with from_pretrained."


@dataclass(frozen=True)
class _Asked:
    """What is asked of one call; the fields are the arguments of `Compressor.compress`."""

    policy: Policy | None = None
    max_total_tokens: int | None = None
    elision: str | None = None
    also: Mapping[str, float] | None = None
    distinct: Distinct | None = None


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
        elision: What stands where something was cut, such as `"[…]"`; None for nothing. It counts as what it costs.
        recipe: How to load the checkpoint again where a pickle is read; None to load it from its folder.
        none_as_blank: Whether None among documents is a blank one; otherwise it is a TypeError.

    Example:
        >>> from secateurs import Threshold
        >>> compressor = Compressor.from_pretrained()
        >>> document = "Ann Lee wrote it in 1999. It rained that year."
        >>> compressor.compress("Who wrote it?", [document], policy=Threshold(0.5))[0].text
        'Ann Lee wrote it in 1999.'
    """

    def __init__(
        self,
        checkpoint: checkpoints.Checkpoint,
        *,
        segmenter: Segmenter | str | None = None,
        policy: Policy | None = None,
        encoding: str = "o200k_base",
        cache: ScoreCache | None = None,
        elision: str | None = None,
        recipe: Recipe | None = None,
        none_as_blank: bool = False,
    ) -> None:
        self._cutter = get_cutter(segmenter)
        self._count = TokenCounter(encoding)
        self.policy = resolve(check_policy(policy or Default()), checkpoint.default_policy)
        self.encoding = encoding
        self.cache = cache
        self.elision = check_elision(elision)
        self.none_as_blank = none_as_blank
        self.checkpoint = checkpoint.path
        self._loaded: checkpoints.Checkpoint | None = checkpoint
        self._scorer: Scorer | None = Scorer(checkpoint.model)
        self._calls = Calls()
        self._kin: weakref.WeakSet[Compressor] = weakref.WeakSet()  # others on these weights, which end with them
        self._kin_lock = ForkLock()
        self._recipe = recipe or Recipe.of(checkpoint)
        self._segmenter = segmenter
        written = (checkpoint.path.resolve(), stamp_of(checkpoint.path))  # a folder may be trained into again
        self._owner = (*written, checkpoint.model.device.type, checkpoint.model.dtype, segmenter)

    @classmethod
    def from_pretrained(  # noqa: PLR0913 - the arguments of the contract, all but the first by name
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
        elision: str | None = None,
        none_as_blank: bool = False,
        mapped: bool = True,
    ) -> Self:
        """Load a checkpoint.

        Args:
            model: Hub id or folder; None for the bundled English and Chinese model, which needs no network.
            revision: Branch, tag or commit on the hub; a commit pins what is loaded.
            device: `"auto"`, `"cpu"`, `"mps"`, `"cuda"` or `"cuda:N"`.
            dtype: `"auto"` (float32 on CPU and MPS, 16 bit on CUDA), `"float32"`, `"bfloat16"` or `"float16"`.
            family: The checkpoint's layout, needed only where its config.json cannot tell.
            segmenter: How documents are split; None for sentences, a language code to fix it, or a callable.
            policy: Which sentences stay by default; None for the checkpoint's own threshold.
            encoding: The tiktoken encoding in which savings are counted.
            elision: What stands where something was cut, such as `"[…]"`; None for nothing.
            none_as_blank: Whether None among documents is a blank one; otherwise it is a TypeError.
            mapped: Whether weights on a CPU may stay in the checkpoint's own file, in pages that processes share.
                Then replace that file by renaming another to its name: whoever writes into it changes the scores,
                and whoever cuts it short ends the process. False copies them, as the services do.

        Returns:
            A compressor, ready to use.

        Raises:
            CheckpointError: The checkpoint cannot be found or is not complete.
            DeviceError: The device is unknown or not available.
        """
        checkpoints.check_family(family)  # wrong arguments are found before a model is loaded
        get_cutter(segmenter)
        TokenCounter(encoding)
        check_elision(elision)
        check_policy(policy or Default())
        where = resolve_device(device)
        precision = resolve_dtype(dtype, where)
        path = checkpoints.locate(model, revision)
        load = partial(checkpoints.load, path, family=family, device=where, dtype=precision, mapped=mapped)
        checkpoint = compute(load, where)
        if model is not None and Path(model) == path:
            recipe = Recipe(str(path.absolute()), None, device, dtype, family, mapped)
        else:  # a branch may have moved on where, or when, a pickle is read
            recipe = Recipe(model, commit_of(path) or revision, device, dtype, family, mapped)
        return cls(
            checkpoint,
            segmenter=segmenter,
            policy=policy,
            encoding=encoding,
            elision=elision,
            recipe=recipe,
            none_as_blank=none_as_blank,
        )

    @property
    def name(self) -> str:
        """The checkpoint's name: `secateurs-xsmall`, `owner/pruner` from the hub, else its folder's; never a path."""
        return checkpoint_name(self.checkpoint)

    def compress(
        self,
        query: str,
        documents: Sequence[str | None],
        *,
        policy: Policy | None = None,
        max_total_tokens: int | None = None,
        timeout: float | None = None,
        elision: str | None = None,
        also: Mapping[str, float] | None = None,
        distinct: Distinct | None = None,
    ) -> list[Compression]:
        """Compress documents for one query, or for several at once.

        Args:
            query: What the documents were retrieved for; not blank.
            documents: The documents, as a list.
            policy: Which sentences stay; None for this compressor's own.
            max_total_tokens: LLM tokens to spend over all documents together, best sentences first.
            timeout: Seconds after which to give up; None to wait as long as it takes.
            elision: What stands where something was cut; None for this compressor's own.
            also: Further queries, each with what its scores are multiplied by, from 0 to 1. All are scored in the
                same pass; a sentence's score is the best of them.
            distinct: `Distinct()` leaves out of each document what a kept sentence of a better-ranked one says
                already, verbatim or nearly; such a sentence has `copy_of`, and a document in which nothing else
                passed is `"dropped"`, its reason `"nothing_new"`. None keeps every copy.

        Returns:
            One result a document, in order. A document that fails comes back whole, with `status="error"`.

        Raises:
            ValueError: The query is blank, or a setting is out of range.
            TypeError: An argument is of the wrong type.
            TimeoutError: The time is up.
            OverloadedError: Other callers' documents are waiting already, too many for these to join them.
        """
        asked = _Asked(policy, max_total_tokens, elision, check_also(also), distinct)
        work = self._work(self._pairs(query, documents), asked)
        return self._calls.run(work, timeout=timeout)

    def compress_pairs(
        self,
        pairs: Sequence[tuple[str, str | None]],
        *,
        policy: Policy | None = None,
        max_total_tokens: int | None = None,
        timeout: float | None = None,
        elision: str | None = None,
        distinct: Distinct | None = None,
    ) -> list[Compression]:
        """Compress documents for many queries at once, batched together.

        Args:
            pairs: (query, document) pairs.
            policy: Which sentences stay; None for this compressor's own.
            max_total_tokens: LLM tokens to spend over all documents together, best sentences first.
            timeout: Seconds after which to give up; None to wait as long as it takes.
            elision: What stands where something was cut; None for this compressor's own.
            distinct: As in `compress`, among the documents of each query.

        Returns:
            One result a pair, in order.

        Raises:
            ValueError: A query is blank, or a setting is out of range.
            TypeError: An argument is of the wrong type.
            TimeoutError: The time is up.
            OverloadedError: Other callers' documents are waiting already, too many for these to join them.
        """
        asked = _Asked(policy, max_total_tokens, elision, distinct=distinct)
        work = self._work(check_pairs(pairs, none_as_blank=self.none_as_blank), asked)
        return self._calls.run(work, timeout=timeout)

    async def acompress(
        self,
        query: str,
        documents: Sequence[str | None],
        *,
        policy: Policy | None = None,
        max_total_tokens: int | None = None,
        timeout: float | None = None,
        elision: str | None = None,
        also: Mapping[str, float] | None = None,
        distinct: Distinct | None = None,
    ) -> list[Compression]:
        """Do what `compress` does without blocking the event loop."""
        asked = _Asked(policy, max_total_tokens, elision, check_also(also), distinct)
        work = self._work(self._pairs(query, documents), asked)
        return await self._calls.arun(work, timeout=timeout)

    async def acompress_pairs(
        self,
        pairs: Sequence[tuple[str, str | None]],
        *,
        policy: Policy | None = None,
        max_total_tokens: int | None = None,
        timeout: float | None = None,
        elision: str | None = None,
        distinct: Distinct | None = None,
    ) -> list[Compression]:
        """Do what `compress_pairs` does without blocking the event loop."""
        asked = _Asked(policy, max_total_tokens, elision, distinct=distinct)
        work = self._work(check_pairs(pairs, none_as_blank=self.none_as_blank), asked)
        return await self._calls.arun(work, timeout=timeout)

    def counting(self, encoding: str) -> Self:
        """Return a compressor with the same weights whose savings are counted in another tiktoken encoding.

        It is closed with this one; closing it leaves this one usable.
        """
        checkpoint, scorer = self._open()
        other = type(self)(
            checkpoint,
            segmenter=self._segmenter,
            policy=self.policy,
            encoding=encoding,
            cache=self.cache,
            elision=self.elision,
            recipe=self._recipe,
            none_as_blank=self.none_as_blank,
        )
        other._scorer = scorer  # whose passes are shared
        with self._kin_lock:
            self._kin.add(other)
        if self._loaded is None:  # closed meanwhile, perhaps before it knew of the other
            other.close()
            raise RuntimeError(_CLOSED)
        return other

    def observe(self, on_pass: Observer) -> None:
        """Call a function after every forward pass, for metrics.

        Args:
            on_pass: Called with the pass's encoder tokens and seconds, on the thread that ran it; what it raises is
                logged.
        """
        self._open()[1].observe(on_pass)

    def close(self) -> None:
        """Free the weights; the compressor cannot be used afterwards, nor those that `counting` made of it."""
        self._loaded = self._scorer = None
        self._calls.close()
        with self._kin_lock:
            kin = list(self._kin)
        for one in kin:
            one.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what to load, never the weights."""
        settings = {
            "segmenter": self._segmenter,
            "policy": self.policy,
            "encoding": self.encoding,
            "elision": self.elision,
            "none_as_blank": self.none_as_blank,
        }
        return _load, (type(self), {**asdict(self._recipe), **settings}, self.cache)

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

    def _pairs(self, query: str, documents: Sequence[str | None]) -> list[tuple[str, str]]:
        """Return each document with the query, checked."""
        check_query(query)
        return [(query, document) for document in check_documents(documents, none_as_blank=self.none_as_blank)]

    def _work(
        self, pairs: Sequence[tuple[str, str]], asked: _Asked
    ) -> Callable[[threading.Event], list[Compression]]:
        """Return what a call has to do, its arguments checked."""
        policy = self.policy if asked.policy is None else check_policy(asked.policy)
        budget, also = asked.max_total_tokens, asked.also
        if budget is not None:
            check_count(budget, "max_total_tokens", least=0)
        mark = self.elision if asked.elision is None else check_elision(asked.elision)
        distinct = check_distinct(asked.distinct, len(pairs))
        self._open()  # else a closed one would start a thread to say so
        return lambda cancelled: self._pipeline(mark).run(
            pairs, policy, budget, cancelled, also=also, distinct=distinct
        )

    def _pipeline(self, elision: str | None) -> Pipeline:
        checkpoint, _ = self._open()
        return Pipeline(
            cutter=self._cutter,
            checkpoint=checkpoint,
            scorer=self._still_open,
            count=self._count.steady(),
            cache=self.cache,
            elision=elision,
            owner=self._owner,
        )

    def _still_open(self) -> Scorer:
        scorer = self._scorer
        if scorer is None:
            raise RuntimeError("this Compressor was closed while it was used.")
        return scorer

    def _open(self) -> tuple[checkpoints.Checkpoint, Scorer]:
        """Return the checkpoint and what runs it.

        Raises:
            RuntimeError: They were closed.
        """
        checkpoint, scorer = self._loaded, self._scorer
        if checkpoint is None or scorer is None:
            raise RuntimeError(_CLOSED)
        return checkpoint, scorer


def _load(kind: type[Compressor], settings: dict[str, Any], cache: ScoreCache | None = None) -> Compressor:
    compressor = kind.from_pretrained(settings.pop("model"), **settings)
    compressor.cache = cache
    return compressor
