"""Forward passes, counted and timed by hooks; what runs is not changed."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import torch
from torch import nn

from secateurs.bench.clock import Moment, moment, seconds_between


class ForwardWatch:
    """Watches a module while it is entered; whoever calls the module, from whichever thread.

    Calls must not overlap, as those of `Scorer` never do.

    Args:
        module: What is called with a `Batch` first (the model, its encoder), with states (a layer of it), or with
            `input_ids` (transformers').
        device: Where it runs.

    Attributes:
        passes: Calls.
        tokens: Encoder tokens computed, padding included.
    """

    def __init__(self, module: nn.Module, device: torch.device) -> None:
        self.passes = 0
        self.tokens = 0
        self._module = module
        self._device = device
        self._marks: list[Moment] = []
        self._hooks: list[Any] = []

    @property
    def seconds(self) -> float:
        """Seconds between the beginning and the end of the calls; to be read when the device is done."""
        pairs = zip(self._marks[::2], self._marks[1::2], strict=True)
        return sum(seconds_between(start, end) for start, end in pairs)

    def __enter__(self) -> Self:
        before = self._module.register_forward_pre_hook(self._before, with_kwargs=True)
        self._hooks = [before, self._module.register_forward_hook(self._after, always_call=True)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for hook in self._hooks:
            hook.remove()

    def _before(self, module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        given = getattr(arguments[0], "ids", arguments[0]) if arguments else named["input_ids"]
        self.passes += 1
        self.tokens += len(given) if given.is_floating_point() else given.numel()
        self._marks.append(moment(self._device))

    def _after(self, module: nn.Module, arguments: tuple[Any, ...], output: Any) -> None:
        self._marks.append(moment(self._device))
