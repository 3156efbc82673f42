"""A safetensors file whose header lies, or whose weights are no numbers, is refused."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hostile_parts import Header, change_header, refused, replace_tensor, small_checkpoint
from safetensors.torch import load_file, save_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound checkpoint of a few thousand bytes."""
    return small_checkpoint(tmp_path / "checkpoint")


BIAS = "pruning_head.classifier.bias"
PREFIX = "ranking_model.bert.encoder.layer."


def entry(**fields: object) -> Callable[[Header], object]:
    return lambda h: h[BIAS].update(fields)


def also(name: str, shape: list[int] | None = None) -> Callable[[Header], object]:
    """Add a tensor of no bytes."""
    end = lambda h: max(e["data_offsets"][1] for n, e in h.items() if n != "__metadata__")  # noqa: E731 - one line
    return lambda h: h.update({name: {"dtype": "F32", "shape": shape or [0], "data_offsets": [end(h)] * 2}})


def many(header: Header) -> None:
    """Add twenty thousand tensors of no bytes."""
    also("x")(header)
    header.update({f"x{n}": header["x"] for n in range(19_999)})


HEADERS: dict[str, tuple[Callable[[Header], object], str]] = {
    "overlap": (
        lambda h: h[BIAS].update(data_offsets=h["pruning_head.classifier.weight"]["data_offsets"]),
        "cannot read",
    ),
    "beyond-the-file": (entry(data_offsets=[10**9, 10**9 + 8]), "cannot read"),
    "beyond-64-bits": (entry(data_offsets=[2**63, 2**64]), "cannot read"),
    "backwards": (entry(data_offsets=[8, 0]), "cannot read"),
    "negative": (entry(data_offsets=[-8, 0]), "cannot read"),
    "hole": (lambda h: h.pop(BIAS) and None, "cannot read|lacks"),
    "shape-of-another-size": (entry(shape=[3]), "cannot read"),
    "shape-negative": (entry(shape=[-2]), "cannot read"),
    "shape-that-overflows": (entry(shape=[2**33, 2**33]), "cannot read"),
    "shape-of-text": (entry(shape=["2"]), "cannot read"),
    "dimensions": (entry(shape=[1] * 5000 + [2]), "wrong shape"),
    "type-unknown": (entry(dtype="F31"), "cannot read"),
    "no-object": (lambda h: [], "cannot read"),
    "entry-no-object": (lambda h: h.update({BIAS: 1}), "cannot read"),
    "metadata-no-text": (lambda h: h.update(__metadata__={"a": 1}), "cannot read"),
    "name-with-escapes": (also("evil\x1b[2J\r\nERROR forged"), r"no place for evil\\x1b\[2J\\r\\nERROR forged"),
    "name-without-end": (also("x" * 10**6), "no place for xxx"),
    "names-without-end": (many, "and 19995 more"),
    "layer-beyond": (also(f"{PREFIX}{10**9}.output.dense.bias"), "config.json says 1 layers, the file holds 2"),
    "layer-of-many-digits": (also(f"{PREFIX}{'9' * 5000}.output.dense.bias"), "the file holds 2"),
    "layer-of-other-digits": (also(f"{PREFIX}٣.output.dense.bias"), "the file holds 2"),
    "labels-without-end": (
        lambda h: (
            h.pop("ranking_model.classifier.bias"),
            also("ranking_model.classifier.weight", [2**62, 0])(h),
            None,
        )[2],
        "cannot read|wrong shape",
    ),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_hostile_header_is_refused(name: str, folder: Path) -> None:
    """Offsets, shapes, types and names that lie are refused by the file's or the folder's name."""
    change, message = HEADERS[name]
    change_header(folder / "model.safetensors", change)
    refused(folder, message)


TYPES = {"F4": 1, "F8_E4M3": 2, "F8_E5M2": 2, "F8_E8M0": 2, "BOOL": 2, "I8": 2, "U16": 4, "I64": 16, "C64": 16}


@pytest.mark.parametrize("kind", TYPES)
def test_weights_are_floating_point(kind: str, folder: Path) -> None:
    """Weights of any other type, those that torch can hold and cannot compute with too, are refused by their name."""
    replace_tensor(folder / "model.safetensors", BIAS, b"\1" * TYPES[kind], dtype=kind)
    assert BIAS in refused(folder, "expected floating point of 16, 32 or 64 bits")


def test_labels_without_end_take_no_memory(folder: Path) -> None:
    """A table of labels with rows beyond counting and no columns is of the wrong shape, and no more."""
    held = load_file(folder / "model.safetensors")
    held["ranking_model.classifier.weight"] = torch.ones(2**40, 0)
    save_file(held, folder / "model.safetensors")
    refused(folder, "wrong shape")


@pytest.mark.parametrize("size", [2**64 - 1, 2**63, 2**40, 10**8 + 1, 0, 1])
def test_a_header_of_any_length_is_refused(size: int, folder: Path) -> None:
    """A header that says to be longer than the file, or than any, is not waited for and not allocated."""
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", size) + content[8:])
    refused(folder, "model.safetensors.*Download it again")


def test_a_header_cut_anywhere_is_refused(folder: Path) -> None:
    """Cut after any of its first bytes, and at a sample of the others, the file does not load."""
    content = (folder / "model.safetensors").read_bytes()
    for size in [*range(12), *range(12, len(content), 97)]:
        (folder / "model.safetensors").write_bytes(content[:size])
        refused(folder, "model.safetensors.*Download it again")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_weight_that_is_no_number_is_refused_wherever_it_is(value: float, folder: Path) -> None:
    """One value that is not finite, in any tensor, is found at load: the model never runs with it."""
    held = load_file(folder / "model.safetensors")
    for name, tensor in held.items():
        changed = tensor.clone()
        changed.view(-1)[-1] = value
        save_file(held | {name: changed}, folder / "model.safetensors")
        assert name in refused(folder, "not finite numbers")
