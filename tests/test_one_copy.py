"""One copy of what several documents say: the same by every door; chunks are known by the places splitters wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from laws import check_same

from secateurs import Compressor, Distinct, SourcePlace, Threshold, UnitPlace
from secateurs.adapters.outcome import aligned
from secateurs.cli import main

QUERY = "Who built the mill?"
TOLD = "The mill in Leeds was built by Ann Lee in 1842."
DOCUMENTS = [f"{TOLD} It burned down.", f"Rain fell on York in May. {TOLD} Nobody was asked.", TOLD]
LEFT = [DOCUMENTS[0], "Rain fell on York in May. Nobody was asked."]
SOURCE = "Rain came. It stayed. Then the sun was out, and all was well. Nobody was asked. They went home. So it was."
CHUNKS = [(0, SOURCE[:62]), (22, SOURCE[22:])]
NEW = "Nobody was asked. They went home. So it was."


def test_langchain(tiny_folder: Path):
    """LangChain's compressor leaves copies out, and drops what says nothing new."""
    langchain = pytest.importorskip("secateurs.langchain", reason="langchain-core is not installed")
    from langchain_core.documents import Document

    adapter = langchain.SecateursCompressor(model=str(tiny_folder), device="cpu", threshold=0.0, distinct=True)
    found = adapter.compress_documents([Document(text, id=text[:4]) for text in DOCUMENTS], QUERY)
    assert [one.page_content for one in found] == LEFT
    units = found[1].metadata["secateurs"]["sentences"]
    assert [(one.get("reason"), one.get("copy_of")) for one in units] == [
        (None, None),
        ("copy", [0, 0]),
        (None, None),
    ]
    step = langchain.SecateursCompressor(model=str(tiny_folder), device="cpu", threshold=0.0).as_runnable()
    given = {"query": QUERY, "documents": [Document(text) for text in DOCUMENTS]}
    found = step.with_config(configurable={"distinct": True}).invoke(given)
    assert [one.page_content for one in found] == LEFT


@pytest.mark.parametrize(
    ("metadata", "known"),
    [
        (({"source": "a.md"}, {"source": "a.md"}), True),
        (({"source": "a.pdf", "page": 1, "_score": 0.1}, {"source": "a.pdf", "page": 1, "_score": 0.3}), True),
        (({"source": "a.pdf", "page": 1}, {"source": "a.pdf", "page": 2}), False),
        (({"source": "a.md"}, {"source": "b.md"}), False),
        (({"lang": "en"}, {"lang": "en"}), False),
        (({}, {}), False),
        (({"source": "a.md", "secateurs": {}}, {"source": "a.md"}), False),
    ],
)
def test_langchains_chunks_are_told_by_their_place(tiny_folder: Path, metadata, known):
    """`start_index` and what else stands in the metadata say whether two chunks are of one text."""
    langchain = pytest.importorskip("secateurs.langchain", reason="langchain-core is not installed")
    from langchain_core.documents import Document

    pairs = zip(CHUNKS, metadata, strict=True)
    given = [Document(text, metadata={**said, "start_index": start}) for (start, text), said in pairs]
    adapter = langchain.SecateursCompressor(model=str(tiny_folder), device="cpu", threshold=0.0, distinct=True)
    found = adapter.compress_documents(given, QUERY)
    assert found[1].page_content == (NEW if known else CHUNKS[1][1])


async def test_llama_index(tiny_folder: Path):
    """LlamaIndex's postprocessor knows the places of nodes by their document and `start_char_idx`."""
    llama_index = pytest.importorskip("secateurs.llama_index", reason="llama-index-core is not installed")
    from llama_index.core.schema import NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode

    def node(start: int, text: str, source: str | None) -> NodeWithScore:
        related = {} if source is None else {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=source)}
        made = TextNode(text=text, start_char_idx=start, end_char_idx=start + len(text), relationships=related)
        return NodeWithScore(node=made)

    adapter = llama_index.SecateursPostprocessor(model=str(tiny_folder), device="cpu", threshold=0.0, distinct=True)
    for sources, text in ((("a", "a"), NEW), (("a", "b"), CHUNKS[1][1]), ((None, None), CHUNKS[1][1])):
        given = [node(*chunk, source) for chunk, source in zip(CHUNKS, sources, strict=True)]
        assert adapter.postprocess_nodes(given, query_str=QUERY)[1].text == text
        assert (await adapter.apostprocess_nodes(given, query_str=QUERY))[1].text == text


