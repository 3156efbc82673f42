"""What LangChain's users may count on, one test a requirement: L1 to L10, L12, L13 and L20.

Each docstring says its requirement, the number only orders them. L11 is in test_langchain_async.py, L14 to L19 are in
test_langchain_requirements_agents.py.
"""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fake_compressor import FakeCompressor
from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.load import dumps, loads
from langchain_core.messages import ToolCall
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from pydantic import ValidationError
from retrieval_parts import QUERY, WRITTEN, Events, Found, both, documents, fake

from secateurs import Compressor
from secateurs.langchain import CompressingRetriever, SecateursCompressor, create_compressing_retriever_tool
from secateurs.langchain.runnable import CompressDocuments

ONLY_CORE = """
import re, sys
from importlib.metadata import packages_distributions, requires

def closure(name):
    known.add(name)
    for line in requires(name) or ():
        needed = plain(re.match(r"[A-Za-z0-9._-]+", line)[0])
        if "extra ==" not in line and needed in installed and needed not in known:
            closure(needed)

def plain(name):
    return name.lower().replace("_", "-")

places, known = packages_distributions(), set()
installed = {plain(name) for names in places.values() for name in names}
closure("langchain-core")
closure("secateurs")  # its base dependencies; no extra
blocked = {top for top, names in places.items() if not {plain(name) for name in names} & known}
assert "pytest" in blocked and not {"langchain_core", "pydantic", "torch"} & blocked

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked | {"langchain", "langchain_classic", "langchain_community", "llama_index"}:
            raise ModuleNotFoundError(f"blocked: {name}", name=name)

sys.meta_path.insert(0, Block())
"""


