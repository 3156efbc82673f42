"""What the framework adapters share: their settings, the compressor behind them, failure, and the report.

An adapter translates documents to texts and back; everything else is here. No framework, and no torch until the
first document is compressed: making, copying, pickling and serializing an adapter costs nothing.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import threading
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NoReturn, Protocol, Self, runtime_checkable
from weakref import WeakValueDictionary

from secateurs.errors import DeviceError, Error, MissingExtraError
from secateurs.policy import Policy, Threshold, check_count, check_threshold, combine
from secateurs.savings import Savings, TokenCounter
from secateurs.text import Compression, Report

METADATA_KEY = "secateurs"
OnError = Literal["keep", "raise"]
OnReport = Callable[[Report], object]

_DEFAULT_ENCODING = "o200k_base"
_BUNDLED = Path(str(files("secateurs"))) / "models"
_log = logging.getLogger(__name__)


@runtime_checkable
class CompressorLike(Protocol):
    """What an adapter needs of a compressor; `secateurs.Compressor` is one."""

    @property
    def policy(self) -> Policy:
        """Which sentences stay by default."""

    @property
    def encoding(self) -> str:
        """The tiktoken encoding in which savings are counted."""

    @property
    def checkpoint(self) -> Path:
        """The checkpoint's folder."""

    def compress(self, query: str, documents: Sequence[str], *, policy: Policy | None = None) -> list[Compression]:
        """Compress documents for one query, one result a document."""

    async def acompress(
        self, query: str, documents: Sequence[str], *, policy: Policy | None = None
    ) -> list[Compression]:
        """Do what `compress` does without blocking the event loop."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The fields every adapter has, checked.

    Attributes:
        compressor: A compressor to use; None to make one from `model`, `device` and `encoding` on first use.
        model: Hub id or folder; None for the bundled model.
        device: `"auto"`, `"cpu"`, `"mps"`, `"cuda"` or `"cuda:N"`.
        threshold: Keep sentences with at least this probability; None for the compressor's own policy.
        top_k: Keep at most this many sentences a document.
        max_tokens: Keep at most this many LLM tokens a document.
        on_error: `"keep"` returns the input if compression fails; `"raise"` raises, also for a single document.
        encoding: The tiktoken encoding in which savings are counted. Beside a `compressor` it is that one's own:
            the default gives way to it, anything else that differs is a ValueError.
        on_report: Called once a call with the `Report`; what it raises is logged.

    Raises:
        ValueError: A setting is out of range, or two contradict each other.
        TypeError: A setting is of the wrong type.
        DeviceError: There is no device of that name; whether this machine has it is found on first use.
    """

    compressor: CompressorLike | None = None
    model: str | None = None
    device: str = "auto"
    threshold: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    on_error: OnError = "keep"
    encoding: str = _DEFAULT_ENCODING
    on_report: OnReport | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None:
            check_threshold(self.threshold)
        if self.top_k is not None:
            check_count(self.top_k, "top_k", least=1)
        if self.max_tokens is not None:
            check_count(self.max_tokens, "max_tokens", least=0)
        if self.on_error not in ("keep", "raise"):
            raise ValueError(f"on_error must be 'keep' or 'raise', got {self.on_error!r}")
        TokenCounter(self.encoding)
        _check_device(self.device)
        if self.on_report is not None and (
            not callable(self.on_report) or inspect.iscoroutinefunction(self.on_report)
        ):
            raise TypeError(
                f"on_report must be a plain function of one Report, got {self.on_report!r}: it is not awaited."
            )
        if self.compressor is not None:
            self._check_compressor(self.compressor)

    def _check_compressor(self, compressor: CompressorLike) -> None:
        if not isinstance(compressor, CompressorLike):
            raise TypeError(f"compressor must be a secateurs.Compressor, got {compressor!r}")
        if self.model is not None or self.device != "auto":
            raise ValueError(
                f"compressor and model={self.model!r}, device={self.device!r} exclude each other: the compressor has "
                "its own model and device. Pass one or the other."
            )
        if self.encoding not in (_DEFAULT_ENCODING, compressor.encoding):
            raise ValueError(
                f"encoding must be the compressor's own, {compressor.encoding!r}, got {self.encoding!r}: leave it "
                "out, or make the compressor with it."
            )
        object.__setattr__(self, "encoding", compressor.encoding)

    @classmethod
    def of(cls, adapter: object) -> Self:
        """Read and check the settings of an adapter, an object with attributes of these names."""
        return cls(**{field.name: getattr(adapter, field.name) for field in fields(cls)})

    def portable(self) -> dict[str, Any]:
        """Return the fields that stand in for the objects among them where only JSON types can go.

        A compressor becomes the checkpoint it came from; its policy, segmenter and precision are not carried.
        """
        model = self.model if self.compressor is None else _source(self.compressor.checkpoint)
        return {"compressor": None, "on_report": None, "model": model, "encoding": self.encoding}

    @property
    def model_name(self) -> str:
        """The checkpoint's name, known before it is loaded."""
        if self.compressor is not None:
            return checkpoint_name(self.compressor.checkpoint)
        if self.model is None:
            return checkpoint_name(_BUNDLED / "xsmall")
        folder = Path(self.model)
        return checkpoint_name(folder) if folder.is_absolute() or folder.is_dir() else self.model


