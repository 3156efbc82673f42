"""The files of a checkpoint: where they are, and how they are read. Data only: no code of a checkpoint ever runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import tokenizers
import torch

from secateurs.errors import CheckpointError
from secateurs.windows import Template, Tokenizer

_UNKNOWN = ("<unk>", "[UNK]", "<|unk|>", "unk")


def read_config(folder: Path) -> dict[str, Any]:
    """Read `config.json` as plain data.

    Raises:
        CheckpointError: It is missing or is not a JSON object.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"no config.json in {folder}: that is not a checkpoint folder.") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {path}: {error}. Download the checkpoint again.") from None
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} holds {type(config).__name__}, expected a JSON object.")
    return config


def need(config: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    """Return a value of a config, or say which is missing or of the wrong type."""
    value = config.get(key)
    if kind is float and isinstance(value, int):
        value = float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise CheckpointError(f"{where}: {key!r} must be of type {kind.__name__}, got {value!r}.")
    if isinstance(value, int) and not 0 <= value < 2**31:
        raise CheckpointError(f"{where}: {key!r} is {value}, which no model has.")
    return value


@dataclass(frozen=True)
class TensorFile:
    """Tensors of a checkpoint by name, read from disk one at a time.

    Attributes:
        shapes: Shape of every tensor, whichever file it is in.
    """

    _home: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]

    def read(self, name: str, device: torch.device, dtype: torch.dtype, *, as_stored: bool = False) -> torch.Tensor:
        """Return one tensor on the device in the dtype; `as_stored` leaves it in the file's, where nothing is lost.

        Raises:
            CheckpointError: It holds whole numbers (a quantized checkpoint), or values that are not finite.
        """
        stored: torch.Tensor = self._home[name].get_tensor(name)
        if not stored.is_floating_point():
            raise CheckpointError(
                f"tensor {name!r} is of {stored.dtype}, expected floating point: quantized weights are not supported."
            )
        fits = stored.dtype == torch.float16 or (stored.dtype == torch.bfloat16 and dtype == torch.float32)
        tensor = stored if as_stored and fits else stored.to(dtype=dtype)
        extremes = torch.stack(torch.aminmax(tensor)) if tensor.numel() else tensor  # NaN is the extreme of both
        if not torch.isfinite(extremes).all():
            raise CheckpointError(
                f"tensor {name!r} holds values that are not finite numbers in {tensor.dtype}. If the file is sound, "
                "they are too large for that precision: use dtype='float32'. Otherwise download it again."
            )
        return tensor.to(device=device)


@contextmanager
def open_tensors(folder: Path) -> Iterator[TensorFile]:
    """Open the safetensors of a checkpoint, one file or shards with an index.

    Raises:
        CheckpointError: There are none, a shard is missing, or a file is damaged.
    """
    home: dict[str, Any] = {}
    with ExitStack() as stack:
        for path in _weight_files(folder):
            try:
                handle = safetensors.safe_open(path, framework="pt")
            except (OSError, safetensors.SafetensorError) as error:
                raise CheckpointError(
                    f"cannot read {path}: {error}. The file is damaged or the download did not finish (a Git LFS "
                    "pointer has some 130 bytes). Download it again."
                ) from None
            opened = stack.enter_context(handle)
            home.update(dict.fromkeys(opened.keys(), opened))
        shapes = {name: tuple(handle.get_slice(name).get_shape()) for name, handle in home.items()}
        yield TensorFile(home, shapes)


def _weight_files(folder: Path) -> list[Path]:
    single = folder / "model.safetensors"
    if single.is_file():
        return [single]
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        return _shards(folder, index)
    pickles = sorted(path.name for path in folder.glob("*.bin"))
    if pickles:
        raise CheckpointError(
            f"{folder} holds only pickled weights ({', '.join(pickles)}), which can run code when they are loaded. "
            "Convert them to model.safetensors, for example with safetensors.torch.save_file."
        )
    raise CheckpointError(f"no model.safetensors in {folder}. Download the checkpoint again.")


