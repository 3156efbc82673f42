"""Where steps run: plainly on one CPU, or through accelerate on one GPU or many."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from secateurs.errors import MissingExtraError
from secateurs.model.device import resolve_device
from secateurs.train.config import RunConfig


class Placement(ABC):
    """Runs the parts of a step that depend on the hardware.

    Attributes:
        device: Where tensors go.
        rank: Number of this process.
        world: Number of processes.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    @abstractmethod
    def prepare(self, learner: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Return the two as they are to be called."""

    @abstractmethod
    def backward(self, loss: Tensor) -> None:
        """Compute gradients."""

    @abstractmethod
    def clip(self, parameters: Iterable[Tensor], norm: float) -> Tensor:
        """Shorten the gradient to a norm, and return the norm it had."""

    def gathering(self, learner: Any, *, last: bool) -> AbstractContextManager[Any]:
        """Return the context of one batch of a step; gradients need not be exchanged before the last one."""
        return nullcontext()

    @abstractmethod
    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which matrix products run in the chosen precision."""


class Plain(Placement):
    """One process on one device, without any library in between.

    Args:
        device: The device.
        precision: `"float32"` or `"bfloat16"`.
    """

    def __init__(self, device: torch.device, precision: str) -> None:
        self.device = device
        self._bfloat16 = precision == "bfloat16"

    def prepare(self, learner: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Return the two as they are."""
        return learner, optimizer

    def backward(self, loss: Tensor) -> None:
        """Compute gradients."""
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it

    def clip(self, parameters: Iterable[Tensor], norm: float) -> Tensor:
        """Shorten the gradient."""
        return torch.nn.utils.clip_grad_norm_(parameters, norm)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return torch's own context."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._bfloat16)


class Accelerated(Placement):
    """One GPU or many, under `accelerate launch` or alone.

    Args:
        precision: `"float32"` or `"bfloat16"`.
        cpu: Stay on the CPU even where there is a GPU.
    """

    def __init__(self, precision: str, *, cpu: bool = False) -> None:
        try:
            accelerate: Any = import_module("accelerate")
        except ModuleNotFoundError as error:
            if error.name != "accelerate":
                raise
            raise MissingExtraError("training on a GPU", "train") from None
        self._accelerator: Any = accelerate.Accelerator(
            mixed_precision="bf16" if precision == "bfloat16" else "no", cpu=cpu
        )
        self.device = self._accelerator.device
        self.rank, self.world = self._accelerator.process_index, self._accelerator.num_processes

    def prepare(self, learner: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Wrap both; gradients are averaged over the processes."""
        wrapped = self._accelerator.prepare(learner, optimizer)
        return wrapped[0], wrapped[1]

    def backward(self, loss: Tensor) -> None:
        """Compute gradients."""
        self._accelerator.backward(loss)

    def clip(self, parameters: Iterable[Tensor], norm: float) -> Tensor:
        """Shorten the gradient."""
        norms: Tensor = self._accelerator.clip_grad_norm_(list(parameters), norm)
        return norms

    def gathering(self, learner: Any, *, last: bool) -> AbstractContextManager[Any]:
        """Return accelerate's context."""
        context: AbstractContextManager[Any] = nullcontext() if last else self._accelerator.no_sync(learner)
        return context

    def autocast(self) -> AbstractContextManager[Any]:
        """Return accelerate's context."""
        context: AbstractContextManager[Any] = self._accelerator.autocast()
        return context


def place(run: RunConfig) -> Placement:
    """Choose where to run.

    Args:
        run: Device, precision and threads.

    Returns:
        Plain steps on a CPU (or Apple's GPU), accelerate's on CUDA.
    """
    device = resolve_device(run.device)
    precision = resolve_precision(run.precision, device)
    if device.type == "cuda":
        return Accelerated(precision)
    if run.threads and device.type == "cpu":
        torch.set_num_threads(run.threads)
    return Plain(device, precision)


def resolve_precision(precision: str, device: torch.device) -> str:
    """Return `"bfloat16"` where the hardware multiplies in it, unless told otherwise."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    if device.type == "cpu":
        # not public yet, hence the defaults: without an answer the safe choice is float32
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        if any(getattr(torch.cpu, name, bool)() for name in probes):
            return "bfloat16"
    return "float32"
