"""A revision is asked for wherever a model is, reaches the hub, and what was loaded stays what was pinned."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors
from langchain_core.documents import Document
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.tools import FunctionTool

from secateurs import Compressor, cli
from secateurs.adapters.settings import Settings
from secateurs.bulk.engine import settled
from secateurs.bulk.job import Job
from secateurs.checkpoints import locate
from secateurs.errors import CheckpointError
from secateurs.langchain import SecateursCompressor
from secateurs.langchain.middleware import ContextCompressionMiddleware
from secateurs.llama_index import SecateursPostprocessor, compress_tool
from secateurs.ray import CompressBatch
from secateurs.ray.serve import Arguments, application
from secateurs.train.checks import check as check_config
from secateurs.train.config import RunConfig, SourceConfig, StartConfig, TeacherConfig, TrainConfig
from secateurs.train.start import load_start
from secateurs.train.tables import ConfigError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB: dict[str, Any] = {"model": "owner/name", "revision": "v2"}


@pytest.fixture
def snapshot(tiny_folder: Path, tmp_path: Path) -> Path:
    """A commit of a model in the hub's cache."""
    folder = tmp_path / "models--owner--name" / "snapshots" / COMMIT
    shutil.copytree(tiny_folder, folder)
    return folder


@pytest.fixture
def asked(snapshot: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """What was asked of the hub: names and revisions."""
    seen: list[tuple[str, str | None]] = []

    def download(name: str, *, revision: str | None = None, **others: object) -> str:
        seen.append((name, revision))
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return seen


LOADERS: dict[str, Callable[[], object]] = {
    "core": lambda: Compressor.from_pretrained("owner/name", revision="v2", device="cpu"),
    "langchain": lambda: SecateursCompressor(**HUB).compress_documents([Document("a . b .")], "a ?"),
    "llama-index": lambda: SecateursPostprocessor(**HUB).postprocess_nodes(
        [NodeWithScore(node=TextNode(text="a . b ."))], QueryBundle("a ?")
    ),
    "middleware": lambda: ContextCompressionMiddleware(**HUB).check(),
    "tool": lambda: compress_tool(
        FunctionTool.from_defaults(lambda query: "a . b . " * 400, name="look", description="Look."), **HUB
    ).call(query="a ?"),
    "ray": lambda: CompressBatch(document_column="d", query="a ?", **HUB),
}


@pytest.mark.parametrize("door", LOADERS)
def test_every_door_asks_for_the_revision(door: str, asked: list[tuple[str, str | None]]) -> None:
    """Whatever loads a model by its name loads it at the revision that was said."""
    LOADERS[door]()
    assert asked == [("owner/name", "v2")]


COMMANDS = {
    "compress": ["compress", "who ?", "{file}"],
    "serve": ["serve", "--port", "0"],
    "mcp": ["mcp"],
    "bulk": ["bulk", "{file}", "{out}", "--query", "who ?", "--document-column", "d"],
    "bench": ["bench", "--quick"],
    "evaluate": ["evaluate", "{labelled}"],
    "tool-output": ["evaluate", "tool-output", "{outputs}"],
    "answers": ["evaluate", "answers", "{asked}", "--export", "{out}"],
    "preview": ["evaluate", "preview", "{asked}"],
}
LABELLED = {"id": "1", "query": "who ?", "context": "a . b .", "evidence": [[0, 3]], "lang": "en", "source": "x"}
OUTPUT = {
    **{"id": "1", "content_type": "log", "category": "single", "question": "who ?", "gold": "b", "all_of": []},
    **{"must_not": [], "tool_output": "a . b ."},
}
FILES = {
    "file": {"d": "a . b ."},
    "labelled": LABELLED,
    "outputs": OUTPUT,
    "asked": {"query": "who ?", "documents": ["a . b ."], "answer": "b"},
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_asks_for_the_revision(command, monkeypatch, tmp_path, capsys) -> None:
    """`--revision` reaches the hub, and one that is not there is said in a line."""
    seen = []

    def download(name: str, *, revision: str | None = None, **others: object) -> str:
        seen.append((name, revision))
        error = errors.RevisionNotFoundError.__new__(errors.RevisionNotFoundError)
        Exception.__init__(error, "no such revision")
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    places = {"out": tmp_path / "out", **{name: tmp_path / f"{name}.jsonl" for name in FILES}}
    for name, row in FILES.items():
        places[name].write_text(json.dumps(row) + "\n", encoding="utf-8")
    words = [word.format(**places) for word in COMMANDS[command]]
    with pytest.raises(SystemExit) as ended:
        cli.main([*words, "--model", "owner/name", "--revision", "v2"])
    assert ended.value.code == 2
    assert seen == [("owner/name", "v2")]
    assert "has no revision 'v2': use a branch, tag or commit." in capsys.readouterr().err


def test_models_show_asks_for_the_revision(asked, capsys) -> None:
    """What a checkpoint is, is said of the commit that was asked for."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["models", "show", "owner/name", "--revision", "v2"])
    assert ended.value.code == 0
    assert asked == [("owner/name", "v2")]
    assert COMMIT in capsys.readouterr().out


def test_each_model_that_is_measured_has_its_revision(asked, tmp_path, capsys) -> None:
    """Of several models each has one, "" for none; another number of them is refused before any is loaded."""
    data = tmp_path / "x-dev.jsonl"
    data.write_text(json.dumps(LABELLED) + "\n", encoding="utf-8")
    two = ["evaluate", str(data), "--model", "owner/name", "--model", "owner/other", "--revision", "v2"]
    with pytest.raises(SystemExit) as ended:
        cli.main(two)
    assert ended.value.code == 2
    assert "1 --revision for 2 --model" in capsys.readouterr().err
    assert asked == []


def test_training_starts_from_the_revision(asked, snapshot) -> None:
    """`[start] revision` reaches the hub, for the model and the one above it; a revision of nothing is refused."""
    load_start(StartConfig(model="owner/name", revision="v2"))
    with pytest.raises(ConfigError, match="use a deeper one"):
        load_start(StartConfig(model="owner/name", revision="v2", upper="owner/name", upper_revision="v3"))
    assert asked == [("owner/name", "v2")] * 2 + [("owner/name", "v3")]
    for table in ({"start": StartConfig(upper_revision="v2")}, {"teacher": TeacherConfig(revision="v2")}):
        config = replace(TrainConfig(sources=(SourceConfig(path="x"),), run=RunConfig(steps=1)), **table)
        with pytest.raises(ConfigError, match="expected none without"):
            check_config(config, "here")


def test_another_revision_is_another_model(asked: list[tuple[str, str | None]]) -> None:
    """Adapters share the weights of one revision, and of no other."""
    adapters = [SecateursCompressor(model="owner/name", revision=name, device="cpu") for name in ("v1", "v2", "v2")]
    for one in adapters:
        one.check()
    assert [revision for _, revision in asked] == ["v1", "v2"]


def test_what_is_written_down_is_pinned(asked, snapshot, tiny) -> None:
    """A pickle of a compressor, and an adapter around it, hold the commit that was loaded, not the branch."""
    compressor = Compressor.from_pretrained("owner/name", revision="main", device="cpu")
    pickle.loads(pickle.dumps(compressor))
    assert asked == [("owner/name", "main"), ("owner/name", COMMIT)]
    written = SecateursCompressor(compressor=compressor).model_dump()
    assert (written["model"], written["revision"]) == ("owner/name", COMMIT)
    assert SecateursCompressor(**HUB).model_dump()["revision"] == "v2"
    assert SecateursCompressor(compressor=tiny).model_dump()["revision"] is None
    assert pickle.loads(pickle.dumps(tiny)).checkpoint == tiny.checkpoint


def test_workers_load_what_the_run_has_found(snapshot, tiny_folder) -> None:
    """A corpus is compressed by one commit, though its branch moves on while workers start."""
    job = Job(document_column="d", query="who ?", model="owner/name", revision="main")
    assert settled(job, snapshot).revision == COMMIT
    assert settled(job, snapshot).to_dict() == job.to_dict()
    for folder in (tiny_folder, snapshot):
        here = Job(document_column="d", query="who ?", model=str(folder))
        assert settled(here, folder).revision is None
    assert settled(Job(document_column="d", query="who ?"), locate()).revision is None


def test_a_revision_of_nothing_is_refused(tiny_folder, tiny) -> None:
    """What was pinned is never taken from elsewhere in silence: the bundled model, a folder, a compressor."""
    for make in (Settings, SecateursCompressor, SecateursPostprocessor, ContextCompressionMiddleware, application):
        with pytest.raises(ValueError, match="needs a model on the hub"):
            make(revision="v2")
        with pytest.raises(ValueError, match="revision is blank"):
            make(model="owner/name", revision=" ")
    with pytest.raises(ValueError, match="exclude each other"):
        Settings(compressor=tiny, revision="v2")
    with pytest.raises(TypeError, match="revision must be a branch"):
        Settings(model="owner/name", revision=2)
    assert Arguments(**HUB).revision == "v2"
    for model in (None, tiny_folder, str(tiny_folder)):
        with pytest.raises(CheckpointError, match="has no revisions, got revision 'v2'"):
            Compressor.from_pretrained(model, revision="v2", device="cpu")
    found = SecateursCompressor(model=str(tiny_folder), revision="v2")
    with pytest.raises(CheckpointError, match="has no revisions"):
        found.compress_documents([Document("a . b .")], "a ?")
