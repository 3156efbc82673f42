"""Copies of the LangChain adapters, and what of them can be written down."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.load import dumps, loads
from retrieval_parts import QUERY, WRITTEN, both, documents, fake

from secateurs import Compressor, Report
from secateurs.langchain import SecateursCompressor

CLONES = [
    copy.copy,
    copy.deepcopy,
    lambda one: one.model_copy(deep=True),
    lambda one: pickle.loads(pickle.dumps(one)),
    lambda one: SecateursCompressor(**one.model_dump()),
    lambda one: SecateursCompressor.model_validate_json(one.model_dump_json()),
]


@pytest.mark.parametrize("clone", CLONES)
@pytest.mark.parametrize("used", [True, False])
def test_clones(clone: Any, used: bool) -> None:
    """A copy works like its original, whether that one was used before or not."""
    compressor = SecateursCompressor(threshold=0.5, device="cpu")
    expected = compressor.compress_documents(documents(), QUERY) if used else None
    cloned = clone(compressor)
    assert cloned.threshold == 0.5
    assert cloned.compress_documents(documents(), QUERY) == expected or not used


@pytest.mark.parametrize("clone", CLONES)
def test_clones_around_a_compressor(clone: Any, bundled: Compressor) -> None:
    """A copy shares a given compressor; what is rebuilt elsewhere loads the same checkpoint."""
    seen: list[Report] = []
    lock = threading.Lock()

    def report(one: Report) -> None:
        with lock:
            seen.append(one)

    compressor = SecateursCompressor(compressor=bundled, threshold=0.5, on_report=report)
    cloned = clone(compressor)
    assert cloned.compressor in (bundled, None)
    [kept] = cloned.compress_documents(documents()[:1], QUERY)
    assert WRITTEN in kept.page_content
    assert len(seen) == (cloned.on_report is not None)


def test_serialized_checkpoint(tiny_folder: Path, tiny: Compressor) -> None:
    """A serialized adapter names the checkpoint of its compressor, and its encoding."""
    assert SecateursCompressor(compressor=tiny).model_dump()["model"] == str(tiny_folder)
    assert SecateursCompressor(model=tiny_folder).model == str(tiny_folder)
    data = fake(encoding="cl100k_base").model_dump()
    assert data["encoding"] == "cl100k_base"
    assert json.loads(json.dumps(data)) == data
    assert not {"compressor", "on_report"} & set(data)


def test_rerank_settings_survive() -> None:
    """rerank and top_n are part of what is serialized, copied and pickled."""
    compressor = SecateursCompressor(rerank=True, top_n=2)
    for clone in CLONES:
        assert (clone(compressor).rerank, clone(compressor).top_n) == (True, 2)


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")  # LangChain says so at every call
async def test_results_serialize(bundled: Compressor) -> None:
    """Results survive JSON and LangChain's own dumps and loads."""
    for document in await both(SecateursCompressor(compressor=bundled, threshold=0.5), documents(), QUERY):
        assert Document.model_validate_json(document.model_dump_json()) == document
        assert loads(dumps(document), allowed_objects=[Document]) == document
