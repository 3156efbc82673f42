"""A tokenizer, segmenter, policy, cache or callback that fails: only what failed fails, here and in the adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from faulty import MARK, PLAIN, QUERY, Broken, Faulty, check_only, load_faulty, mixed_documents
from langchain_core.documents import Document
from llama_index.core.schema import NodeWithScore, TextNode

from secateurs import Compressor, ScoreCache, Threshold, checkpoints
from secateurs.adapters.metadata import METADATA_KEY
from secateurs.langchain import SecateursCompressor
from secateurs.llama_index import SecateursPostprocessor
from secateurs.model.encoders import Batch
from secateurs.model.pruner import Scores
from secateurs.pipeline.documents import Scored
from secateurs.result.span import Sentence
from secateurs.serve import ServiceSettings, create_app
from secateurs.windows.tokenizer import Tokenizer, Tokens

BAD = (1, 4, 9)
DOCUMENTS = mixed_documents(12, bad=BAD)


class Panic(BaseException):
    """What a Rust library throws: no Exception."""


@pytest.fixture(scope="module")
def loaded(tiny_folder: Path) -> Iterator[Broken]:
    """One compressor for all tests: whatever has failed in it, it goes on."""
    made = load_faulty(tiny_folder)
    with made.compressor:
        yield made


@pytest.fixture
def broken(loaded: Broken) -> Broken:
    """The compressor with nothing wrong yet."""
    loaded.module.breaks(None)
    loaded.compressor.cache = None
    return loaded


def only_marked(error: Callable[[], BaseException]) -> Callable[[Faulty, Batch], Scores]:
    """Return a fault of the documents that begin with the mark."""

    def fault(module: Faulty, batch: Batch) -> Scores:
        if module.marked(batch):
            raise error()
        return module.model(batch)

    return fault


class Torn:
    """The real tokenizer, which fails on one text."""

    def __init__(self, real: Tokenizer, error: Callable[[], BaseException], word: str) -> None:
        self.real, self.error, self.word = real, error, word

    def encode(self, texts: Sequence[str]) -> Tokens:
        if any(self.word in text for text in texts):
            raise self.error()
        return self.real.encode(texts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@pytest.mark.parametrize("error", [ValueError, Panic, MemoryError, UnicodeError])
def test_a_tokenizer_that_fails_on_one_document(
    tiny_folder: Path, broken: Broken, error: type[BaseException]
) -> None:
    """Documents that cannot be tokenized come back whole; a query that cannot be fails its own documents only."""
    clean = broken.compressor.compress(QUERY, DOCUMENTS)
    checkpoint = checkpoints.load(tiny_folder, family=None, device=torch.device("cpu"), dtype=torch.float32)
    torn = Torn(checkpoint.tokenizer, lambda: error("torn"), MARK.strip())
    with Compressor(replace(checkpoint, tokenizer=torn)) as compressor:
        check_only(compressor.compress(QUERY, DOCUMENTS), clean, BAD, f"{error.__name__}: torn")
        pairs = [(MARK if index in BAD else QUERY, PLAIN + str(index)) for index in range(12)]
        whole = broken.compressor.compress_pairs(pairs)
        check_only(compressor.compress_pairs(pairs), whole, BAD, "torn")


def overlapping(text: str) -> Any:
    return [(0, 4), (3, len(text))]


def endless(text: str) -> Any:
    at = 0
    while True:
        yield (at, at + 1)
        at += 1


SPLIT: dict[str, Callable[[str], Any]] = {
    "gap": lambda text: [(0, 4), (5, len(text))],
    "overlap": overlapping,
    "empty": lambda text: [(0, 0), (0, len(text))],
    "short": lambda text: [(0, len(text) - 1)],
    "long": lambda text: [(0, len(text) + 1)],
    "backwards": lambda text: [(4, len(text)), (0, 4)],
    "nothing": lambda text: [],
    "none": lambda text: None,
    "a number": lambda text: 7,
    "texts": lambda text: [text],
    "floats": lambda text: [(0.0, float(len(text)))],
    "triples": lambda text: [(0, len(text), 1)],
    "endless": endless,
}


@pytest.mark.parametrize("name", [*SPLIT, "raises", "panics"])
def test_a_segmenter_that_fails_on_one_document(tiny_folder: Path, name: str) -> None:
    """Whatever a segmenter raises or returns for one document, it comes back whole, and the others are cut."""

    def whole(text: str) -> list[tuple[int, int]]:
        half = len(text) // 2
        return [(0, half), (half, len(text))]

    def segment(text: str) -> Any:
        if not text.startswith(MARK):
            return whole(text)
        if name in ("raises", "panics"):
            raise (LookupError if name == "raises" else Panic)("no sentence here")
        return SPLIT[name](text)

    with Compressor.from_pretrained(tiny_folder, device="cpu", segmenter=whole) as sound:
        clean = sound.compress(QUERY, DOCUMENTS)
    with Compressor.from_pretrained(tiny_folder, device="cpu", segmenter=segment) as compressor:
        check_only(compressor.compress(QUERY, DOCUMENTS), clean, BAD, "")


def raises(sentences: Sequence[Sentence], count: object) -> Any:
    raise LookupError("no flags")


DECIDE: dict[str, Callable[..., Any]] = {
    "raises": raises,
    "too few": lambda sentences, count: [True] * (len(sentences) - 1),
    "too many": lambda sentences, count: [True] * (len(sentences) + 1),
    "nothing": lambda sentences, count: None,
    "a number": lambda sentences, count: 1,
    "endless": lambda sentences, count: iter(int, 1),
}


@pytest.mark.parametrize("total", [None, 200])
@pytest.mark.parametrize("name", list(DECIDE))
def test_a_policy_that_fails_on_one_document(broken: Broken, name: str, total: int | None) -> None:
    """What a policy of the user's raises or returns for one document leaves the others decided as ever."""

    def policy(sentences: Sequence[Sentence], count: Any) -> Any:
        if sentences[0].text.startswith(MARK):
            return DECIDE[name](sentences, count)
        return [sentence.score >= 0.5 for sentence in sentences]

    found = broken.compressor.compress(QUERY, DOCUMENTS, policy=policy, max_total_tokens=total)
    assert [index for index, one in enumerate(found) if one.status == "error"] == list(BAD)
    assert all(found[index].text == DOCUMENTS[index] for index in BAD)
    if total is None:
        check_only(found, broken.compressor.compress(QUERY, DOCUMENTS, policy=Threshold(0.5)), BAD, "")


