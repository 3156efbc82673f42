"""Device and precision are decided by a table."""

from __future__ import annotations

import pytest
import torch

from secateurs import DeviceError
from secateurs.model.device import Hardware, resolve_device, resolve_dtype

CPU, MPS, AMPERE, OLD = Hardware(), Hardware(mps=True), Hardware(cuda=2, cuda_bfloat16=True), Hardware(cuda=1)


@pytest.mark.parametrize(
    ("asked", "hardware", "device"),
    [
        ("auto", CPU, "cpu"),
        ("auto", MPS, "mps"),
        ("auto", AMPERE, "cuda:0"),
        ("cpu", AMPERE, "cpu"),
        ("cuda", AMPERE, "cuda:0"),
        ("cuda:1", AMPERE, "cuda:1"),
        ("mps", MPS, "mps"),
    ],
)
def test_devices(asked, hardware, device):
    """What was asked for, or the best there is."""
    assert resolve_device(asked, hardware) == torch.device(device)


@pytest.mark.parametrize(
    ("asked", "hardware"),
    [("cuda", CPU), ("cuda:2", AMPERE), ("mps", CPU), ("gpu", AMPERE), ("", CPU), (None, CPU), ("cuda:x", AMPERE)],
)
def test_devices_that_are_not_there(asked, hardware):
    """A device that does not exist is an error that says what to use."""
    with pytest.raises(DeviceError, match="'auto'"):
        resolve_device(asked, hardware)


@pytest.mark.parametrize(
    ("dtype", "device", "hardware", "expected"),
    [
        ("auto", "cpu", CPU, torch.float32),
        ("auto", "mps", MPS, torch.float32),
        ("auto", "cuda", AMPERE, torch.bfloat16),
        ("auto", "cuda", OLD, torch.float16),
        ("float16", "cpu", CPU, torch.float16),
        ("float32", "cuda", AMPERE, torch.float32),
    ],
)
def test_precision(dtype, device, hardware, expected):
    """16 bits on a GPU, 32 elsewhere, unless told otherwise."""
    assert resolve_dtype(dtype, torch.device(device), hardware) == expected


def test_unknown_precision():
    """An unknown precision is an error that lists the known ones."""
    with pytest.raises(ValueError, match="'bfloat16'"):
        resolve_dtype("int8", torch.device("cpu"), CPU)
