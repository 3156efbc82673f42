"""Only ordinary files of a checkpoint's own folder are read, of a bounded size, and nothing waits."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hostile_parts import Bomb, fifo, huge, outside, refused, small_checkpoint
from safetensors.torch import load_file, save_file

from secateurs import Compressor, cli
from secateurs.adapters.settings import Settings
from secateurs.bulk.files import find_files
from secateurs.errors import CheckpointError
from secateurs.evaluate.measure import find_files as evaluate_files
from secateurs.mcp.files import Folders
from secateurs.mcp.limits import RefusedError
from secateurs.support.files import write_text

FILES = ("config.json", "tokenizer.json", "model.safetensors")
OPTIONAL = ("special_tokens_map.json", "tokenizer_config.json")
QUERY, DOCUMENT = "Who built the mill?", "The mill was built in 1842 by Ann Lee. It burned down twice."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound checkpoint of a few thousand bytes."""
    return small_checkpoint(tmp_path / "checkpoint")


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def outside_in_steps(path: Path) -> None:
    outside(path.with_name("step"))
    path.symlink_to("step")


def in_a_circle(path: Path) -> None:
    path.symlink_to(path.name)


NO_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (fifo, "is a folder, a pipe or a device"),
    "device": (endless, "is a folder, a pipe or a device"),
    "folder": (Path.mkdir, "is a folder, a pipe or a device"),
    "link-out": (outside, "is a link out of the checkpoint's folder.*copy the file"),
    "link-out-in-steps": (outside_in_steps, "is a link out of the checkpoint's folder"),
    "circle": (in_a_circle, "cannot read"),
}


@pytest.mark.watchdog(60)
@pytest.mark.parametrize("name", [*FILES, *OPTIONAL, "model.safetensors.index.json"])
@pytest.mark.parametrize("kind", NO_FILES)
def test_only_files_of_the_folder_are_read(kind: str, name: str, folder: Path) -> None:
    """A pipe, a device, a folder or a link out of the checkpoint in a file's place is refused, and nothing waits."""
    make, message = NO_FILES[kind]
    if name == "model.safetensors.index.json":
        (folder / "model.safetensors").unlink()
    (folder / name).unlink(missing_ok=True)
    make(folder / name)
    assert name in refused(folder, message)


@pytest.mark.parametrize("name", ["config.json", *OPTIONAL, "model.safetensors.index.json"])
def test_small_files_have_a_bounded_size(name: str, folder: Path) -> None:
    """A JSON file larger than any is refused without being read whole: it may be larger than the memory."""
    if name == "model.safetensors.index.json":
        (folder / "model.safetensors").unlink()
    huge(folder / name)
    assert name in refused(folder, "has more than 16,777,216 bytes")


def test_links_within_a_checkpoint_are_its_files(folder: Path) -> None:
    """Files that are links to other files of the same folder, as mounted volumes make them, are read."""
    (folder / "..data").mkdir()
    for name in FILES:
        (folder / name).rename(folder / "..data" / name)
        (folder / name).symlink_to(f"..data/{name}")
    assert Compressor.from_pretrained(folder, device="cpu").compress(QUERY, [DOCUMENT])[0].status != "error"


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("absolute", [False, True])
def test_the_hubs_cache_is_links_and_is_read(shared: bool, absolute: bool, folder: Path, tmp_path: Path) -> None:
    """A snapshot's files are links to blobs beside it, and those may be links to a store: that is the hub's own."""
    cache = tmp_path / "models--owner--name"
    snapshot, blobs = cache / "snapshots" / "abc", cache / "blobs"
    snapshot.mkdir(parents=True), blobs.mkdir()
    for number, name in enumerate(FILES):
        blob = blobs / f"hash{number}"
        target = tmp_path / f"stored{number}" if shared else blob
        (folder / name).rename(target)
        if shared:
            blob.symlink_to(target)
        (snapshot / name).symlink_to(blob if absolute else Path("../../blobs") / blob.name)
    assert Compressor.from_pretrained(snapshot, device="cpu").compress(QUERY, [DOCUMENT])[0].status != "error"
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").symlink_to(tmp_path / "stored0" if shared else blobs / ".." / ".." / "secret")
    (tmp_path / "secret").write_text("{}", encoding="utf-8")
    refused(snapshot, "is a link out of the checkpoint's folder")