class BrokenCache(ScoreCache):
    """A cache behind a connection that is lost."""

    def __init__(self, *, reads: bool, writes: bool) -> None:
        super().__init__()
        self.reads, self.writes = reads, writes

    def get(self, owner: object, query: str, document: str) -> Scored | None:
        if not self.reads:
            raise ConnectionError("the cache is gone")
        return super().get(owner, query, document)

    def put(self, owner: object, query: str, scored: Scored) -> None:
        if not self.writes:
            raise ConnectionError("the cache is gone")
        super().put(owner, query, scored)


@pytest.mark.parametrize(("reads", "writes"), [(False, True), (True, False), (False, False)])
def test_a_cache_that_fails_costs_nobody_anything(
    broken: Broken, caplog: pytest.LogCaptureFixture, reads: bool, writes: bool
) -> None:
    """A cache that cannot be read or written is as good as none, and the log says so."""
    clean = broken.compressor.compress(QUERY, DOCUMENTS)
    broken.compressor.cache = BrokenCache(reads=reads, writes=writes)
    for _ in range(2):
        check_only(broken.compressor.compress(QUERY, DOCUMENTS), clean, (), "")
    assert "the cache is gone" in caplog.text


@pytest.mark.parametrize("error", [ValueError, Panic])
def test_an_observer_that_fails_costs_nobody_anything(tiny_folder: Path, error: type[BaseException]) -> None:
    """What an observer of forward passes raises changes no score."""
    compressor, _ = load_faulty(tiny_folder)
    with compressor:
        clean = compressor.compress(QUERY, DOCUMENTS)

        def observe(tokens: int, seconds: float) -> None:
            raise error("looked away")

        compressor.observe(observe)
        check_only(compressor.compress(QUERY, DOCUMENTS), clean, (), "")


FAULTS: dict[str, Callable[[], BaseException]] = {
    "memory": lambda: torch.OutOfMemoryError("CUDA out of memory"),
    "own": lambda: LookupError("of the model's own"),
    "panic": lambda: Panic("unwrap"),
}


def reporting(seen: list[Any]) -> Callable[[Any], None]:
    """Return an on_report that notes the report and then raises."""

    def on_report(report: Any) -> None:
        seen.append(report)
        raise RuntimeError("the dashboard is down")

    return on_report