@dataclass(frozen=True)
class Outcome:
    """What one call came to.

    Attributes:
        report: The report, already handed to `on_report`; without compressions the input goes back as it is.
        model: The checkpoint's name.
        threshold: The probability sentences were compared with; None if the policy has no single one.
        failure: What to raise, with `on_error="raise"`.
    """

    report: Report
    model: str
    threshold: float | None = None
    failure: Exception | None = None

    def check(self) -> None:
        """Raise the failure, if there is one to raise."""
        if self.failure is not None:
            raise self.failure

    def metadata(self, compression: Compression) -> dict[str, Any]:
        """Return what stands under the metadata key of one document: JSON types, and no text of it."""
        return {**_without_text(compression), "model": self.model, "threshold": self.threshold}


_Key = tuple[str | None, str, str]
_SHARED: WeakValueDictionary[_Key, CompressorLike] = WeakValueDictionary()
_LOADING = threading.Lock()


class Runner:
    """Runs the compressor behind one adapter, made on first use.

    Adapters with the same model, device and encoding share one compressor, so its weights are loaded once; they are
    freed with the last adapter. A copied or unpickled runner is empty and finds or loads its compressor again.
    """

    def __init__(self) -> None:
        self._held: dict[_Key, CompressorLike] = {}

    def __reduce__(self) -> tuple[type[Runner], tuple[()]]:
        return Runner, ()

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
                    settings.model, device=settings.device, encoding=settings.encoding
                )
                _SHARED[key] = compressor
            self._held[key] = compressor
        return compressor

    def _ready(self, settings: Settings) -> CompressorLike | None:
        return self._held.get(_key(settings)) if settings.compressor is None else settings.compressor

    def run(self, settings: Settings, query: str, texts: Sequence[str], ids: Sequence[str | None]) -> Outcome:
        """Compress texts and report; never raises what a document or the model can cause.

        Args:
            settings: The adapter's settings.
            query: The query; with a blank one the input is to go back as it is.
            texts: One text a document.
            ids: Their ids.

        Returns:
            The outcome. Call its `check()` once it has been passed on.
        """
        outcome = _without_model(settings, query, texts)
        if outcome is None:
            try:
                compressor = self.load(settings)
                results = compressor.compress(query, list(texts), policy=_policy(settings, compressor))
                outcome = _finish(settings, query, ids, results, compressor)
            except BaseException as error:
                outcome = _failed(settings, query, _failure(error))
        _tell(settings, outcome.report)
        return outcome

    async def arun(self, settings: Settings, query: str, texts: Sequence[str], ids: Sequence[str | None]) -> Outcome:
        """Do what `run` does without blocking the event loop, not even while the weights load."""
        outcome = _without_model(settings, query, texts)
        if outcome is None:
            try:
                compressor = self._ready(settings)
                if compressor is None:
                    compressor = await asyncio.to_thread(self.load, settings)
                results = await compressor.acompress(query, list(texts), policy=_policy(settings, compressor))
                outcome = _finish(settings, query, ids, results, compressor)
            except BaseException as error:
                outcome = _failed(settings, query, _failure(error))
        _tell(settings, outcome.report)
        return outcome


def report_to_dict(report: Report) -> dict[str, Any]:
    """Return a report as JSON types, without the documents' text: what goes out as an event."""
    return {
        "query": report.query,
        "compressions": [_without_text(compression) for compression in report.compressions],
        "savings": report.savings.to_dict(),
        "dropped_ids": list(report.dropped_ids),
        "error": report.error,
    }


def checkpoint_name(folder: Path) -> str:
    """Return the name of a checkpoint from its folder; never a path of this machine.

    Example:
        >>> checkpoint_name(Path("hub/models--owner--pruner/snapshots/0123abcd"))
        'owner/pruner'
        >>> checkpoint_name(Path("/home/ann/my-pruner"))
        'my-pruner'
    """
    if folder.parent == _BUNDLED:
        return f"secateurs-{folder.name}"
    if folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--"):
        return folder.parent.parent.name.removeprefix("models--").replace("--", "/")
    return folder.name or folder.resolve().name


