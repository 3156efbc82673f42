"""What the framework adapters share: the compressor behind them, the order of documents, failure, and the report.

An adapter translates documents to texts and back; everything else is here, its settings in settings.py, what a call
came to in outcome.py, what counts as a failure in failure.py. No framework, and no torch until the first document is
compressed: making and copying an adapter costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from secateurs.adapters.asking import Asking
from secateurs.adapters.failure import FailureLog, as_failure, of_configuration
from secateurs.adapters.order import lacks_ranking
from secateurs.adapters.outcome import (
    Delivered,
    Outcome,
    aligned,
    as_they_are,
    facts_of,
    finish,
    texts_in,
    without_model,
)
from secateurs.adapters.protocol import CompressorLike
from secateurs.adapters.settings import Settings, takes
from secateurs.adapters.spans import span
from secateurs.errors import Error, describe
from secateurs.policy import SourcePlace
from secateurs.support.fork import ForkLock

_log = logging.getLogger(__name__)


Places = Sequence[SourcePlace | None]
_Key = tuple[int, str | None, str | None, str, str]
_SHARED: WeakValueDictionary[_Key, CompressorLike] = WeakValueDictionary()
_LOADING = ForkLock()


class Runner:
    """Runs the compressor behind one adapter, made on first use.

    Adapters with the same model, revision, device and encoding share one compressor, so its weights are loaded once;
    they are freed with the last adapter. A copied or unpickled runner is empty and finds or loads its compressor
    again, and so does one in a forked process. What it holds says nothing about an adapter's settings, so all runners
    are equal: a copy equals its original.

    Attributes:
        failures: Logs what goes wrong in this adapter.
    """

    def __init__(self) -> None:
        self.failures = FailureLog(_log)
        self._held: dict[_Key, CompressorLike] = {}
        self._unranked: set[str] = set()

    def __reduce__(self) -> tuple[type[Runner], tuple[()]]:
        return Runner, ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Runner)

    def __hash__(self) -> int:
        return hash(Runner)

    def load(self, settings: Settings) -> CompressorLike:
        """Return the compressor for these settings; loads weights the first time."""
        ready = self._ready(settings)
        if ready is not None:
            return ready
        key = _key(settings)
        with _LOADING:  # two threads, or two adapters, would otherwise both load the weights
            compressor = _SHARED.get(key)
            if compressor is None:
                from secateurs.compressor import Compressor

                compressor = Compressor.from_pretrained(
                    settings.model,
                    revision=settings.revision,
                    device=settings.device,
                    encoding=settings.encoding,
                )
                _SHARED[key] = compressor
            self._held[key] = compressor
        return compressor

    def check(self, settings: Settings) -> None:
        """Load the compressor, if it is not, and let it read a document.

        Args:
            settings: The adapter's settings.

        Raises:
            CheckpointError: The checkpoint cannot be found or is not complete.
            DeviceError: The device is not available.
            Error: It is loaded, or a service stands behind it, and it cannot read a document.
            TimeoutError: The adapter's time is up.
        """
        compressor = self.load(settings)
        found = compressor.compress("Is it there?", ["It is here."], **_options(settings, compressor))
        if [one.status for one in found] in ([], ["error"]):
            reason = found[0].reason if found else "it returned nothing"
            raise Error(f"{compressor.name} is loaded and cannot read a document: {reason}")

    def _ready(self, settings: Settings) -> CompressorLike | None:
        return self._held.get(_key(settings)) if settings.compressor is None else settings.compressor

    def run(
        self,
        settings: Settings,
        query: str,
        texts: Sequence[str | None],
        ids: Sequence[str | None],
        *,
        asking: Asking | None = None,
        delivered: Delivered | None = None,
        places: Places | None = None,
    ) -> Outcome:
        """Compress texts and report; never raises what a document or the model can cause.

        What is wrong with the configuration, such as a checkpoint that cannot be loaded, is the outcome's failure
        whatever `on_error` says: it would come with every call, and pass all documents through uncut for ever.

        Args:
            settings: The adapter's settings.
            query: The query; with a blank one the input is to go back as it is.
            texts: One text a document; None for a document that has none: it goes back as it is, unless `top_n`
                leaves it out, and has no compression in the report.
            ids: Their ids.
            asking: What is asked beside the query, which is its first; None for nothing.
            delivered: Returns what is saved of what is delivered, notes counted; None for the sum of the documents.
            places: Where each text stands in its source; None where nobody knows, or nobody asks.

        Returns:
            The outcome. Call its `check()` once it has been passed on.
        """
        with span() as call:
            outcome = without_model(settings, query, texts)
            if outcome is None:
                try:
                    compressor = self.load(settings)
                    asked, options = _asked(compressor, query, asking)
                    options |= _placed(_options(settings, compressor), texts, places)
                    results = compressor.compress(asked, texts_in(texts), **options)
                    outcome = finish(settings, query, ids, aligned(texts, results), compressor)
                    outcome = _delivered(outcome, delivered)
                except BaseException as error:
                    outcome = self._failed(settings, query, texts, as_failure(error))
            call.facts = partial(facts_of, settings, outcome, texts, ids)
        self._tell(settings, outcome)
        return outcome

    async def arun(
        self,
        settings: Settings,
        query: str,
        texts: Sequence[str | None],
        ids: Sequence[str | None],
        *,
        asking: Asking | None = None,
        delivered: Delivered | None = None,
        places: Places | None = None,
    ) -> Outcome:
        """Do what `run` does without blocking the event loop, not even while the weights load."""
        with span() as call:
            outcome = without_model(settings, query, texts)
            if outcome is None:
                try:
                    compressor = self._ready(settings)
                    if compressor is None:
                        compressor = await asyncio.to_thread(self.load, settings)
                    asked, options = _asked(compressor, query, asking)
                    options |= _placed(_options(settings, compressor), texts, places)
                    results = await compressor.acompress(asked, texts_in(texts), **options)
                    then = partial(finish, settings, query, ids, aligned(texts, results), compressor)
                    outcome = await asyncio.to_thread(then) if settings.settles else then()
                    if delivered is not None:  # counting a long result takes a while
                        outcome = await asyncio.to_thread(_delivered, outcome, delivered)
                except BaseException as error:
                    outcome = self._failed(settings, query, texts, as_failure(error))
            call.facts = partial(facts_of, settings, outcome, texts, ids)
        self._tell(settings, outcome)
        return outcome

    def give_up(self, settings: Settings, what: str, error: Exception) -> None:
        """Raise what went wrong around the model's call, or log it, as `on_error` says.

        Args:
            settings: The adapter's settings.
            what: What becomes of the input.
            error: What went wrong.
        """
        if _raises(settings, error):
            raise error
        self.failures.warn(what, as_failure(error))

    def _tell(self, settings: Settings, outcome: Outcome) -> None:
        """Log, once a checkpoint, that there was no order; hand the report to `on_report`."""
        if settings.rerank and outcome.model not in self._unranked and lacks_ranking(outcome.report.compressions):
            self._unranked.add(outcome.model)
            _log.warning(
                "rerank=True moved and cut nothing: %s gave no document a ranking score, as without a ranking head. "
                "Use a checkpoint that has one, or leave rerank out.",
                outcome.model,
            )
        if settings.on_report is None:
            return
        try:
            settings.on_report(outcome.report)
        except Exception as error:
            self.failures.warn("on_report raised, the documents are returned all the same", error)

    def _failed(self, settings: Settings, query: str, texts: Sequence[str | None], error: Exception) -> Outcome:
        raises = _raises(settings, error)
        if not raises:
            self.failures.warn("compression failed, the documents are returned as they are", error)
        outcome = as_they_are(settings, query, texts, describe(error))
        return replace(outcome, failure=error if raises else None)


def _raises(settings: Settings, error: BaseException) -> bool:
    """Return whether the caller is to hear of an error: all with `"raise"`, and those of configuration always."""
    return settings.on_error == "raise" or of_configuration(error)


def _key(settings: Settings) -> _Key:
    # a fork leaves compressors behind
    return os.getpid(), settings.model, settings.revision, settings.device, settings.encoding


def _options(settings: Settings, compressor: CompressorLike) -> dict[str, Any]:
    """Return the keyword arguments of `compress`."""
    return {"policy": settings.choice(compressor.policy), **settings.call_options()}


def _placed(options: dict[str, Any], texts: Sequence[str | None], places: Places | None) -> dict[str, Any]:
    """Return the arguments of `compress` with the places of the texts that are there, where copies are looked for."""
    distinct = options.get("distinct")
    if distinct is None or places is None:
        return options
    there = tuple(place for place, text in zip(places, texts, strict=True) if text is not None)
    return {**options, "distinct": replace(distinct, places=there)}


def _asked(compressor: CompressorLike, query: str, asking: Asking | None) -> tuple[str, dict[str, Any]]:
    """Return the query for `compress`, and its argument for further ones; of a compressor that takes one, that."""
    if asking is None or not asking.also:
        return query, {}
    if takes(compressor, "also"):
        return query, {"also": asking.also}
    return asking.alone or query, {}


def _delivered(outcome: Outcome, delivered: Delivered | None) -> Outcome:
    """Return an outcome whose report says what is saved of what is delivered."""
    if delivered is None or outcome.failure is not None:
        return outcome
    savings = delivered(outcome.report.compressions)
    return replace(outcome, report=replace(outcome.report, savings=savings))
