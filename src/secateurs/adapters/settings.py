"""The settings of an adapter, checked, and what of them can be written down.

No framework and no torch: making, copying, pickling and serializing an adapter costs nothing.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from secateurs.adapters.choice import choose, read_policy
from secateurs.adapters.fields import DEFAULT_ENCODING, DocumentFields
from secateurs.adapters.protocol import CompressorLike
from secateurs.errors import DeviceError
from secateurs.policy import Default, Distinct, Policy, check_when_empty
from secateurs.result.compression import Compression
from secateurs.result.savings import TokenCounter
from secateurs.support.arguments import check_count, check_elision, check_revision, check_seconds, check_threshold
from secateurs.support.names import BUNDLED, checkpoint_name, commit_of, model_of
from secateurs.support.paths import is_folder


@dataclass(kw_only=True)
class Settings(DocumentFields):
    """The fields of an adapter, checked; made for a call, or with the adapter, and not changed afterwards.

    Raises:
        ValueError: A setting is out of range, or two contradict each other.
        TypeError: A setting is of the wrong type.
        DeviceError: There is no device of that name; whether this machine has it is found on first use.
    """

    def __post_init__(self) -> None:
        self._check_choice()
        check_elision(self.elision)
        self._check_order()
        if self.timeout is not None:
            check_seconds(self.timeout, "timeout")
        if self.on_error not in ("keep", "raise"):
            raise ValueError(f"on_error must be 'keep' or 'raise', got {self.on_error!r}")
        TokenCounter(self.encoding)
        _check_device(self.device)
        check_revision(self.revision, self.model or self.compressor)
        if self.on_report is not None and (
            not callable(self.on_report) or inspect.iscoroutinefunction(self.on_report)
        ):
            raise TypeError(
                f"on_report must be a plain function of one Report, got {self.on_report!r}: it is not awaited."
            )
        if self.compressor is not None:
            self._check_compressor(self.compressor)

    def _check_choice(self) -> None:
        """Check what says which sentences stay, and that nothing of it contradicts another."""
        if self.policy is not None:
            self.policy = read_policy(self.policy)
        if self.threshold is not None:
            self.threshold = check_threshold(self.threshold)
        if self.top_k is not None:
            check_count(self.top_k, "top_k", least=1)
        if self.max_tokens is not None:
            check_count(self.max_tokens, "max_tokens", least=0)
        if self.max_total_tokens is not None:
            check_count(self.max_total_tokens, "max_total_tokens", least=0)
        if self.when_empty is not None:
            check_when_empty(self.when_empty)
        self.choice(Default())

    def _check_order(self) -> None:
        for name in ("rerank", "distinct"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, got {getattr(self, name)!r}")
        if self.top_n is None:
            return
        check_count(self.top_n, "top_n", least=1)
        if not self.rerank:
            raise ValueError(
                f"top_n={self.top_n} needs rerank=True: without that order it would cut by the order of retrieval. "
                "Pass both, or retrieve fewer documents."
            )

    def _check_compressor(self, compressor: CompressorLike) -> None:
        if not isinstance(compressor, CompressorLike):
            raise TypeError(f"compressor must be a secateurs.Compressor, got {compressor!r}")
        if self.model is not None or self.revision is not None or self.device != "auto":
            raise ValueError(
                f"compressor and model={self.model!r}, revision={self.revision!r}, device={self.device!r} exclude "
                "each other: the compressor has its own model and device. Pass one or the other."
            )
        if self.encoding not in (DEFAULT_ENCODING, compressor.encoding):
            raise ValueError(
                f"encoding must be the compressor's own, {compressor.encoding!r}, got {self.encoding!r}: leave it "
                "out, or make the compressor with it."
            )
        for name, value in self.call_options().items():
            if not takes(compressor, name):
                raise ValueError(
                    f"{name}={value} needs a compressor whose compress() takes {name}, which that of "
                    f"{type(compressor).__name__} does not. Leave it out, or let compress() take it."
                )
        self.choice(compressor.policy)  # what cannot be said of that one is a mistake, and no failure of a call
        self.encoding = compressor.encoding

    @classmethod
    def of(cls, adapter: object) -> Self:
        """Read and check the settings of an adapter, an object with attributes of these names.

        A setting it does not have keeps its default: not every adapter has every one.
        """
        names = (field.name for field in fields(cls))
        return cls(**{name: getattr(adapter, name) for name in names if hasattr(adapter, name)})

    def choice(self, own: Policy) -> Policy:
        """Return what decides which sentences stay.

        Args:
            own: The compressor's policy.

        Raises:
            ValueError: Two settings contradict each other.
        """
        return choose(self, own)

    @property
    def settles(self) -> bool:
        """Whether `settle` has something to do."""
        return False

    def settle(self, found: Sequence[Compression | None], policy: Policy) -> Sequence[Compression | None]:
        """Return what becomes of the documents of one call together, their compressions made by a policy."""
        return found

    def call_options(self) -> dict[str, Any]:
        """Return the arguments of `compress` beside the policy; only those that are set, so that few need to know."""
        options = {
            "max_total_tokens": self.max_total_tokens,
            "timeout": self.timeout,
            "elision": self.elision,
            "distinct": Distinct(by_ranking=self.rerank) if self.distinct else None,
        }
        return {name: value for name, value in options.items() if value is not None}

    def portable(self) -> dict[str, Any]:
        """Return the fields that stand in for the objects among them where only JSON types can go.

        A compressor becomes the checkpoint it came from; its policy, segmenter and precision are not carried.
        """
        model, revision = self.model, self.revision
        if self.compressor is not None:
            folder = getattr(self.compressor, "checkpoint", None)
            model = model_of(self.compressor.name, folder)
            revision = commit_of(folder) if isinstance(folder, Path) and model == self.compressor.name else None
        named = {"model": model, "revision": revision, "encoding": self.encoding}
        return {"compressor": None, "on_report": None, **named}

    def source(self) -> str | None:
        """Return the policy that was given as its source, which JSON can hold.

        Raises:
            ValueError: It is of the user's own making, and cannot be read from a source.
        """
        if self.policy is None:
            return None
        source = repr(self.policy)
        try:
            Policy.parse(source)
        except ValueError:
            raise ValueError(
                f"the policy {source} cannot be written down: only those of secateurs can be read again. Give it to "
                "a compressor, which is not written down either."
            ) from None
        return source

    @property
    def model_name(self) -> str:
        """The checkpoint's name, known before it is loaded."""
        if self.compressor is not None:
            return self.compressor.name
        if self.model is None:
            return BUNDLED
        folder = Path(self.model)
        return checkpoint_name(folder) if folder.is_absolute() or is_folder(folder) else self.model


def takes(compressor: CompressorLike, name: str) -> bool:
    """Return whether a compressor's `compress` takes an argument of this name."""
    try:
        parameters = inspect.signature(compressor.compress).parameters
    except (TypeError, ValueError):  # a callable that does not tell: the call itself will
        return True
    return name in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def _check_device(device: str) -> None:
    # Only the name: what the machine has is torch's to say. A name that on_error="keep" would swallow helps nobody.
    if not isinstance(device, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise DeviceError(f"unknown device {device!r}: use 'auto', 'cpu', 'cuda', 'cuda:0', 'cuda:1' ... or 'mps'.")
