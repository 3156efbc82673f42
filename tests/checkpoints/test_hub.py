"""Where checkpoints come from, and what is said when they do not come."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import errors
from reference import GOLDEN

from secateurs.checkpoints import BUNDLED, locate
from secateurs.errors import CheckpointError


def failing(kind: type[Exception]):
    """Return a download that fails the way the hub's client fails."""

    def download(*args, **kwargs):
        error = kind.__new__(kind)  # its own constructor wants the whole HTTP response
        Exception.__init__(error, "first line\nsecond line")
        raise error

    return download


def test_the_bundled_checkpoint_needs_no_network(monkeypatch) -> None:
    """No name and its own name are the packaged folder, and the hub is not asked."""
    monkeypatch.setattr(huggingface_hub, "snapshot_download", failing(RuntimeError))
    assert locate() == locate(BUNDLED)
    assert (locate() / "config.json").is_file()


def test_a_folder_is_itself() -> None:
    """A path that exists is used as it is, as text and as a Path."""
    assert locate(GOLDEN / "zilliz") == locate(str(GOLDEN / "zilliz")) == GOLDEN / "zilliz"


@pytest.mark.parametrize(
    "name", ["no-such-folder", "a/b/c", "../x", "./here/x", "/nowhere/at/all", "", "a b/c", "-/x"]
)
def test_what_is_neither_a_folder_nor_a_hub_id_is_said_to_be_so(name, monkeypatch) -> None:
    """Nothing that is not an id goes to the network."""
    monkeypatch.setattr(huggingface_hub, "snapshot_download", failing(RuntimeError))
    with pytest.raises(CheckpointError, match="neither a folder on this machine nor a hub id"):
        locate(name)
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        locate(Path("nowhere") / "at-all")


def test_a_model_must_be_a_name_or_a_path() -> None:
    """Another type is a TypeError."""
    with pytest.raises(TypeError, match="model must be a folder, a hub id or None, got 5"):
        locate(5)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (errors.GatedRepoError, "'owner/name' is gated: .*ask for it.*hf auth login"),
        (errors.RepositoryNotFoundError, "no model 'owner/name' on the hub, or it is private: check the name"),
        (errors.RevisionNotFoundError, "'owner/name' has no revision None: use a branch"),
        (errors.LocalEntryNotFoundError, "not in the local cache, and the hub cannot be reached .*bundled one"),
        (errors.OfflineModeIsEnabled, "cannot get checkpoint 'owner/name' from the hub: first line"),
        (RuntimeError, "cannot get checkpoint 'owner/name' from the hub: first line Try again"),
    ],
)
def test_each_failure_of_the_hub_has_its_own_message(kind, message, monkeypatch) -> None:
    """Not found, gated, no network and the rest say what happened and what to do."""
    monkeypatch.setattr(huggingface_hub, "snapshot_download", failing(kind))
    with pytest.raises(CheckpointError, match=message) as caught:
        locate("owner/name")
    assert isinstance(caught.value.__cause__, kind)
    assert "\n" not in str(caught.value)


def test_only_data_is_downloaded(monkeypatch) -> None:
    """Revision and name are passed on; code and pickles are not asked for."""
    asked = {}

    def download(name, **kwargs):
        asked.update(name=name, **kwargs)
        return str(GOLDEN / "zilliz")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert locate("owner/name", "v2") == GOLDEN / "zilliz"
    assert (asked["name"], asked["revision"]) == ("owner/name", "v2")
    assert not [pattern for pattern in asked["allow_patterns"] if pattern.endswith((".py", ".bin", "*"))]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([2**34, 1], r"is 2 files of 17,179,869,185 bytes together"),
        ([1] * 101, "is 101 files of 101 bytes"),
        ([2**33, None], None),
    ],
)
def test_what_is_larger_than_any_checkpoint_is_not_downloaded(sizes, message, monkeypatch) -> None:
    """A repository of a terabyte, or of a million files, is refused by its list of files; code does not count."""
    names = [huggingface_hub.hf_api.RepoSibling(f"{n}.safetensors", size=size) for n, size in enumerate(sizes)]
    names.append(huggingface_hub.hf_api.RepoSibling("pytorch_model.bin", size=2**60))

    class Listed:
        siblings = names

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *args, **named: Listed)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *args, **named: str(GOLDEN / "zilliz"))
    if message is None:
        assert locate("owner/name") == GOLDEN / "zilliz"
    else:
        with pytest.raises(CheckpointError, match=f"{message}.*hf download"):
            locate("owner/name")


def test_without_a_network_the_message_says_so() -> None:
    """The real client, offline: one clear error, no traceback of its own in it."""
    with pytest.raises(CheckpointError, match="not in the local cache, and the hub cannot be reached"):
        locate("secateurs-tests/there-is-no-such-model")
