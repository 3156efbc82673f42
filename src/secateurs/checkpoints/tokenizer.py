"""The tokenizer of a checkpoint: `tokenizer.json` and the lists of control tokens beside it."""

from __future__ import annotations

from pathlib import Path

import tokenizers

from secateurs.checkpoints.folder import find, read_bytes, read_json
from secateurs.checkpoints.screen import find_fault
from secateurs.errors import CheckpointError, own_failure
from secateurs.windows.packing import Template
from secateurs.windows.tokenizer import Tokenizer

_BYTES = 128 * 2**20  # four times the largest that is published
_UNKNOWN = ("<unk>", "[UNK]", "<|unk|>", "unk")
# a letter, and characters that no vocabulary has: whoever cannot read these fails on the first foreign text
_PROBES = ("a", "\U0010fffd ꙮ \U00012000")


def read_tokenizer(folder: Path) -> tokenizers.Tokenizer:
    """Read `tokenizer.json`, the pipeline the model was trained with, exactly as it is.

    Raises:
        CheckpointError: It is missing, damaged, cannot tokenize, or asks for what may take for ever.
    """
    path = find(folder, "tokenizer.json")
    if path is None:
        raise CheckpointError(f"no tokenizer.json in {folder}. Download the checkpoint again, with all its files.")
    try:
        pipeline = tokenizers.Tokenizer.from_buffer(read_bytes(path, _BYTES))
        fault = find_fault(pipeline)
    except CheckpointError:
        raise
    except BaseException as error:  # the library raises a bare Exception, and panics, which are not even that
        reason = own_failure(error)
        raise CheckpointError(f"cannot read {path}: {reason}. Download the checkpoint again.") from None
    if fault is not None:
        raise CheckpointError(f"{path}: {fault}. No published tokenizer needs that: do not use this checkpoint.")
    try:
        pipeline.no_truncation()
        pipeline.no_padding()
        for probe in _PROBES:  # not as a batch: its threads, if a parent process used them, are gone in a fork
            pipeline.encode(probe)
            pipeline.encode(probe, probe)
    except BaseException as error:
        reason = own_failure(error)
        raise CheckpointError(
            f"the tokenizer {path} cannot tokenize a plain text: {reason}. Download the checkpoint again."
        ) from None
    return pipeline


def unknown_id(folder: Path, pipeline: tokenizers.Tokenizer) -> int:
    """Return the id of the unknown token: what special tokens typed in a text are replaced by."""
    names = [token for token in (_special_names(folder).get("unk_token"), *_UNKNOWN) if token]
    for name in names:
        found = pipeline.token_to_id(name)
        if found is not None:
            return int(found)
    raise CheckpointError(f"the tokenizer in {folder} has no unknown token, tried {', '.join(names)}.")


def pair_template(folder: Path, pipeline: tokenizers.Tokenizer, rows: int) -> Template:
    """Return the control tokens that the tokenizer puts around a pair of texts.

    A tokenizer that adds none is given `[CLS] query [SEP] document [SEP]`, as OpenProvence does.

    Args:
        folder: The checkpoint, for its lists of special tokens.
        pipeline: Its tokenizer.
        rows: Rows of the embedding table.

    Raises:
        CheckpointError: It adds none, and names no such tokens; or it adds some that the model does not have.
    """
    template = _read_template(folder, pipeline)
    largest = max((*template.before, *template.between, *template.after), default=-1)
    if largest >= rows:
        raise CheckpointError(
            f"the tokenizer in {folder} puts the id {largest} around texts, but the model has {rows} embeddings "
            "only: they do not belong together. Download the checkpoint again."
        )
    return template


def _read_template(folder: Path, pipeline: tokenizers.Tokenizer) -> Template:
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
        path = find(folder, name)
        found = None if path is None else read_json(path)
        for key, value in found.items() if isinstance(found, dict) else ():
            text = value.get("content") if isinstance(value, dict) else value
            if key.endswith("_token") and isinstance(text, str):
                names[key] = text
    return names
