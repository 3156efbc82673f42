"""The most memory held."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")  # 5: forget the peak of resident memory (Linux 4.0)


@dataclass(frozen=True)
class Peak:
    """Most bytes held; None where the system does not say.

    Attributes:
        resident: By the process.
        device: By torch on a CUDA device.
    """

    resident: int | None = None
    device: int | None = None

    def __or__(self, other: Peak) -> Peak:
        """Return the greater of each."""
        return Peak(_most(self.resident, other.resident), _most(self.device, other.device))


class PeakMemory:
    """The peaks since `restart`, and those of the whole process.

    Args:
        device: Where the model runs.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._ever = Peak()
        self._restarted = False

    def give_back(self) -> None:
        """Give memory that is free back to the system, where the allocator can (glibc), so that peaks compare."""
        trim = _trim()
        if trim is not None:
            trim(0)

    def restart(self) -> None:
        """Forget the peaks so far."""
        self._ever |= Peak(_process_peak(), self._device_peak())
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        self._restarted = _forget()

    def since(self) -> Peak:
        """Return the peaks since `restart`; of the process on Linux only, elsewhere its peak cannot be forgotten."""
        return Peak(_process_peak() if self._restarted else None, self._device_peak())

    def ever(self) -> Peak:
        """Return the peaks since the process began."""
        return self._ever | Peak(_process_peak(), self._device_peak())

    def _device_peak(self) -> int | None:
        return torch.cuda.max_memory_allocated(self._device) if self._device.type == "cuda" else None


def least(peaks: Sequence[Peak]) -> Peak:
    """Return the least of each: what was needed when the least was left over from before.

    What other parts of a benchmark leave behind (buffers of threads, caches of shapes) counts into every later peak.
    """
    resident = [peak.resident for peak in peaks if peak.resident is not None]
    device = [peak.device for peak in peaks if peak.device is not None]
    return Peak(min(resident, default=None), min(device, default=None))


@cache
def _trim() -> Callable[[int], object] | None:
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library; Windows has none under no name
        return None
    return trim


def _most(first: int | None, second: int | None) -> int | None:
    return max((size for size in (first, second) if size is not None), default=None)


def _forget() -> bool:
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def _process_peak() -> int | None:
    """Return the most memory the process held, in bytes: since it was forgotten, or ever."""
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