def copy_metadata(metadata: dict[Any, Any]) -> dict[Any, Any]:
    """Return a deep copy, or where something in it cannot be copied (a lock, a client) a shallow one."""
    try:
        return deepcopy(metadata)
    except Exception:
        return dict(metadata)


def raise_missing(error: ModuleNotFoundError, package: str, *, feature: str, extra: str) -> NoReturn:
    """Raise MissingExtraError if a package is absent, else the error: a broken install shows its own traceback."""
    parent, *rest = package.split(".")
    try:
        absent = find_spec(parent) is None or (bool(rest) and find_spec(package) is None)
    except ModuleNotFoundError:
        absent = True
    if absent and error.name is not None and error.name.split(".")[0] == parent:
        raise MissingExtraError(feature, extra) from error
    raise error


def _check_device(device: str) -> None:
    # Only the name: what the machine has is torch's to say. A name that on_error="keep" would swallow helps nobody.
    if not isinstance(device, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise DeviceError(f"unknown device {device!r}: use 'auto', 'cpu', 'cuda', 'cuda:0', 'cuda:1' ... or 'mps'.")


def _source(checkpoint: Path) -> str | None:
    """Return what `from_pretrained` takes for the same checkpoint."""
    if checkpoint.parent == _BUNDLED:
        return None
    name = checkpoint_name(checkpoint)
    return name if "/" in name else str(checkpoint)


def _without_text(compression: Compression) -> dict[str, Any]:
    data = compression.to_dict()
    del data["text"]
    for sentence in data["sentences"]:
        del sentence["text"]
    return data


def _key(settings: Settings) -> _Key:
    return settings.model, settings.device, settings.encoding


def _policy(settings: Settings, compressor: CompressorLike) -> Policy:
    return combine(
        threshold=settings.threshold,
        top_k=settings.top_k,
        max_tokens=settings.max_tokens,
        default=compressor.policy,
    )


def _without_model(settings: Settings, query: str, texts: Sequence[str]) -> Outcome | None:
    """Return the outcome where the model has nothing to do, else None."""
    blank = isinstance(query, str) and not query.strip()
    if texts and not blank:
        return None
    error = f"the query is blank ({query!r}): the documents are returned as they are" if blank else None
    return Outcome(_empty_report(settings, query, error), settings.model_name)


def _finish(
    settings: Settings,
    query: str,
    ids: Sequence[str | None],
    results: Sequence[Compression],
    compressor: CompressorLike,
) -> Outcome:
    if len(results) != len(ids):
        raise Error(f"the compressor returned {len(results)} results for {len(ids)} documents")
    dropped = tuple(one for one, result in zip(ids, results, strict=True) if result.status == "dropped")
    savings = sum((result.savings for result in results), Savings(0, 0, compressor.encoding))
    threshold = settings.threshold
    if threshold is None and isinstance(compressor.policy, Threshold):
        threshold = compressor.policy.t
    failure = None
    if settings.on_error == "raise":
        failure = next(
            (
                Error(
                    f"documents[{index}] could not be compressed: {result.reason}. on_error='keep' returns it whole."
                )
                for index, result in enumerate(results)
                if result.status == "error"
            ),
            None,
        )
    report = Report(query, tuple(results), savings, dropped)
    return Outcome(report, checkpoint_name(compressor.checkpoint), threshold, failure)


def _failed(settings: Settings, query: str, error: Exception) -> Outcome:
    reason = f"{type(error).__name__}: {error}"
    if settings.on_error == "keep":
        _log.warning("compression failed, the documents are returned as they are: %s", reason, exc_info=error)
    failure = error if settings.on_error == "raise" else None
    return Outcome(_empty_report(settings, query, reason), settings.model_name, failure=failure)


def _failure(error: BaseException) -> Exception:
    """Return what went wrong as an Exception; what stops a task or the process passes."""
    if isinstance(error, Exception):
        return error
    if type(error).__name__ == "PanicException":  # a panic in a Rust extension, a bug and not a request to stop
        panic = Error(f"a native extension panicked: {error}")
        panic.__cause__ = error
        return panic
    raise error


def _empty_report(settings: Settings, query: str, error: str | None) -> Report:
    return Report(query, (), Savings(0, 0, settings.encoding), error=error)


def _tell(settings: Settings, report: Report) -> None:
    if settings.on_report is None:
        return
    try:
        settings.on_report(report)
    except Exception:
        _log.exception("on_report raised; the documents are returned all the same")
