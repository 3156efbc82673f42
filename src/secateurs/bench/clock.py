"""Seconds, on a CPU and on a GPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Moment:
    """A point in time: of the host, or of a CUDA device, where it is reached when all before it is done."""

    host: float
    event: torch.cuda.Event | None = None


def moment(device: torch.device) -> Moment:
    """Return now, without waiting for a CUDA device."""
    if device.type == "cuda":
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch's
        event.record(torch.cuda.current_stream(device))
        return Moment(0.0, event)
    if device.type == "mps":
        torch.mps.synchronize()
    return Moment(time.perf_counter())


def seconds_between(first: Moment, last: Moment) -> float:
    """Return the seconds between two moments of one device; on CUDA both must have been reached."""
    if first.event is None or last.event is None:
        return last.host - first.host
    return float(first.event.elapsed_time(last.event)) / 1000.0
