"""Fixtures shared by all tests: nothing here or in the tests reaches a network."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiktoken
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))
# A room's tests use other rooms' fakes, and run alone: module names are unique
sys.path.extend(str(path) for path in Path(__file__).parent.iterdir() if path.is_dir())

import slices
from tiny import tiny_checkpoint

from secateurs import Compressor

os.environ["HF_HUB_OFFLINE"] = "1"
if not os.access(Path(__file__).parents[1], os.W_OK):  # a checkout that is only read: hypothesis remembers nothing
    settings.register_profile("read-only", database=None)
    settings.load_profile("read-only")


def pytest_configure(config: pytest.Config) -> None:
    """Tell the tests how much to try, before one is read."""
    slices.ask(config.option.markexpr)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # under nohup; what the tests start would ignore it, too
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What runs in slices each time runs whole among the slow ones; of two processors a file, and Ray, take one."""
    for item in items:
        if slices.whole() and item.get_closest_marker("sliced"):
            item.add_marker("slow")
        if hasattr(config, "workerinput"):
            alone = item.path.parent.name in ("bulk", "ray")
            item.add_marker(pytest.mark.xdist_group("ray" if alone else str(item.path)))


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this machine answers."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else address
        if self.family != socket.AF_UNIX and host not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a test tried to reach {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint in the published layout."""
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Compressor:
    """A compressor on the tiny checkpoint."""
    return Compressor.from_pretrained(tiny_folder, device="cpu")


@pytest.fixture(scope="session")
def bundled() -> Iterator[Compressor]:
    """The bundled model."""
    with Compressor.from_pretrained(device="cpu") as compressor:
        yield compressor


@pytest.fixture(scope="session")
def reference_encodings() -> dict[str, tiktoken.Encoding]:
    """tiktoken's own encodings, from the rank files that llama-index-core ships for itself."""
    spec = importlib.util.find_spec("llama_index.core")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("llama-index-core, whose copy of the rank files these counts are compared with, is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "_static" / "tiktoken_cache"
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
    try:
        return {name: tiktoken.get_encoding(name) for name in ("o200k_base", "cl100k_base")}
    finally:
        os.environ.pop("TIKTOKEN_CACHE_DIR")
        if before is not None:
            os.environ["TIKTOKEN_CACHE_DIR"] = before
