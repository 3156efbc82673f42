"""Config and weights of a checkpoint. Data only: no code of a checkpoint ever runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch

from secateurs.checkpoints.folder import find, read_json
from secateurs.errors import CheckpointError, in_short, own_failure, shorten

# More than any model has, and small enough that no product of two overflows a tensor's own count of its elements.
_LARGEST_NUMBER = 2**24
_PRECISIONS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
SCALE = "_scale"  # after the name of a matrix in 8 bits: what each of its rows is multiplied by
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.npy", "*.npz")


def read_config(folder: Path) -> dict[str, Any]:
    """Read `config.json` as plain data.

    Raises:
        CheckpointError: It is missing or is not a JSON object.
    """
    path = find(folder, "config.json")
    if path is None:
        raise CheckpointError(f"no config.json in {folder}: that is not a checkpoint folder.")
    config = read_json(path)
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} holds {type(config).__name__}, expected a JSON object.")
    return config


def need(config: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    """Return a value of a config, or say which is missing or of the wrong type."""
    value = config.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value <= _LARGEST_NUMBER:
            raise CheckpointError(f"{where}: {key!r} is {in_short(value)}, which no model has.")
        value = float(value) if kind is float else value
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        shown = in_short(value)
        raise CheckpointError(f"{where}: {key!r} must be of type {kind.__name__}, got {shown}.")
    return value


def flag(config: Mapping[str, Any], key: str, where: str) -> bool:
    """Return a yes or no of a config, no where nothing is said."""
    return config.get(key) is not None and bool(need(config, key, bool, where))


@dataclass(frozen=True)
class TensorFile:
    """Tensors of a checkpoint by name, read from disk one at a time.

    A matrix may be stored in 8 bits, integers beside one scale a row (`scaled_rows`); it is read as what it stands
    for, and its scales are no tensor of their own.

    Attributes:
        shapes: Shape of every tensor, whichever file it is in.
        mapped: Whether tensors may stay in the file's own pages.
    """

    _home: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]
    mapped: bool = True

    def read(self, name: str, device: torch.device, dtype: torch.dtype, *, as_stored: bool = False) -> torch.Tensor:
        """Return one tensor on the device in the dtype; `as_stored` leaves it in the file's, where nothing is lost.

        Raises:
            CheckpointError: It is of another type than weights are (a quantized checkpoint), or holds values that
                are not finite.
        """
        stored: torch.Tensor = self._home[name].get_tensor(name)
        if name + SCALE in self._home and stored.dtype == torch.int8:
            stored = self._multiply(name, stored)
        if stored.dtype not in _PRECISIONS:
            raise CheckpointError(
                f"tensor {name!r} is of {stored.dtype}, expected floating point of 16, 32 or 64 bits: quantized "
                "weights are not supported."
            )
        fits = stored.dtype == torch.float16 or (stored.dtype == torch.bfloat16 and dtype == torch.float32)
        tensor = stored if as_stored and fits else stored.to(dtype=dtype)
        if not self.mapped and tensor.untyped_storage().data_ptr() == stored.untyped_storage().data_ptr():
            tensor = tensor.clone()  # before it is looked at: what is looked at is what is used
        extremes = torch.stack(torch.aminmax(tensor)) if tensor.numel() else tensor  # NaN is the extreme of both
        if not torch.isfinite(extremes).all():
            raise CheckpointError(
                f"tensor {name!r} holds values that are not finite numbers in {tensor.dtype}. If the file is sound, "
                "they are too large for that precision: use dtype='float32'. Otherwise download it again."
            )
        return tensor.to(device=device)

    def _multiply(self, name: str, rows: torch.Tensor) -> torch.Tensor:
        """Return a matrix in 8 bits as half precision."""
        scale: torch.Tensor = self._home[name + SCALE].get_tensor(name + SCALE)
        if rows.dim() != 2 or scale.shape != rows.shape[:1] or scale.dtype not in _PRECISIONS:
            raise CheckpointError(
                f"tensor {name + SCALE!r} is {tuple(scale.shape)} of {scale.dtype}, expected one floating-point "
                f"scale for each row of {name!r}, which is {tuple(rows.shape)} in 8 bits. Download it again."
            )
        return (rows.float() * scale.float()[:, None]).to(torch.float16)


def scaled_rows(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Store a matrix in 8 bits: integers, and what each row is multiplied by.

    Returns:
        Integers in [-127, 127], and scales in half precision.

    Shape:
        matrix, integers: (rows, width); scales: (rows,).

    Example:
        >>> integers, scales = scaled_rows(torch.tensor([[1.0, -0.5], [0.0, 0.0]]))
        >>> integers.tolist(), [round(scale, 4) for scale in scales.tolist()]
        ([[127, -64], [0, 0]], [0.0079, 0.0])
    """
    wide = matrix.float()
    scales = (wide.abs().amax(dim=1) / 127).to(torch.float16)
    divisor = torch.where(scales > 0, scales.float(), 1.0)
    return (wide / divisor[:, None]).round().clamp(-127, 127).to(torch.int8), scales


