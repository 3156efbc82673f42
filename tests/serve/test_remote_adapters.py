"""Both adapters on a running service: the same documents as in process, and the originals when it fails."""

from __future__ import annotations

from typing import Any

import pytest
from serving import DOCUMENTS, MILL, QUERY, Scripted, running

from secateurs import Compressor, Error, Report
from secateurs.remote import RemoteCompressor

documents = pytest.importorskip("langchain_core.documents", reason="langchain-core is not installed")
schema = pytest.importorskip("llama_index.core.schema", reason="llama-index-core is not installed")

from secateurs.langchain import SecateursCompressor  # noqa: E402 - needs the framework
from secateurs.llama_index import SecateursPostprocessor  # noqa: E402 - needs the framework

SETTINGS: list[dict[str, Any]] = [{}, {"threshold": 0.93}, {"top_k": 1}, {"rerank": True, "top_n": 2}]


def found() -> list[Any]:
    return [documents.Document(text, id=str(number), metadata={"n": number}) for number, text in enumerate(DOCUMENTS)]


def nodes() -> list[Any]:
    return [
        schema.NodeWithScore(node=schema.TextNode(text=text, id_=str(number)), score=0.5)
        for number, text in enumerate(DOCUMENTS)
    ]


@pytest.mark.parametrize("settings", SETTINGS)
async def test_langchain_gives_what_it_gives_in_process(address, tiny: Compressor, settings):
    """SecateursCompressor on a service returns the same documents, metadata included, awaited or not."""
    expected = SecateursCompressor(compressor=tiny, **settings).compress_documents(found(), QUERY)
    with RemoteCompressor(address) as remote:
        adapter = SecateursCompressor(compressor=remote, **settings)
        assert adapter.compress_documents(found(), QUERY) == expected
        assert await adapter.acompress_documents(found(), QUERY) == expected


@pytest.mark.parametrize("settings", SETTINGS)
def test_llama_index_gives_what_it_gives_in_process(address, tiny: Compressor, settings):
    """SecateursPostprocessor on a service returns the same nodes, scores and metadata included."""
    query = schema.QueryBundle(QUERY)
    expected = SecateursPostprocessor(compressor=tiny, **settings).postprocess_nodes(nodes(), query)
    with RemoteCompressor(address) as remote:
        got = SecateursPostprocessor(compressor=remote, **settings).postprocess_nodes(nodes(), query)
    assert [(one.node_id, one.text, one.score, one.metadata) for one in got] == [
        (one.node_id, one.text, one.score, one.metadata) for one in expected
    ]


@pytest.mark.parametrize("trouble", ["nobody", "broken", "overloaded", "late"])
async def test_a_service_that_fails_costs_no_document(trouble):
    """With the service down, broken, overloaded or late, both adapters return their documents as they came."""
    reports: list[Report] = []
    scripted = Scripted()
    with running(scripted, max_waiting=1, timeout=0.2) as url:
        scripted.failure = RuntimeError("boom") if trouble == "broken" else None
        scripted.held = trouble in ("overloaded", "late")
        with RemoteCompressor("http://127.0.0.1:9" if trouble == "nobody" else url) as remote:
            adapter = SecateursCompressor(compressor=remote, threshold=0.5, on_report=reports.append)
            assert adapter.compress_documents(found(), QUERY) == found()
            assert await adapter.acompress_documents(found(), QUERY) == found()
            postprocessor = SecateursPostprocessor(compressor=remote, on_report=reports.append)
            got = postprocessor.postprocess_nodes(nodes(), schema.QueryBundle(QUERY))
            assert [one.text for one in got] == DOCUMENTS
            strict = SecateursCompressor(compressor=remote, on_error="raise")
            with pytest.raises((Error, TimeoutError)):
                strict.compress_documents(found(), QUERY)
        scripted.held = False
    assert len(reports) == 3
    assert all(report.error for report in reports)


def test_an_adapter_can_be_made_while_the_service_is_down():
    """Making an adapter asks nobody."""
    with RemoteCompressor("http://127.0.0.1:9") as remote:
        assert SecateursCompressor(compressor=remote, timeout=5.0).compressor is remote
        assert SecateursPostprocessor(compressor=remote).compressor is remote


def test_a_service_that_comes_back_is_used_again():
    """After a failure the next call asks again."""
    scripted = Scripted()
    with running(scripted) as url, RemoteCompressor(url) as remote:
        adapter = SecateursCompressor(compressor=remote)
        scripted.failure = RuntimeError("boom")
        assert "secateurs" not in adapter.compress_documents([documents.Document(MILL)], QUERY)[0].metadata
        scripted.failure = None
        assert "secateurs" in adapter.compress_documents([documents.Document(MILL)], QUERY)[0].metadata
