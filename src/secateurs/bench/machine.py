"""What the benchmark ran on: its name and its matrix rate."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from secateurs.bench.clock import timed
from secateurs.model.encoders import EncoderConfig
from secateurs.model.layers import Linear
from secateurs.model.pruner import Pruner

_MOST_LOOPS = 50


def describe(model: Pruner) -> dict[str, str | int | float]:
    """Return the machine, in words that a reader elsewhere understands."""
    device = model.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    facts: dict[str, str | int | float] = {
        "device": str(device),
        "device_name": name,
        "dtype": str(model.dtype).removeprefix("torch."),
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "torch_threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if hasattr(os, "getloadavg"):
        facts["load_average"] = round(os.getloadavg()[0], 2)  # before the run: above 0 something else was running
    return facts


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def matrix_rates(model: Pruner, tokens: int) -> tuple[float, ...]:
    """Time matrix products: the encoder's own widening one and a square one, by torch's kernel and by the layers'.

    Args:
        model: Gives device, precision and shape.
        tokens: Rows of the encoder's product: the tokens of a forward pass.

    Returns:
        The rate of each in floating-point operations a second; the greatest is what the machine can do.
    """
    shapes = ((tokens, model.config.hidden_size, model.config.intermediate_size), (1024, 1024, 1024))
    return tuple(rate for shape in shapes for rate in _rates(shape, model))


def _rates(shape: tuple[int, int, int], model: Pruner) -> Iterator[float]:
    rows, inner, columns = shape
    left = torch.ones(rows, inner, device=model.device, dtype=model.dtype)
    layer = Linear(inner, columns, bias=False, device=model.device, dtype=model.dtype)
    operations = 2.0 * rows * inner * columns
    wanted = 1e10 if model.device.type == "cpu" else 1e12
    loops = min(_MOST_LOOPS, max(1, round(wanted / operations)))

    def loop(multiply: Callable[[Tensor], Tensor]) -> None:
        for _ in range(loops):
            multiply(left)

    with torch.inference_mode():
        layer.weight.fill_(1.0)
        for multiply in (layer, lambda x: functional.linear(x, layer.weight)):
            multiply(left)
            yield loops * operations / timed(partial(loop, multiply), model.device).seconds


def forward_operations(model: Pruner, lengths: Sequence[int]) -> float:
    """Return the floating-point operations that windows need; padding is none, nor are embeddings and norms.

    A tower reads each token once more; what it attends to within a unit is little, and not counted.

    Args:
        model: The encoder.
        lengths: Encoder tokens of each window.

    Source:
        Two a weight and token; four a layer, width, token and token it attends to (Kaplan et al. 2020).
    """
    layers = [model.encoder.layers]
    if model.similarity is not None:
        layers.append(model.similarity.encoder.layers)
    weights = sum(weight.numel() for some in layers for weight in some.parameters() if weight.ndim == 2)
    return sum(length * (2.0 * weights + 4.0 * _attended(model.config, length)) for length in lengths)


def _attended(config: EncoderConfig, length: int) -> float:
    """Return width times tokens attended to, over all layers; distance tables are not counted."""
    local = min(length, 2 * config.local_window + 1) if config.local_window else length
    everywhere = sum(layer % config.global_every == 0 for layer in range(config.layers))
    return config.hidden_size * (everywhere * length + (config.layers - everywhere) * local)