def _shards(folder: Path, index: Path) -> list[Path]:
    try:
        names = sorted({str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"cannot read {index}: {error!r}. Download the checkpoint again.") from None
    for name in names:
        if name in ("", ".", "..") or set(name) & set("/\\:"):
            raise CheckpointError(f"{index} names a shard outside the checkpoint's folder: {name}. Do not use it.")
        if not (folder / name).is_file():
            raise CheckpointError(f"{index} names {name}, which is not there. Download the checkpoint again.")
    return [folder / name for name in names]


def read_tokenizer(folder: Path) -> tokenizers.Tokenizer:
    """Read `tokenizer.json`, the pipeline the model was trained with, exactly as it is.

    Raises:
        CheckpointError: It is missing or damaged.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise CheckpointError(f"no tokenizer.json in {folder}. Download the checkpoint again, with all its files.")
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises a bare Exception
        raise CheckpointError(f"cannot read {path}: {error}. Download the checkpoint again.") from None


def unknown_id(folder: Path, pipeline: tokenizers.Tokenizer) -> int:
    """Return the id of the unknown token: what special tokens typed in a text are replaced by."""
    names = [token for token in (_special_names(folder).get("unk_token"), *_UNKNOWN) if token]
    for name in names:
        found = pipeline.token_to_id(name)
        if found is not None:
            return int(found)
    raise CheckpointError(f"the tokenizer in {folder} has no unknown token, tried {', '.join(names)}.")


def pair_template(folder: Path, pipeline: tokenizers.Tokenizer) -> Template:
    """Return the control tokens that the tokenizer puts around a pair of texts.

    A tokenizer that adds none is given `[CLS] query [SEP] document [SEP]`, as OpenProvence does.

    Raises:
        CheckpointError: It adds none, and names no such tokens.
    """
    encoding = pipeline.encode("a", "a")
    sides = encoding.sequence_ids
    if None not in sides:
        names = _special_names(folder)
        first = pipeline.token_to_id(names.get("cls_token") or names.get("bos_token") or "")
        last = pipeline.token_to_id(names.get("sep_token") or names.get("eos_token") or "")
        if first is None or last is None:
            raise CheckpointError(f"the tokenizer in {folder} names no token to open or separate a pair of texts.")
        return Template((first,), (last,), (last,))
    query = [index for index, side in enumerate(sides) if side == 0]
    document = [index for index, side in enumerate(sides) if side == 1]
    if not query or not document:
        raise CheckpointError(f"the tokenizer in {folder} makes no token of the letter a: it cannot be right.")
    ids = encoding.ids
    return Template(
        tuple(ids[: query[0]]),
        tuple(ids[query[-1] + 1 : document[0]]),
        tuple(ids[document[-1] + 1 :]),
        encoding.type_ids[document[0]],
    )


def make_tokenizer(folder: Path, pipeline: tokenizers.Tokenizer, rows: int) -> Tokenizer:
    """Wrap a pipeline, after checking that the model has an embedding for each of its ids.

    Args:
        folder: The checkpoint, for its lists of special tokens.
        pipeline: Its tokenizer.
        rows: Rows of the embedding table.
    """
    largest = max(pipeline.get_vocab(with_added_tokens=True).values(), default=-1)
    if largest >= rows:
        raise CheckpointError(
            f"the tokenizer in {folder} has ids up to {largest}, but the model has {rows} embeddings only: they do "
            "not belong together. Download the checkpoint again."
        )
    control = (pipeline.token_to_id(name) for name in _special_names(folder).values())
    return Tokenizer(pipeline, unknown_id(folder, pipeline), [index for index in control if index is not None])


def _special_names(folder: Path) -> dict[str, str]:
    names: dict[str, str] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        try:
            found = json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # both files are optional: tokenizer.json says what matters
        for key, value in found.items() if isinstance(found, dict) else ():
            text = value.get("content") if isinstance(value, dict) else value
            if key.endswith("_token") and isinstance(text, str):
                names[key] = text
    return names
