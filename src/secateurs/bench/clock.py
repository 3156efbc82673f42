"""Seconds, on a CPU and on a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

import torch

Result = TypeVar("Result")


@dataclass(frozen=True)
class Timed(Generic[Result]):
    """A result and what it took.

    Attributes:
        result: What the function returned.
        seconds: Wall clock; on CUDA between two events of the device.
        cpu_seconds: Of all threads of this process; on a busy machine it tells more than the wall clock.
    """

    result: Result
    seconds: float
    cpu_seconds: float


def timed(run: Callable[[], Result], device: torch.device) -> Timed[Result]:
    """Run a function and take its time, to the end of what it started on the device."""
    if device.type == "cuda":
        return _timed_on_cuda(run, device)
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    if device.type == "mps":
        torch.mps.synchronize()
    return Timed(result, time.perf_counter() - wall, time.process_time() - cpu)


def _timed_on_cuda(run: Callable[[], Result], device: torch.device) -> Timed[Result]:
    with torch.cuda.device(device):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]  # torch's
        torch.cuda.synchronize()
        cpu = time.process_time()
        start.record()
        result = run()
        end.record()
        torch.cuda.synchronize()
    return Timed(result, start.elapsed_time(end) / 1000.0, time.process_time() - cpu)


def typical(runs: Sequence[Timed[Result]]) -> float:
    """Return the median of the wall-clock seconds."""
    return median(run.seconds for run in runs)


def typical_cpu(runs: Sequence[Timed[Result]]) -> float:
    """Return the median of the CPU seconds."""
    return median(run.cpu_seconds for run in runs)