def test_a_name_that_no_folder_can_have_is_no_checkpoint() -> None:
    """Names that the system cannot look up are a CheckpointError like any other that is not there."""
    for name in ("x" * 5000, "a/" * 3000, "a\0b", "\ud800"):
        with pytest.raises(CheckpointError, match="no checkpoint at"):
            Compressor.from_pretrained(name, device="cpu")


NO_JSON: dict[str, bytes] = {
    "nested-lists": b"[" * 100_000,
    "nested-objects": b'{"a":' * 100_000,
    "long-number": b'{"vocab_size": ' + b"9" * 10_000 + b"}",
    "no-utf-8": b'{"a": "\xff"}',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "byte-order-mark": b'\xef\xbb\xbf{"a": 1}',
    "empty": b"",
    "zeros": bytes(1000),
    "control-characters": b'{"a": \x1b[2J\r\n',
}


@pytest.mark.parametrize("name", ["config.json", *OPTIONAL, "model.safetensors.index.json", "tokenizer.json"])
@pytest.mark.parametrize("kind", NO_JSON)
def test_what_is_no_json_is_said(kind: str, name: str, folder: Path) -> None:
    """Each JSON file that is none, or nested without end, is refused by its name."""
    if name == "model.safetensors.index.json":
        (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(NO_JSON[kind])
    assert name in refused(folder, "cannot read")


def indexed(folder: Path, **homes: object) -> None:
    """Name one shard more in an index, beside a sound one."""
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    names = load_file(folder / "model-1.safetensors")
    index = {"weight_map": dict.fromkeys(names, "model-1.safetensors") | homes}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


SHARDS: dict[str, tuple[object, str]] = {
    "up": ("../model.safetensors", "outside the checkpoint's folder"),
    "up-windows": ("..\\model.safetensors", "outside the checkpoint's folder"),
    "absolute": ("/etc/passwd", "outside the checkpoint's folder"),
    "drive": ("C:model.safetensors", "outside the checkpoint's folder"),
    "below": ("sub/model.safetensors", "outside the checkpoint's folder"),
    "dots": ("..", "outside the checkpoint's folder"),
    "nothing": ("", "outside the checkpoint's folder"),
    "pickle": ("pytorch_model.bin", "names pytorch_model.bin, expected files that end in .safetensors"),
    "config": ("config.json", "names config.json, expected files"),
    "zero": ("model\0.safetensors", "which is not there"),
    "surrogate": ("\ud800.safetensors", "which is not there"),
    "long": ("x" * 5000 + ".safetensors", "names xxx|cannot read"),
    "control-characters": ("\x1b[2J\n.safetensors", r"\\x1b\[2J\\n"),
    "number": (1, "expected an object with a 'weight_map'"),
    "list": (["model-1.safetensors"], "expected an object with a 'weight_map'"),
    "none": (None, "expected an object with a 'weight_map'"),
}


@pytest.mark.parametrize("name", SHARDS)
def test_a_hostile_shard_is_refused(name: str, folder: Path) -> None:
    """An index leads to safetensors files of its own folder and nowhere else."""
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(folder / "CANARY")))
    value, message = SHARDS[name]
    indexed(folder, evil=value)
    refused(folder, message)
    assert not (folder / "CANARY").exists()


def test_a_shard_that_is_a_link_out_is_refused(folder: Path, tmp_path: Path) -> None:
    """Shards are files of the folder like the others."""
    indexed(folder, evil="model-2.safetensors")
    (folder / "model-1.safetensors").rename(tmp_path / "elsewhere")
    (folder / "model-1.safetensors").symlink_to(tmp_path / "elsewhere")
    refused(folder, "model-1.safetensors is a link out")


def test_more_shards_than_files_can_be_open(folder: Path) -> None:
    """An index of thousands of shards that are not there ends at the first one."""
    indexed(folder, **{f"x{n}": f"model-{n:05}.safetensors" for n in range(50_000)})
    refused(folder, "names model-00000.safetensors, which is not there")