def test_the_command_line(tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """`secateurs compress --distinct`, for programs and for people."""
    paths = [tmp_path / f"{number}.txt" for number in range(len(DOCUMENTS))]
    for path, text in zip(paths, DOCUMENTS, strict=True):
        path.write_text(text, encoding="utf-8")
    asked = ["compress", QUERY, *map(str, paths), "--model", str(tiny_folder), "--device", "cpu", "--threshold", "0"]
    for shape in ("json", "text"):
        with pytest.raises(SystemExit) as end:
            main([*asked, "--distinct", "--format", shape])
        assert end.value.code == 0
        shown = capsys.readouterr().out
        if shape == "json":
            found = json.loads(shown)["documents"]
            assert [one["text"] for one in found] == [*LEFT, ""]
            assert found[2]["reason"] == "nothing_new"
        else:
            assert "dropped (nothing_new)" in shown
            assert "Threshold(0.0), distinct" in shown
            assert any(line.startswith("=") and TOLD in line for line in shown.splitlines())


async def test_http(tiny_folder: Path):
    """By the fields of a request; places that do not fit are refused."""
    httpx = pytest.importorskip("httpx", reason="the extra serve is not installed")
    from secateurs.serve import create_app

    body = {"query": QUERY, "documents": DOCUMENTS, "threshold": 0.0, "distinct": True}
    chunked = {**body, "documents": [text for _, text in CHUNKS], "places": [["a", start] for start, _ in CHUNKS]}
    with Compressor.from_pretrained(tiny_folder, device="cpu") as compressor:
        transport = httpx.ASGITransport(app=create_app(compressor))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            answer = (await client.post("/v1/compress", json=body)).json()["documents"]
            assert [one["text"] for one in answer] == [*LEFT, ""]
            assert answer[1]["sentences"][1]["copy_of"] == [0, 0]
            answer = (await client.post("/v1/compress", json=chunked)).json()["documents"]
            assert answer[1]["text"] == NEW
            for places in ([["a", 0]], [["a", -1], None], ["a", "b"], [[3, 0], None]):
                answer = await client.post("/v1/compress", json={**chunked, "places": places})
                assert answer.status_code == 422, places
            answer = await client.post("/v1/compress", json={**chunked, "distinct": False})
            assert answer.status_code == 422


def test_a_remote_compressor(tiny_folder: Path):
    """Behind an address copies are the same as in process, by order, by ranking, by place, of one query or many."""
    pytest.importorskip("httpx", reason="the extra serve is not installed")
    from serving import running

    from secateurs.remote import RemoteCompressor

    texts, places = [text for _, text in CHUNKS], tuple(SourcePlace("a", start) for start, _ in CHUNKS)
    every = Threshold(0.0)
    with (
        Compressor.from_pretrained(tiny_folder, device="cpu") as own,
        running(own) as url,
        RemoteCompressor(url) as remote,
    ):
        for distinct in (Distinct(), Distinct(by_ranking=True)):
            found = remote.compress(QUERY, DOCUMENTS, policy=every, distinct=distinct)
            check_same(found, own.compress(QUERY, DOCUMENTS, policy=every, distinct=distinct))
            assert any(unit.copy_of for one in found for unit in one.sentences)
        found = remote.compress(QUERY, texts, policy=every, distinct=Distinct(places=places))
        assert found[1].text == NEW
        pairs = [(QUERY, TOLD), ("Why?", TOLD), ("Why?", TOLD)]
        found = remote.compress_pairs(pairs, policy=every, distinct=Distinct())
        assert [one.reason for one in found] == ["nothing_cut", "nothing_cut", "nothing_new"]
        with pytest.raises(ValueError, match="cannot be sent"):
            remote.compress(QUERY, texts, distinct=Distinct(similarity=0.5))


def test_ray_keeps_one_copy_a_row(tiny_folder: Path):
    """The documents of a row are compared with each other, and with no other row's."""
    pytest.importorskip("ray", reason="ray is not installed")
    import pyarrow as pa

    from secateurs.ray import CompressBatch

    with Compressor.from_pretrained(tiny_folder, device="cpu") as compressor:
        batch = CompressBatch(
            document_column="d", query=QUERY, compressor=compressor, threshold=0.0, distinct=True, many=True
        )
        rows = batch(pa.table({"d": [DOCUMENTS, [TOLD]]})).to_pylist()
    assert rows[0]["secateurs_text"] == [*LEFT, ""]
    assert rows[0]["secateurs_reason"][2] == "nothing_new"
    assert rows[1]["secateurs_text"] == [TOLD]


def test_reranked_documents_keep_the_copy_of_the_best(tiny_folder: Path):
    """With `rerank` and `top_n` what is returned holds the sentence, whichever document came first."""
    langchain = pytest.importorskip("secateurs.langchain", reason="langchain-core is not installed")
    from langchain_core.documents import Document

    where = {"model": str(tiny_folder), "device": "cpu"}
    adapter = langchain.SecateursCompressor(**where, threshold=0.0, rerank=True, top_n=1, distinct=True)
    for given in (DOCUMENTS, DOCUMENTS[::-1]):
        [best] = adapter.compress_documents([Document(text) for text in given], QUERY)
        assert TOLD in best.page_content


def test_pointers_count_the_documents_that_came_in(tiny: Compressor):
    """Where a document without text stands between, an adapter's pointers count it as well."""
    results = tiny.compress(QUERY, [TOLD, TOLD], policy=Threshold(0.0), distinct=Distinct())
    found = aligned([None, TOLD, None, TOLD], results)
    assert [one is None for one in found] == [True, False, True, False]
    assert found[3] is not None
    assert found[3].sentences[0].copy_of == UnitPlace(1, 0)