def test_L1_importing_needs_only_langchain_core():
    """The adapter is a BaseDocumentCompressor that needs no package of LangChain's but langchain-core.

    With every other one blocked it is imported, made, copied, pickled and used.
    """
    code = f"""{ONLY_CORE}
import copy, pickle
from langchain_core.documents import BaseDocumentCompressor
from langchain_core.runnables import RunnableLambda
from secateurs.langchain import CompressingRetriever, SecateursCompressor, create_compressing_retriever_tool
one = SecateursCompressor(threshold=0.5)
assert isinstance(one, BaseDocumentCompressor)
copy.deepcopy(one), pickle.loads(pickle.dumps(one)), one.as_runnable(), one.model_dump_json()
found = RunnableLambda(lambda query: [])
assert CompressingRetriever(retriever=found, compressor=one).invoke("deer") == []
assert create_compressing_retriever_tool(found, "look", "Look.", compressor=one).invoke({{"query": "deer"}}) == ""
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


class Few(Sequence[Document]):
    """A Sequence that is neither list nor tuple."""

    def __getitem__(self, index: Any) -> Any:
        return documents()[index]

    def __len__(self) -> int:
        return 3


async def test_L2_signatures_and_sequences():
    """`compress_documents` and `acompress_documents` have the base class's signatures, to the default.

    They take any Sequence of Documents and return a list of Documents.
    """
    for name in ("compress_documents", "acompress_documents"):
        ours, theirs = (
            [(one.name, one.kind, one.default) for one in inspect.signature(getattr(kind, name)).parameters.values()]
            for kind in (SecateursCompressor, BaseDocumentCompressor)
        )
        assert ours == theirs
    for found in (documents(), tuple(documents()), Few()):
        for kept in (
            fake().compress_documents(found, "deer", callbacks=None),
            await fake().acompress_documents(documents=found, query="deer"),
        ):
            assert type(kept) is list
            assert all(type(one) is Document for one in kept)


def test_L3_typos_are_refused():
    """A misspelt field is a ValidationError, never ignored; any object with the methods may be the compressor."""
    for make in (
        lambda: SecateursCompressor(threshhold=0.3),
        lambda: CompressingRetriever(retriever=Found(documents=[]), compresor=fake()),
        lambda: CompressDocuments(compressor=fake(), treshold=0.5),
    ):
        with pytest.raises(ValidationError, match="has no field"):
            make()
    config = SecateursCompressor.model_config
    assert (config["extra"], config["arbitrary_types_allowed"]) == ("forbid", True)
    assert isinstance(fake().compressor, FakeCompressor)


def mutables(value: Any) -> Iterator[int]:
    """The ids of what can be changed in a value."""
    if isinstance(value, Document):
        yield id(value)
        yield from mutables(value.metadata)
    elif isinstance(value, dict):
        yield id(value)
        for one in value.values():
            yield from mutables(one)
    elif isinstance(value, (list, tuple, set)):
        yield id(value)
        for one in value:
            yield from mutables(one)


@pytest.mark.parametrize("threshold", [0.0, 0.5])
async def test_L4_inputs_are_unchanged(bundled: Compressor, threshold: float):
    """The documents that came in stay deeply equal, nested metadata too; outputs share nothing mutable with them."""
    found = documents()
    before = copy.deepcopy(found)
    kept = await both(SecateursCompressor(compressor=bundled, threshold=threshold), found, QUERY)
    assert found == before
    assert not set(mutables(kept)) & set(mutables(found))


async def test_L5_identity_is_kept():
    """Of each document its id, its metadata and its place stay; a subclass keeps its type and its own state."""

    class Stateful(Document):
        state: dict[str, Any]

    found = [*documents(), Stateful(page_content="A deer. No more", id="s", state={"vector": [1.0]})]
    kept = await both(fake(threshold=0.0), found, "deer")
    assert [one.id for one in kept] == [one.id for one in found]
    assert all(old.metadata.items() <= new.metadata.items() for new, old in zip(kept, found, strict=True))
    assert [type(one) for one in kept] == [type(one) for one in found]
    assert kept[-1].state == found[-1].state


async def test_L6_what_is_added_to_the_metadata():
    """A kept document gets a float `relevance_score` and one key, `secateurs`, with spans, scores and token counts.

    Both names can be chosen or left out (`metadata_mode="none"`); a key the user has already is never written over.
    """
    theirs = {"secateurs": "their own", "relevance_score": 0.25}
    found = [Document("A deer. No more"), Document("A deer. No more", metadata=theirs)]
    plain, kept = await both(fake(), found, "deer")
    assert set(plain.metadata) == {"secateurs", "relevance_score"}
    assert type(plain.metadata["relevance_score"]) is float
    data = plain.metadata["secateurs"]
    assert data["spans"] == [[0, 8]]
    assert [one["score"] for one in data["sentences"]] == [0.9, 0.1]
    assert data["savings"]["saved"] > 0
    assert kept.metadata == theirs
    named = await both(fake(metadata_key="cut", score_key="cut_score"), found, "deer")
    assert [set(one.metadata) for one in named] == [{"cut", "cut_score"}, {"cut", "cut_score", *theirs}]
    assert named[0].metadata["cut"] == data
    assert [one.metadata for one in await both(fake(metadata_mode="none"), found, "deer")] == [{}, theirs]
    twice = await both(fake(top_k=1), [plain], "deer")
    assert twice[0].metadata["secateurs"]["spans"] == [[0, 8]]
    for wrong in ({"metadata_mode": "some"}, {"metadata_key": ""}, {"score_key": "secateurs"}):
        with pytest.raises(ValidationError):
            fake(**wrong)


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")  # LangChain says so at every call
async def test_L7_results_and_adapters_can_be_written_down(bundled: Compressor):
    """Results and the adapter itself survive JSON, LangChain's dumps and loads, and LangGraph's serializer."""
    jsonplus = pytest.importorskip("langgraph.checkpoint.serde.jsonplus", reason="langgraph is not installed")
    ours = [("secateurs.langchain.compressor", "SecateursCompressor")]
    graph = jsonplus.JsonPlusSerializer(allowed_msgpack_modules=ours)
    allowed: dict[str, Any] = {"allowed_objects": [SecateursCompressor, CompressDocuments, Document]}
    allowed["valid_namespaces"] = ["secateurs"]
    compressor = SecateursCompressor(threshold=0.0, top_k=2, rerank=True, timeout=60.0)
    given = SecateursCompressor(compressor=bundled, threshold=0.5)
    for one in (*given.compress_documents(documents(), QUERY), compressor):
        assert type(one).model_validate_json(one.model_dump_json()) == one
        assert loads(dumps(one), **allowed) == one
        assert graph.loads_typed(graph.dumps_typed(one)) == one
    assert loads(dumps(compressor.as_runnable()), **allowed).compressor == compressor
    for rebuilt in (loads(dumps(given), **allowed), graph.loads_typed(graph.dumps_typed(given))):
        assert rebuilt == SecateursCompressor(threshold=0.5)
        assert WRITTEN in rebuilt.compress_documents(documents()[:1], QUERY)[0].page_content


async def test_L8_inside_langchain_classic():
    """It works inside langchain-classic's ContextualCompressionRetriever and DocumentCompressorPipeline.

    Sync, async and in batches, over any Runnable that finds documents.
    """
    classic = pytest.importorskip("langchain_classic.retrievers", reason="langchain-classic is not installed")
    compressors = pytest.importorskip("langchain_classic.retrievers.document_compressors")
    expected = fake().compress_documents(documents(), "deer")
    pipeline = compressors.DocumentCompressorPipeline(transformers=[fake(), fake()])
    assert [one.page_content for one in await both(pipeline, documents(), "deer")] == [
        one.page_content for one in expected
    ]
    for found in (Found(documents=documents()), RunnableLambda(lambda query: documents())):
        retriever = classic.ContextualCompressionRetriever(base_compressor=fake(), base_retriever=found)
        assert retriever.invoke("deer") == await retriever.ainvoke("deer") == expected
        assert retriever.batch(["deer"] * 3) == await retriever.abatch(["deer"] * 3) == [expected] * 3


async def test_L9_an_own_retriever():
    """CompressingRetriever needs langchain-core alone, and takes `k` when it is made and when it is called.

    `TestL9Retriever` runs LangChain's own tests for retrievers on it.
    """
    for k in (1, 2):
        retriever = CompressingRetriever(retriever=Found(documents=documents()), compressor=fake(threshold=0.0), k=k)
        assert len(retriever.invoke("deer")) == len(await retriever.ainvoke("deer")) == k
        assert len(retriever.invoke("deer", k=3)) == len(await retriever.ainvoke("deer", k=3)) == 3


async def test_L10_as_a_runnable():
    """`as_runnable()` is a step of a pipe: query and documents in, documents out, in every way of running.

    It can stand behind a retriever, and `with_config(configurable=...)` changes threshold and budgets for a call.
    """
    given, expected = {"query": "deer", "documents": documents()}, fake().compress_documents(documents(), "deer")
    step = fake().as_runnable()
    piped = {"query": RunnablePassthrough(), "documents": Found(documents=documents())} | fake().as_runnable()
    for chain, start in ((step, given), (piped, "deer")):
        assert chain.invoke(start) == await chain.ainvoke(start) == expected
        assert chain.batch([start] * 2) == await chain.abatch([start] * 2) == [expected] * 2
        assert list(chain.stream(start)) == [one async for one in chain.astream(start)] == [expected]
        whole = chain.with_config(configurable={"threshold": 0.0})
        assert [one.page_content for one in whole.invoke(start)] == [one.page_content for one in documents()]
        few = chain.with_config(configurable={"threshold": 0.0, "max_tokens": 15})
        assert all(one.metadata["secateurs"]["savings"]["after"] <= 15 for one in await few.ainvoke(start))


async def test_L12_an_event_and_a_run():
    """Inside a run, a call shows what it saved: a child run named `secateurs` and a `secateurs_report` event.

    So it is through a sync or an async manager; outside a run nothing is told and nothing is raised.
    """
    for manager in (CallbackManager, AsyncCallbackManager):
        events, collector = Events(), RunCollectorCallbackHandler()
        started = manager.configure(inheritable_callbacks=[events, collector]).on_retriever_start({}, QUERY)
        run = await started if manager is AsyncCallbackManager else started
        fake().compress_documents(documents(), "deer", callbacks=run.get_child())
        await fake().acompress_documents(documents(), "deer", callbacks=run.get_child())
        assert [data["savings"]["saved"] > 0 for _, data in events.seen] == [True, True]
        assert events.runs == [run.run_id] * 2
        children = collector.run_map[str(run.run_id)].child_runs
        assert [one.name for one in children] == ["secateurs"] * 2
        assert [one.outputs for one in children] == [data for _, data in events.seen]
    for callbacks in (None, [], [Events()]):
        fake().compress_documents(documents(), "deer", callbacks=callbacks)
        await fake().acompress_documents(documents(), "deer", callbacks=callbacks)
        assert not callbacks or callbacks[0].seen == []
    retriever = CompressingRetriever(retriever=Found(documents=documents()), compressor=fake())
    names = [one["name"] async for one in retriever.astream_events("deer", version="v2")]
    assert names.count("secateurs") == 2
    assert names.count("secateurs_report") == 1


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one)), lambda one: one.model_copy(deep=True)]
)
def test_L13_clones(clone: Any, bundled: Compressor):
    """deepcopy, pickle and `model_copy(deep=True)` give an equal adapter, its weights shared or loaded anew."""
    compressor = SecateursCompressor(threshold=0.5, device="cpu")
    expected = compressor.compress_documents(documents(), QUERY)
    cloned = clone(compressor)
    assert cloned == compressor
    assert cloned.compress_documents(documents(), QUERY) == expected
    assert list(cloned._runner._held.values()) == list(compressor._runner._held.values())
    given = clone(SecateursCompressor(compressor=bundled, threshold=0.5))
    assert given.compressor in (bundled, None)
    assert [one.page_content for one in given.compress_documents(documents(), QUERY)] == [
        one.page_content for one in expected
    ]


async def test_L20_the_retriever_tool():
    """`create_compressing_retriever_tool` makes a tool that finds, compresses and returns text, sync and async.

    On demand it returns the Documents beside the text. `TestL20Unit`, `TestL20Integration` and
    `TestL20IntegrationWithArtifact` run LangChain's own tests for tools on it.
    """
    found = Found(documents=documents())
    tool = create_compressing_retriever_tool(
        found, "look", "Look it up.", compressor=fake(), response_format="content_and_artifact"
    )
    call = ToolCall(name="look", args={"query": "deer"}, id="1", type="tool_call")
    expected = fake().compress_documents(documents(), "deer")
    for message in (tool.invoke(call), await tool.ainvoke(call)):
        assert message.content == "\n\n".join(one.page_content for one in expected)
        assert message.artifact == expected