@pytest.mark.parametrize("kind", ["linked", "another", "unlike"])
def test_a_folder_that_only_looks_like_the_hubs_cache_is_none(kind: str, folder: Path, tmp_path: Path) -> None:
    """Links lead out of a snapshot to the `blobs` beside it, which is a folder, of a repository, and nowhere else."""
    cache = tmp_path / ("models--owner--name" if kind != "unlike" else "unpacked")
    snapshot, blobs = cache / "snapshots" / "abc", cache / "blobs"
    snapshot.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if kind == "linked":
        blobs.symlink_to(elsewhere, target_is_directory=True)
    else:
        blobs.mkdir()
    home = elsewhere if kind == "another" else blobs
    for name in FILES:
        (folder / name).rename(home / name)
        (snapshot / name).symlink_to(home / name)
    refused(snapshot, "is a link out of the checkpoint's folder")


def test_a_tensor_in_two_shards_is_refused(folder: Path) -> None:
    """Where two shards hold the same tensor, nothing says which one counts."""
    indexed(folder, evil="model-2.safetensors")
    held = load_file(folder / "model-1.safetensors")
    name = next(iter(held))
    save_file({name: held[name] + 1}, folder / "model-2.safetensors")
    assert name in refused(folder, "model-2.safetensors and another shard both hold")


COPIED = """
import sys
from pathlib import Path
from secateurs import Compressor, Threshold
folder, harm = Path(sys.argv[1]), sys.argv[2]
weights = folder / "model.safetensors"
compressor = Compressor.from_pretrained(folder, device="cpu", mapped=False)
ask = lambda: compressor.compress("Who built the mill?", ["The mill was built in 1842. It burned down."])[0]
before = [one.score for one in ask().sentences]
if harm == "cut short":
    with weights.open("r+b") as file:
        file.truncate(16)
else:
    size = weights.stat().st_size
    with weights.open("r+b") as file:
        file.write(bytes(size))
assert [one.score for one in ask().sentences] == before
print("the same")
"""


@pytest.mark.parametrize(
    ("harm", "stored"),
    [
        ("cut short", "float32"),
        ("written over", "float16"),
        pytest.param("cut short", "float16", marks=pytest.mark.slow),
        pytest.param("written over", "float32", marks=pytest.mark.slow),
    ],
)
def test_copied_weights_are_nobody_elses(harm: str, stored: str, folder: Path) -> None:
    """What `mapped=False` loaded neither changes nor ends the process when its file is changed in place."""
    held = load_file(folder / "model.safetensors")
    save_file({name: one.to(getattr(torch, stored)) for name, one in held.items()}, folder / "model.safetensors")
    done = subprocess.run(
        [sys.executable, "-c", COPIED, str(folder), harm], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "the same\n"), done.stderr


LONG = "x" * 300
PATHS: dict[str, Callable[[Path], object]] = {
    "model": lambda folder: Compressor.from_pretrained(LONG, device="cpu"),
    "adapter": lambda folder: Settings(model=LONG).model_name,
    "agent's file": lambda folder: Folders([folder], 1000).read(LONG),
    "agent's folder": lambda folder: Folders([Path(LONG)], 1000),
    "output": lambda folder: write_text(folder / LONG, "text"),
    "corpus": lambda folder: find_files(Path(LONG)),
    "data": lambda folder: evaluate_files([Path(LONG)]),
}


@pytest.mark.parametrize("where", PATHS)
def test_a_path_too_long_for_a_file_is_one_that_is_not_there(where: str, folder: Path) -> None:
    """A name that no file can have is answered like any other wrong one, without the system's own words or paths."""
    try:
        found = PATHS[where](folder)
    except Exception as error:
        assert "Errno" not in str(error)
        assert where == "output" or str(folder) not in str(error) or isinstance(error, RefusedError)
    else:
        assert found == LONG


@pytest.mark.parametrize(
    "words", [["compress", "q", LONG], ["compress", "q", __file__, "--output", LONG], ["train", LONG]]
)
def test_a_path_too_long_for_a_file_is_one_line_on_the_command_line(words: list[str], capsys) -> None:
    """The command line says what is wrong in its own words."""
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "Errno" not in said and said.count("\n") == 1