@contextmanager
def open_tensors(folder: Path, *, mapped: bool = True) -> Iterator[TensorFile]:
    """Open the safetensors of a checkpoint, one file or shards with an index.

    Args:
        folder: The checkpoint.
        mapped: Whether tensors may stay in the files' own pages.

    Raises:
        CheckpointError: There are none, a shard is missing, a file is damaged, or two hold the same tensor.
    """
    home: dict[str, Any] = {}
    with ExitStack() as stack:
        for path in _weight_files(folder):
            try:
                handle = safetensors.safe_open(path, framework="pt")
            except BaseException as error:
                own_failure(error)  # the library's own errors, and whatever a damaged header makes of it
                raise CheckpointError(
                    f"cannot read {path}: {error}. The file is damaged or the download did not finish (a Git LFS "
                    "pointer has some 130 bytes). Download it again."
                ) from None
            opened = stack.enter_context(handle)
            names = opened.keys()
            twice = next((name for name in names if name in home), None)
            if twice is not None:
                raise CheckpointError(
                    f"{path} and another shard both hold {shorten(twice, 100)}, and nothing says which is right. Do "
                    "not use this checkpoint."
                )
            home.update(dict.fromkeys(names, opened))
        shapes = {
            name: tuple(handle.get_slice(name).get_shape())
            for name, handle in home.items()
            if not (name.endswith(SCALE) and _in_bytes(home, name.removesuffix(SCALE)))
        }
        yield TensorFile(home, shapes, mapped)


def _in_bytes(home: Mapping[str, Any], name: str) -> bool:
    """Tell whether a tensor is stored in 8-bit integers."""
    return name in home and home[name].get_slice(name).get_dtype() == "I8"


def _weight_files(folder: Path) -> list[Path]:
    single = find(folder, "model.safetensors")
    if single is not None:
        return [single]
    index = find(folder, "model.safetensors.index.json")
    if index is not None:
        return _shards(folder, index)
    pickles = sorted({path.name for pattern in _PICKLES for path in folder.glob(pattern)})
    if pickles:
        raise CheckpointError(
            f"{folder} holds only pickled weights ({', '.join(pickles[:5])}), which can run code when they are "
            "loaded. Convert them to model.safetensors, for example with safetensors.torch.save_file."
        )
    raise CheckpointError(f"no model.safetensors in {folder}. Download the checkpoint again.")


def _shards(folder: Path, index: Path) -> list[Path]:
    raw = read_json(index)
    homes = raw.get("weight_map") if isinstance(raw, dict) else None
    if not isinstance(homes, dict) or not homes or not all(isinstance(name, str) for name in homes.values()):
        raise CheckpointError(
            f"cannot read {index}: expected an object with a 'weight_map' from names of tensors to names of files. "
            "Download the checkpoint again."
        )
    return [_shard(folder, index, name) for name in sorted(set(homes.values()))]


def _shard(folder: Path, index: Path, name: str) -> Path:
    shown = shorten(name, 100)
    if name in ("", ".", "..") or set(name) & set("/\\:"):
        raise CheckpointError(f"{index} names a shard outside the checkpoint's folder: {shown}. Do not use it.")
    if not name.endswith(".safetensors"):
        raise CheckpointError(f"{index} names {shown}, expected files that end in .safetensors. Do not use it.")
    path = find(folder, name)
    if path is None:
        raise CheckpointError(f"{index} names {shown}, which is not there. Download the checkpoint again.")
    return path
