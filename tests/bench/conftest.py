"""Fixtures for the benchmark's tests, and the way to the tiny checkpoints of all families."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "checkpoints"))

from tiny import tiny_checkpoint, word_tokenizer

from secateurs import checkpoints


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A tiny model on several threads mostly waits for them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def roomy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint with windows as long as real ones, so that a document is one window as it is there."""
    return tiny_checkpoint(tmp_path_factory.mktemp("roomy"), max_length=512, tokenizer=word_tokenizer())


@pytest.fixture(scope="session")
def roomy(roomy_folder: Path) -> checkpoints.Checkpoint:
    """The same, loaded."""
    return checkpoints.load(roomy_folder, family=None, device=torch.device("cpu"), dtype=torch.float32)
