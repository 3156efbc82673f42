"""Where to run and in which precision: pure decisions. Nothing else in the package asks torch.cuda."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

from secateurs.errors import DeviceError

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Hardware:
    """What this machine has.

    Attributes:
        cuda: Number of CUDA devices.
        cuda_bfloat16: Whether they compute in bfloat16.
        mps: Whether Apple's Metal backend works.
    """

    cuda: int = 0
    cuda_bfloat16: bool = False
    mps: bool = False


def probe_hardware() -> Hardware:
    """Return what torch finds on this machine."""
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return Hardware(cuda, cuda > 0 and torch.cuda.is_bf16_supported(), torch.backends.mps.is_available())


def resolve_device(device: str = "auto", hardware: Hardware | None = None) -> torch.device:
    """Choose the device.

    Args:
        device: `"auto"` (CUDA, else MPS, else CPU), `"cpu"`, `"mps"`, `"cuda"` or `"cuda:N"`.
        hardware: What the machine has; probed when None.

    Returns:
        The torch device.

    Raises:
        DeviceError: The name is unknown, or the machine has no such device.

    Example:
        >>> resolve_device("auto", Hardware(cuda=2))
        device(type='cuda', index=0)
    """
    if not isinstance(device, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise DeviceError(f"unknown device {device!r}: use 'auto', 'cpu', 'cuda', 'cuda:0', 'cuda:1' ... or 'mps'.")
    if device == "cpu":
        return torch.device("cpu")
    has = probe_hardware() if hardware is None else hardware
    if device == "auto":
        device = "cuda" if has.cuda else "mps" if has.mps else "cpu"
    if device.startswith("cuda"):
        index = int(device.partition(":")[2] or 0)
        if index >= has.cuda:
            raise DeviceError(
                f"device {device!r} is not available: this machine has {has.cuda} CUDA device(s) that torch can use. "
                "Use device='auto' or 'cpu'."
            )
        return torch.device("cuda", index)
    if device == "mps" and not has.mps:
        raise DeviceError("device 'mps' is not available on this machine. Use device='auto' or 'cpu'.")
    return torch.device(device)


def resolve_dtype(dtype: str, device: torch.device, hardware: Hardware | None = None) -> torch.dtype:
    """Choose the precision of the forward pass.

    Args:
        dtype: `"auto"` (float32 on CPU and MPS; bfloat16 on CUDA, float16 where it has none) or one of
            `"float32"`, `"bfloat16"`, `"float16"`.
        device: The device it will run on.
        hardware: What the machine has; probed when None.

    Returns:
        The torch dtype, whatever the checkpoint stores.

    Raises:
        ValueError: The name is unknown.
    """
    if dtype in _DTYPES:
        return _DTYPES[dtype]
    if dtype != "auto":
        raise ValueError(f"unknown dtype {dtype!r}: use 'auto', {', '.join(map(repr, _DTYPES))}.")
    if device.type != "cuda":
        return torch.float32
    has = probe_hardware() if hardware is None else hardware
    return torch.bfloat16 if has.cuda_bfloat16 else torch.float16


def token_budget(device: torch.device) -> int:
    """Return how many encoder tokens one forward pass takes.

    On a CPU 1,024 to 4,096 are equally fast, fewer and more are slower; the most of these leaves concurrent callers
    the fewest passes. A GPU needs more to be busy.
    """
    return 4096 if device.type == "cpu" else 32768
