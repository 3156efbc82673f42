"""Parts of hostile checkpoints: small tokenizers, headers that lie, files that are none, and the law for them all."""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from secateurs.checkpoints import load
from secateurs.checkpoints.catalogue import explain
from secateurs.errors import CheckpointError

# first, because a package of the same name builds wheels
sys.path[:0] = [str(Path(__file__).parents[1] / "checkpoints"), str(Path(__file__).parent / "fuzz")]

from build import KINDS, build  # noqa: E402, F401 - the path comes first; for those who import this

Header = dict[str, Any]


def small_tokenizer(kind: str = "words") -> Tokenizer:
    """Return a tokenizer of a few hundred bytes of JSON."""
    pieces = [*tiny.SPECIAL, "a", "b", "l", "m", "i", "▁", "▁the", "##l", "mi", "the", "mill", "built", "Ġ"]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    model = {
        "words": lambda: models.WordLevel(vocabulary, unk_token="<unk>"),
        "pieces": lambda: models.WordPiece(vocabulary, unk_token="<unk>", max_input_chars_per_word=100),
        "bpe": lambda: models.BPE(vocabulary, [("m", "i")], unk_token="<unk>", fuse_unk=True),
        "unigram": lambda: models.Unigram([(piece, -1.0 - n) for n, piece in enumerate(pieces)], 3, False),
    }[kind]()
    made = Tokenizer(model)
    regex = "'s|[^\\s\\p{L}]+|\\p{L}+|\\s+"
    steps = {
        "words": (normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()),
        "pieces": (normalizers.NFKC(), pre_tokenizers.WhitespaceSplit()),
        "bpe": (
            normalizers.Sequence([normalizers.NFC(), normalizers.Replace("``", '"')]),
            pre_tokenizers.Sequence(
                [pre_tokenizers.Split(Regex(regex), "isolated"), pre_tokenizers.ByteLevel(False)]
            ),
        ),
        "unigram": (normalizers.Replace(Regex(" {2,}"), " "), pre_tokenizers.Metaspace()),
    }[kind]
    made.normalizer, made.pre_tokenizer = steps
    made.add_special_tokens(tiny.SPECIAL)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return made


def small_checkpoint(folder: Path, kind: str = "words") -> Path:
    """Write a checkpoint of a few thousand bytes."""
    return tiny.tiny_checkpoint(folder, width=4, layers=1, max_length=32, tokenizer=small_tokenizer(kind))


def change_header(path: Path, change: Callable[[Header], object]) -> None:
    """Change the header of a safetensors file; the data stay."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    changed = change(header)
    text = json.dumps(header if changed is None else changed).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size :])


def replace_tensor(path: Path, name: str, data: bytes, **fields: object) -> None:
    """Give a tensor of a safetensors file other bytes, and other fields of its entry; the others keep theirs."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header, body, place = json.loads(content[8 : 8 + size]), b"", 0
    for key, entry in header.items():
        if key != "__metadata__":
            first, last = (8 + size + offset for offset in entry["data_offsets"])
            some = data if key == name else content[first:last]
            entry["data_offsets"] = [place, place := place + len(some)]
            body += some
    header[name].update(fields)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def change_json(path: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON file, in place or by returning something else."""
    tree = json.loads(path.read_text(encoding="utf-8"))
    changed = change(tree)
    path.write_text(json.dumps(tree if changed is None else changed), encoding="utf-8")


def fifo(path: Path) -> None:
    """Make a pipe: whoever reads it waits for ever."""
    os.mkfifo(path)


def outside(path: Path) -> None:
    """Make a link to a file outside the checkpoint's folder."""
    other = path.parent.parent / f"other-{path.name}"
    other.write_text("{}", encoding="utf-8")
    path.symlink_to(other)


def huge(path: Path) -> None:
    """Make a file of a terabyte: a hole, which takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(2**40)


class Bomb:
    """Writes a file where it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.canary, "code of the checkpoint ran")


def refused(folder: Path, message: str = "", family: str | None = None) -> str:
    """Fail unless a folder is refused, in a moment, with one printable line that names it; return the line."""
    begin = time.monotonic()
    with pytest.raises(CheckpointError, match=f"(?s){message}") as caught:
        load(folder, family=family, device=torch.device("cpu"), dtype=torch.float32)
    assert time.monotonic() - begin < 5
    said = str(caught.value)
    assert said.isprintable() and len(said) <= 1000
    assert str(folder) in said
    assert explain(folder, family).problem is not None
    return said