@pytest.mark.parametrize("name", list(FAULTS))
@pytest.mark.parametrize("on_error", ["keep", "raise"])
async def test_langchain_around_a_failing_model(broken: Broken, name: str, on_error: str) -> None:
    """Only the documents that failed go back whole, or are raised for; a failing on_report costs nothing."""
    seen: list[Any] = []
    adapter = SecateursCompressor(
        compressor=broken.compressor, threshold=0.0, on_error=on_error, on_report=reporting(seen)
    )
    given = [Document(text, id=str(index)) for index, text in enumerate(DOCUMENTS)]
    clean = adapter.compress_documents(given, QUERY)
    broken.module.breaks(only_marked(FAULTS[name]))
    if on_error == "raise":
        with pytest.raises(Exception, match=r"documents\[1\]"):
            adapter.compress_documents(given, QUERY)
        with pytest.raises(Exception, match=r"documents\[1\]"):
            await adapter.acompress_documents(given, QUERY)
    else:
        for found in (adapter.compress_documents(given, QUERY), await adapter.acompress_documents(given, QUERY)):
            assert [one.page_content for one in found] == DOCUMENTS
            statuses = [one.metadata[METADATA_KEY]["status"] for one in found]
            assert [index for index, status in enumerate(statuses) if status == "error"] == list(BAD)
    assert [len(report.compressions) for report in seen] == [12, 12, 12]
    broken.module.breaks(None)
    assert [one.page_content for one in adapter.compress_documents(given, QUERY)] == [
        one.page_content for one in clean
    ]


@pytest.mark.parametrize("name", list(FAULTS))
@pytest.mark.parametrize("on_error", ["keep", "raise"])
async def test_llama_index_around_a_failing_model(broken: Broken, name: str, on_error: str) -> None:
    """Only the nodes that failed go back whole, or are raised for; a failing on_report costs nothing."""
    seen: list[Any] = []
    adapter = SecateursPostprocessor(
        compressor=broken.compressor, threshold=0.0, on_error=on_error, on_report=reporting(seen)
    )
    nodes = [NodeWithScore(node=TextNode(text=text, id_=str(i)), score=0.5) for i, text in enumerate(DOCUMENTS)]
    broken.module.breaks(only_marked(FAULTS[name]))
    if on_error == "raise":
        with pytest.raises(Exception, match=r"documents\[1\]"):
            adapter.postprocess_nodes(nodes, query_str=QUERY)
        with pytest.raises(Exception, match=r"documents\[1\]"):
            await adapter.apostprocess_nodes(nodes, query_str=QUERY)
    else:
        for found in (
            adapter.postprocess_nodes(nodes, query_str=QUERY),
            await adapter.apostprocess_nodes(nodes, query_str=QUERY),
        ):
            assert [one.text for one in found] == DOCUMENTS
            statuses = [one.metadata[METADATA_KEY]["status"] for one in found]
            assert [index for index, status in enumerate(statuses) if status == "error"] == list(BAD)
    assert [len(report.compressions) for report in seen] == [12, 12]


@pytest.mark.parametrize("name", [*FAULTS, "nan"])
async def test_the_service_around_a_failing_model(broken: Broken, name: str) -> None:
    """The service answers 200, names the documents that failed and counts them; it stays healthy, and works again."""
    app = create_app(broken.compressor, ServiceSettings())

    def fault(module: Faulty, batch: Batch) -> Scores:
        scores = module.model(batch)
        for index in module.marked(batch):
            torch.split(scores.tokens, batch.lengths)[index].fill_(float("nan"))
        return scores

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client,
    ):
        body = {"query": QUERY, "documents": DOCUMENTS}
        clean = (await client.post("/v1/compress", json=body)).json()["documents"]
        broken.module.breaks(fault if name == "nan" else only_marked(FAULTS[name]))
        for _ in range(4):
            answer = await client.post("/v1/compress", json=body)
            assert answer.status_code == 200
            found = answer.json()["documents"]
            assert [index for index, one in enumerate(found) if one["status"] == "error"] == list(BAD)
            assert all(found[index]["text"] == DOCUMENTS[index] for index in BAD)
            assert all(found[i]["text"] == clean[i]["text"] for i in range(12) if i not in BAD)
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
        metrics = (await client.get("/metrics")).text
        errors = [line for line in metrics.splitlines() if 'status="error"' in line]
        assert any(line.endswith((" 12", " 12.0")) for line in errors), errors
        broken.module.breaks(None)
        assert (await client.post("/v1/compress", json=body)).json()["documents"] == clean
