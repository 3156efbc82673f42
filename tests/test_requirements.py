"""What every user of the core may count on, one test a requirement, on real checkpoints and through the public doors.

C1 to C20 are about the core, P1 to P4 about packaging and pages; each docstring says its requirement, the number in a
test's name only orders them. Tables of cases, and laws under every policy, stand in the tests of the rooms.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import logging
import os
import pickle
import re
import subprocess
import sys
import threading
import time
import tomllib
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError as CallCancelledError
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import check_laws, check_slices
from slices import part
from test_compressor import any_text, some_query
from test_policy import policies
from tiny import tiny_checkpoint, word_tokenizer

import secateurs
from secateurs import (
    Compression,
    Compressor,
    DeviceError,
    MissingExtraError,
    Neighbours,
    OverloadedError,
    Report,
    Savings,
    Threshold,
    TokenBudget,
    TopK,
)
from secateurs.adapters.report import report_to_dict
from secateurs.adapters.runner import Runner
from secateurs.adapters.settings import Settings
from secateurs.model.device import Hardware, resolve_device, resolve_dtype
from secateurs.model.encoders import Batch
from secateurs.model.pruner import Pruner, Scores
from secateurs.model.scorer import Scorer
from secateurs.result.savings import TokenCounter
from secateurs.segment import segment
from secateurs.windows.aggregate import mean_scores

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
QUERY = "Who built the mill?"
TEXT = (
    "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why. The Moon causes the tides. "
)
relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A tiny model on several threads mostly waits for them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Watched:
    """The model's protocol around a real model: counts its passes and may do something before each."""

    def __init__(self, model: Pruner, before: Callable[[Batch], object] = lambda batch: None) -> None:
        self.device = model.device
        self.batches: list[tuple[int, ...]] = []
        self._model = model
        self._before = before

    def __call__(self, batch: Batch) -> Scores:
        """Score a batch."""
        self.batches.append(batch.lengths)
        self._before(batch)
        return self._model(batch)


def watched(
    folder: Path, before: Callable[[Batch], object] = lambda batch: None, **limits: int
) -> tuple[Compressor, Watched]:
    """A compressor on a checkpoint whose forward passes are watched."""
    compressor = Compressor.from_pretrained(folder, device="cpu")
    model = Watched(compressor._loaded.model, before)
    compressor._scorer = Scorer(model, **limits)
    return compressor, model


def scores(*results: Compression) -> list[list[float]]:
    return [[sentence.score for sentence in result.sentences] for result in results]


def same(found: list[list[float]], wanted: list[list[float]], tolerance: float = 1e-5) -> bool:
    return all(np.allclose(a, b, rtol=0, atol=tolerance) for a, b in zip(found, wanted, strict=True))


@relaxed
@given(query=some_query, documents=st.lists(any_text, max_size=4), policy=policies)
def test_C1_output_is_verbatim_slices(tiny, query, documents, policy):
    """The compressed text is the kept units of the original, verbatim and in source order; nothing is rewritten.

    It is slices of the returned spans. Between two slices there is nothing but white space and the marks of a block
    quote; what a span has beside its slice is white space, such marks, or a comma of JSON. Spans count code points of
    the original, are sorted, and neither overlap nor touch.
    """
    for result, document in zip(tiny.compress(query, documents, policy=policy), documents, strict=True):
        check_laws(result, document)
        check_slices(result)
        flat = [place for span in result.spans for place in span]
        assert flat == sorted(flat)
        assert all(end < start for (_, end), (start, _) in itertools.pairwise(result.spans))


LANGUAGES = {
    "en": "Dr. Smith came. He left.\r\nThen it rained!",
    "zh": "水车建于1842年。它烧毁过两次，没有人知道原因！",
    "ja": "彼は「行く。」と言った。そして去った。",
    "ko": "안녕하세요. 반갑습니다!",
    "ar": "مرحبا. كيف حالك؟ بخير.",
    "hi": "नमस्ते। आप कैसे हैं?",
    "th": "สวัสดีครับ วันนี้อากาศดี ไปกันเถอะ",
    "mixed": "This is English. 这是中文。Это русский. これは日本語。",
    "emoji": "A 👩‍👩‍👧 came. 🙂🙂 Two left. ❤️‍🔥",
    "crlf": "One line\r\nand on.\r\n\r\nTwo.\rThree.",
    "nbsp": "One.\xa0Two\u202fhere.\u3000Three.",
    "unfinished": "no terminator at all and then some more words",
}


@pytest.mark.parametrize("name", [*LANGUAGES, "a megabyte of all"])
def test_C2_segmentation_loses_nothing(name):
    """Cutting a document loses no character: all sentences joined are the document, in any language, at any size."""
    together = "\n".join(LANGUAGES.values())
    text = LANGUAGES.get(name, "  " + together * (1_000_000 // len(together)))
    spans = segment(text)
    assert "".join(text[start:end] for start, end in spans) == text
    assert [start for start, _ in spans] == [0, *(end for _, end in spans[:-1])]


def test_C2_segmentation_needs_no_download():
    """Cutting into sentences works offline: no NLTK, spaCy or torch is loaded, and no socket is opened."""
    code = (
        "import socket, sys; socket.socket = None\n"
        "from secateurs.segment import segment\n"
        f"for text in {list(LANGUAGES.values())!r}: segment(text)\n"
        "assert not {'nltk', 'spacy', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


C3 = [
    ["Dr. Smith came. ", "He left."],
    ["Use e.g. this one, i.e. the first. ", "Good."],
    ["It is 3.14 and v1.2.3 now. ", "Yes."],
    ["See https://a.b/c.d?e=f!g. ", "Or write to a.b@c.com. ", "Then wait."],
    ["Wait... what is it? ", "He waits... ", "Still."],
    ['He said "yes." ', "Then he left."],
    ["He said (quietly.) ", "Then he left."],
    ["他说：“你好。”", "然后走了。"],
    ["彼は「行く。」と言った。", "そして去った。"],
    ["Mr. and Mrs. Jones et al. met at 5 p.m. on Jan. 5 in the U.S. Army office. ", "Fine."],
]


@pytest.mark.parametrize("expected", C3, ids=lambda spans: spans[0][:20])
def test_C3_abbreviations_numbers_and_quotes_do_not_split(expected):
    """A stop that ends no sentence cuts nothing: in abbreviations, numbers, versions, addresses, ellipses, quotes."""
    text = "".join(expected)
    assert [text[start:end] for start, end in segment(text)] == expected


def test_C4_blocks_stay_whole_and_headings_stay_with_their_text(tiny):
    """A code block, a table row, a list item or a heading is kept or cut as one piece, its layout as it was.

    What it needs comes along: the heading over it, a table's head, the items it is nested in; a paragraph, an item or
    a row that is cut leaves the others where they stand.
    """
    heading, table = "# The mill. Its story", "| a. B | c |\n|---|---|"
    code = "```py\nx = 1. + 2.\n\nprint(x)\n```"
    blocks = {
        "# The mill. Its story\n\n": heading,
        "It burned. ": f"{heading}\n\nIt burned.",
        "Nobody knows why.\n\n": f"{heading}\n\nNobody knows why.",
        f"{code}\n\n": f"{heading}\n\n{code}",
        "| a. B | c |\n": f"{heading}\n\n{table}",
        "|---|---|\n": None,  # frame and nothing else
        "| 1. | 2. |\n\n": f"{heading}\n\n{table}\n| 1. | 2. |",
        "- one. Two\n  three\n": f"{heading}\n\n- one. Two\n  three",
        "  - deep\n": f"{heading}\n\n- one. Two\n  three\n  - deep",
        "- four\n": f"{heading}\n\n- four\n",
    }
    document = "".join(blocks)
    assert [document[start:end] for start, end in segment(document)] == list(blocks)
    for block, expected in blocks.items():
        only = lambda sentences, count, block=block: [one.text == block for one in sentences]  # noqa: E731 - a policy a block
        result = tiny.compress(QUERY, [document], policy=only)[0]
        assert result.text == (expected or "")
        assert [one.text for one in result.kept if not one.frame] == ([] if expected is None else [block])


def test_C5_thresholds_are_inclusive_and_scores_reproducible(tiny, tiny_folder):
    """A sentence is kept if its score, the mean probability of its tokens, is at least the threshold.

    The same call gives the same bits again; other documents in it change a score by less than 1e-5 in float32, 0.02
    in 16 bits. A threshold outside [0, 1] is refused.
    """
    result = tiny.compress(QUERY, [TEXT], policy=Threshold(0.0))[0]
    for sentence in result.sentences:
        kept = tiny.compress(QUERY, [TEXT], policy=Threshold(sentence.score))[0]
        assert [s.kept for s in kept.sentences if s.start == sentence.start] == [True]
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="must be in"):
            Threshold(wrong)
    short = tiny.compress(QUERY, ["The mill was built. The Moon causes tides."], policy=Threshold(0.0))[0]
    lengths = tiny._loaded.encode_sentences([s.text for s in short.sentences]).lengths
    probabilities = np.split(short.token_scores.probabilities, np.cumsum(lengths)[:-1])
    assert same([[float(np.mean(some)) for some in probabilities]], scores(short))
    assert "mean" in mean_scores.__doc__
    assert scores(result) == scores(*tiny.compress(QUERY, [TEXT], policy=Threshold(0.0)))
    documents = [TEXT * (n % 5 + 1) for n in range(20)]
    for dtype, bound in (("float32", 1e-5), ("bfloat16", 0.02)):
        compressor = Compressor.from_pretrained(tiny_folder, device="cpu", dtype=dtype)
        alone = [scores(*compressor.compress(QUERY, [one]))[0] for one in documents]
        assert same(scores(*compressor.compress(QUERY, documents)), alone, bound)
        assert same(alone, scores(*tiny.compress(QUERY, documents)), bound)


@pytest.mark.parametrize(
    ("when_empty", "status", "kept"),
    [("drop", "dropped", 0), ("best", "compressed", 1), ("original", "unchanged", 3)],
)
def test_C6_where_nothing_passes_a_policy_decides_and_is_named(tiny, when_empty, status, kept):
    """Where no sentence passes, the user decides: drop the document, keep its best sentence, or keep it whole.

    Nothing is raised, and the result names the policy that decided.
    """
    result = tiny.compress(QUERY, [TEXT], policy=Threshold(1.0, when_empty=when_empty))[0]
    assert (result.status, len(result.kept)) == (status, kept)
    assert result.reason == {"drop": "nothing_passed", "best": None, "original": "nothing_cut"}[when_empty]
    assert result.policy == repr(Threshold(1.0, when_empty=when_empty))
    if kept == 1:
        assert result.kept[0].score == max(s.score for s in result.sentences)


@relaxed
@given(document=any_text, n=st.integers(0, 40), k=st.integers(1, 4), reach=st.integers(0, 2))
def test_C7_budgets_and_context_keep_the_documents_order(tiny, document, n, k, reach):
    """A budget limits what a threshold keeps, for one document or over all; `Neighbours` adds what stands around.

    What frames a unit is paid from the same budget. Whatever decides, no sentence comes twice and the
    document's order stays.
    """
    few = tiny.compress(QUERY, [document], policy=Threshold(0.0) & TopK(k) & TokenBudget(n))[0]
    check_laws(few, document)
    if few.status in ("compressed", "dropped"):
        assert sum(not unit.frame for unit in few.kept) <= k  # what frames them comes along, and is paid
        assert few.savings.after <= n
    many = tiny.compress(QUERY, [document, document + TEXT], policy=Threshold(0.0), max_total_tokens=n)
    blank = TokenCounter()(document) if not document.strip() else 0  # goes back as it is, and is spent first
    assert sum(result.savings.after for result in many) <= max(n, blank)
    wide = tiny.compress(QUERY, [document], policy=TopK(1) | Neighbours(reach, reach))[0]
    check_laws(wide, document)
    if wide.status == "compressed":
        choices = [wide.sentences[index] for index in wide.parts.choices]
        best = max(range(len(choices)), key=lambda index: (choices[index].score, -index))
        assert all(one.kept for one in choices[max(0, best - reach) : best + reach + 1])
        assert [s.start for s in wide.kept] == sorted({s.start for s in wide.kept})


def test_C8_long_documents_are_windowed_at_sentence_borders(tiny):
    """A document longer than the model's window is scored whole: every sentence once, no sentence in two windows.

    Nothing is cut off silently: a query or a sentence that does not fit is named in `warnings`.
    """
    document = "The mill was built in 1842. It burned down. Nobody knows why. The Moon causes tides. " * 20
    result = tiny.compress(QUERY, [document], policy=Threshold(0.0))[0]
    tokens = tiny._loaded.encode_sentences([s.text for s in result.sentences])
    plan = tiny._loaded.layout.plan(tiny._loaded.encode_query(QUERY), tokens)
    assert len(plan.windows) > 5
    borders = np.cumsum([window.tokens for window in plan.windows])
    assert set(borders.tolist()) <= set(np.cumsum(tokens.lengths).tolist())
    inside = np.concatenate([window.ids[window.start :][: window.tokens] for window in plan.windows])
    assert inside.tolist() == tokens.ids.tolist()
    assert len(result.token_scores) == len(tokens.ids)
    assert result.warnings == ()
    check_laws(result, document)
    long_query = tiny.compress("the mill " * 200, [document], policy=Threshold(0.0))[0]
    assert "query_shortened" in long_query.warnings
    long_sentence = tiny.compress(QUERY, ["the mill " * 300], policy=Threshold(0.0))[0]
    assert long_sentence.warnings == ("sentence_split",)
    for odd in (long_query, long_sentence):
        check_laws(odd, odd.original)


def test_C9_passes_are_shared_bounded_and_survive_memory(tiny_folder):
    """Many (query, document) pairs share one forward pass, like lengths together, never more than a token budget.

    Where memory runs out the batch is halved and tried again; no result is lost, and the order of pairs is kept.
    """
    pairs = [(f"Who built mill {n}?", f"Mill {n}. " + TEXT * (n % 3)) for n in range(24)]
    compressor, model = watched(tiny_folder, budget=100_000)
    wanted = compressor.compress_pairs(pairs, policy=Threshold(0.0))
    assert len(model.batches) == 1
    assert [result.original for result in wanted] == [document for _, document in pairs]
    compressor, model = watched(tiny_folder, budget=200)
    assert same(scores(*compressor.compress_pairs(pairs, policy=Threshold(0.0))), scores(*wanted))
    assert len(model.batches) > 3
    assert all(sum(batch) <= 200 for batch in model.batches)
    longest = [max(batch) for batch in model.batches]
    assert longest == sorted(longest, reverse=True)

    def small(batch: Batch) -> None:
        if len(batch.lengths) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")

    compressor, model = watched(tiny_folder, small, budget=100_000)
    found = compressor.compress_pairs(pairs, policy=Threshold(0.0))
    assert same(scores(*found), scores(*wanted))
    assert [result.status for result in found] == [result.status for result in wanted]
    sizes = [len(batch) for batch in model.batches]
    assert sizes[1] == sizes[0] // 2


@pytest.mark.sliced
def test_C10_threads_get_what_serial_calls_get(tiny):
    """One compressor may be used from any number of threads: 32 with 100 calls each get what serial calls get."""
    calls = [(f"Who built mill {n % 10}?", f"It burned {n % 10} times. The Moon causes tides.") for n in range(100)]
    serial = [tiny.compress(query, [document], policy=Threshold(0.5))[0] for query, document in calls]

    def work(shift: int) -> bool:
        mine = [*range(shift, 100), *range(shift)]
        found = [
            (index, tiny.compress(calls[index][0], [calls[index][1]], policy=Threshold(0.5))[0]) for index in mine
        ]
        return all(
            result.text == serial[index].text and same(scores(result), scores(serial[index]))
            for index, result in found
        )

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(work, range(part(32))))


async def test_C11_concurrent_calls_share_passes_within_bounds(tiny_folder):
    """Calls that arrive together, from threads or tasks, share forward passes; a lone one never waits for company.

    What may wait is bounded: a call that finds too much waiting is refused with `OverloadedError`.
    """
    slow = lambda batch: time.sleep(0.02)  # noqa: E731 - long enough for others to arrive
    compressor, model = watched(tiny_folder, slow)
    with ThreadPoolExecutor(16) as pool:
        found = list(
            pool.map(lambda n: compressor.compress(f"who {n}?", [TEXT], policy=Threshold(0.0))[0], range(16))
        )
    assert len(model.batches) < 12
    model.batches.clear()
    tasks = [compressor.acompress(f"who {n}?", [TEXT], policy=Threshold(0.0)) for n in range(16)]
    awaited = [results[0] for results in await asyncio.gather(*tasks)]
    assert len(model.batches) < 12
    assert same(scores(*awaited), scores(*found))
    quick, model = watched(tiny_folder)
    quick.compress(QUERY, [TEXT])
    began = time.perf_counter()
    quick.compress(QUERY, [TEXT])
    assert time.perf_counter() - began < 0.5  # no fixed wait for company
    gate, entered = threading.Event(), threading.Event()
    full, _ = watched(tiny_folder, lambda batch: (entered.set(), gate.wait(20)), limit=50)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(full.compress, "who?", [TEXT])
        entered.wait(20)
        second = pool.submit(full.compress, "why?", [TEXT])
        while not full._scorer._shared._tokens:
            time.sleep(0.001)
        with pytest.raises(OverloadedError, match="limit of 50"):
            full.compress("how?", [TEXT * 20])
        gate.set()
        assert first.result(20)[0].status != "error"
        assert second.result(20)[0].status != "error"


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_C12_adapters_share_weights_that_are_freed(tiny_folder):
    """Adapters of the same model, device and encoding share one set of weights.

    They are freed with the last adapter, or at `close()`; a thousand calls leave no memory behind.
    """
    options = Settings(model=str(tiny_folder), device="cpu")
    one, other = Runner(), Runner()
    compressor = one.load(options)
    assert other.load(options) is compressor
    assert one.load(Settings(model=str(tiny_folder), device="cpu", encoding="cl100k_base")) is not compressor
    weights = weakref.ref(compressor._loaded.model)
    del compressor, one
    gc.collect()
    assert weights() is not None
    for _ in range(100):
        assert other.run(options, QUERY, ["The mill burned."], ["id"]).report.error is None
    if sys.platform == "linux":
        before = resident_megabytes()
        for _ in range(1000):
            other.run(options, QUERY, ["The mill burned."], ["id"])
        assert resident_megabytes() - before < 16
    del other
    gc.collect()
    assert weights() is None
    closed = Compressor.from_pretrained(tiny_folder, device="cpu")
    weights = weakref.ref(closed._loaded.model)
    closed.close()
    gc.collect()
    assert weights() is None


def test_C13_nothing_is_loaded_before_it_is_needed():
    """Importing, making, writing down and pickling adapters loads no torch: only the first document does.

    A framework that is not installed is an ImportError that gives the pip line of its extra.
    """
    code = """
import pickle, sys
from secateurs.langchain import CompressingRetriever, SecateursCompressor
from secateurs.llama_index import SecateursPostprocessor
one, other = SecateursCompressor(threshold=0.3, device="cpu"), SecateursPostprocessor(threshold=0.3)
assert pickle.loads(pickle.dumps(one)).threshold == 0.3
assert SecateursPostprocessor.from_dict(other.to_dict()).threshold == 0.3
assert pickle.loads(pickle.dumps(other)).threshold == 0.3
one.model_dump_json(), repr(one), one.as_runnable()
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    for module, blocked, extra in [
        ("secateurs.langchain", "langchain_core", "langchain"),
        ("secateurs.llama_index", "llama_index", "llama-index"),
        ("secateurs.mcp", "mcp", "mcp"),
    ]:
        code = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
try:
    import {module}
except ImportError as error:
    assert "pip install 'secateurs[{extra}]'" in str(error), error
else:
    raise SystemExit("imported")
"""
        subprocess.run([sys.executable, "-c", code], check=True)
    assert issubclass(MissingExtraError, ImportError)


class Broken:
    """A compressor's protocol whose every call fails."""

    def __init__(self, compressor: Compressor, failure: BaseException) -> None:
        self.policy, self.encoding, self.name = compressor.policy, compressor.encoding, compressor.name
        self.failure = failure

    def compress(self, query, documents, *, policy=None, timeout=None):
        raise self.failure

    async def acompress(self, query, documents, *, policy=None, timeout=None):
        raise self.failure


async def test_C14_failures_return_the_originals(tiny, tiny_folder, caplog):
    """A failure or a time-out of ours never loses a document: the originals come back, the report says why.

    It is logged once, and raised only with `on_error="raise"`. A request to stop (KeyboardInterrupt, SystemExit, a
    cancellation) is never swallowed.
    """
    from langchain_core.callbacks import BaseCallbackHandler
    from langchain_core.documents import Document
    from langchain_core.runnables import RunnableLambda

    from secateurs.langchain import CompressingRetriever, SecateursCompressor

    events: list[Any] = []
    reports: list[Report] = []

    class Listener(BaseCallbackHandler):
        def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            events.append(data)

    found = [Document(TEXT, id="a")]
    broken = SecateursCompressor(compressor=Broken(tiny, RuntimeError("no luck")), on_report=reports.append)
    retriever = CompressingRetriever(retriever=RunnableLambda(lambda query: found), compressor=broken)
    with caplog.at_level(logging.WARNING, "secateurs"):
        for _ in range(3):
            assert [one.page_content for one in retriever.invoke(QUERY, {"callbacks": [Listener()]})] == [TEXT]
    assert [report.error for report in reports] == ["RuntimeError: no luck"] * 3
    assert [event["error"] for event in events] == ["RuntimeError: no luck"] * 3
    assert len([record for record in caplog.records if "no luck" in record.getMessage()]) == 1
    assert (await broken.acompress_documents(found, QUERY))[0].page_content == TEXT
    with pytest.raises(RuntimeError, match="no luck"):
        SecateursCompressor(compressor=broken.compressor, on_error="raise").compress_documents(found, QUERY)
    stalled, _ = watched(tiny_folder, lambda batch: time.sleep(0.5))
    late = Runner().run(Settings(compressor=stalled, timeout=0.05), QUERY, [TEXT], ["a"])
    assert late.report.error.startswith("TimeoutError: not done within 0.05 seconds")
    assert [one.compression for one in late.returned] == [None]
    for stop in (KeyboardInterrupt, asyncio.CancelledError, CallCancelledError, SystemExit):
        options = Settings(compressor=Broken(tiny, stop()))
        with pytest.raises(stop):
            Runner().run(options, QUERY, [TEXT], ["a"])
        if stop in (asyncio.CancelledError, CallCancelledError):
            with pytest.raises(stop):
                await Runner().arun(options, QUERY, [TEXT], ["a"])


def test_C15_nothing_ever_gets_longer(tiny_folder):
    """A document whose kept text would not count fewer LLM tokens comes back whole, with the reason `no_gain`.

    A blank one comes back as it is, without a forward pass.
    """
    compressor = Compressor.from_pretrained(tiny_folder, segmenter=lambda text: [(0, 4), (4, 7)], device="cpu")
    first = lambda sentences, count: [True, False]  # noqa: E731 - a policy in a line
    assert TokenCounter()("walk") == TokenCounter()("walking") == 1
    result = compressor.compress(QUERY, ["walking"], policy=first)[0]
    assert (result.status, result.reason, result.text) == ("unchanged", "no_gain", "walking")
    assert result.savings.saved == 0
    assert all(s.kept for s in result.sentences)
    compressor, model = watched(tiny_folder)
    assert [result.reason for result in compressor.compress(QUERY, ["", " \n"])] == ["blank", "blank"]
    assert model.batches == []


def test_C16_reports_are_exact_json_and_nobody_elses(tiny, reference_encodings):
    """Each result and each report says what was saved: exact LLM tokens, sentences and reasons, in JSON types.

    Savings add up over documents and calls, and a report belongs to its call: threads never see each other's.
    """
    reports: list[Report] = []
    options = Settings(compressor=tiny, threshold=0.5, on_report=reports.append)
    runner, texts = Runner(), [TEXT, TEXT * 3, " "]
    runner.run(options, QUERY, texts, ["a", "b", "c"])
    report = reports[0]
    encoding = reference_encodings["o200k_base"]
    for result, text in zip(report.compressions, texts, strict=True):
        assert result.savings.before == len(encoding.encode_ordinary(text))
        assert result.savings.after == len(encoding.encode_ordinary(result.text))
        data = result.to_dict()
        assert json.loads(json.dumps(data)) == data
        assert data["savings"]["encoding"] == "o200k_base"
        assert data["savings"]["saved"] == data["savings"]["before"] - data["savings"]["after"]
        assert sum(s["kept"] for s in data["sentences"]) == len(result.kept)
        assert data["status"] in ("compressed", "unchanged", "dropped")
    assert report.compressions[2].reason == "blank"
    assert report.savings == sum((one.savings for one in report.compressions), Savings(0, 0))
    event = report_to_dict(report)
    assert json.loads(json.dumps(event)) == event
    queries = [f"Who built mill {n}?" for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda query: runner.run(options, query, texts, ["a", "b", "c"]), queries))
    assert [outcome.report.query for outcome in outcomes] == queries
    assert sorted(one.query for one in reports[1:]) == sorted(queries)


def test_C17_counts_are_exact_offline(tmp_path, reference_encodings):
    """LLM tokens of `o200k_base` and `cl100k_base` are counted exactly without network, cache or any setting.

    Any other encoding that is not in tiktoken's cache says that it approximates. The environment stays as it was.
    """
    hard = "<|endoftext|> and </s> naïve 的确如此 👩‍👩‍👧 \r\n\t12345678"
    code = f"""
import os, socket
def refuse(*arguments): raise OSError("no network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
before = dict(os.environ)
from secateurs.result.savings import TokenCounter
for name in ("o200k_base", "cl100k_base", "p50k_base"):
    counter = TokenCounter(name)
    print(counter({hard!r}), counter.exact())
assert dict(os.environ) == before
"""
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    expected = {name: len(one.encode_ordinary(hard)) for name, one in reference_encodings.items()}
    assert done.stdout.split("\n")[:3] == [
        f"{expected['o200k_base']} True",
        f"{expected['cl100k_base']} True",
        f"{expected['o200k_base']} False",
    ]


FORGED = ["<|endoftext|>", "</s>", "[SEP]", "<s>", "<pad>", "<mask>", "<unk>", "<|fim_prefix|>"]


@pytest.mark.parametrize("forged", FORGED)
def test_C18_typed_special_tokens_are_text(tiny, forged):
    """A special token typed in a query or document (`</s>`, `[SEP]`, `<|endoftext|>` ...) is text like any other.

    It crashes nothing, shifts no offset, and never reaches the model as a control token.
    """
    document = f"{forged} The mill{forged}was built. It {forged}{forged} burned. {forged}"
    results = tiny.compress(f"Who {forged} built it?{forged}", [document, TEXT], policy=Threshold(0.0))
    for result, original in zip(results, (document, TEXT), strict=True):
        assert result.status == "unchanged"
        check_laws(result, original)
        for highlight in result.highlights(0.0):
            assert original[highlight.start : highlight.end] == highlight.text
    ids = tiny._loaded.encode_sentences([document]).ids
    assert not set(ids.tolist()) & {0, 1, 2, 4}  # <s> <pad> </s> <mask>; <unk> stands for all of them


def test_C19_odd_inputs_have_defined_results(tiny_folder):
    """Odd inputs have defined results: no, empty, blank and repeated documents, one endless sentence, a blank query.

    None costs a needless forward pass; a blank query is an error in the core, and an adapter returns its originals.
    """
    compressor, model = watched(tiny_folder)
    assert compressor.compress(QUERY, []) == []
    assert [(r.status, r.reason, r.text) for r in compressor.compress(QUERY, ["", " \n"])] == [
        ("unchanged", "blank", ""),
        ("unchanged", "blank", " \n"),
    ]
    for blank in ("", "  "):
        with pytest.raises(ValueError, match="query is blank"):
            compressor.compress(blank, [TEXT])
        outcome = Runner().run(Settings(compressor=compressor), blank, [TEXT], ["a"])
        assert [one.compression for one in outcome.returned] == [None]
        assert "blank" in outcome.report.error
    assert model.batches == []
    many = compressor.compress(QUERY, [TEXT] * 7)
    assert len(model.batches) == 1
    assert sum(model.batches[0]) < 7 * len(TEXT)
    assert len(set(many)) == 1
    giant = "the mill of the Moon " * 3000
    result = compressor.compress(QUERY, [giant], policy=Threshold(0.0))[0]
    assert result.warnings == ("sentence_split",)
    check_laws(result, giant)


def test_C20_one_api_on_every_device(tiny_folder):
    """The same calls work on every device: `auto`, `cpu`, `mps`, `cuda`, `cuda:N`, in a precision of choice.

    Passes run in inference mode; an unknown device is a `DeviceError` which says what to pass.
    """
    modes: list[bool] = []
    compressor, _ = watched(tiny_folder, lambda batch: modes.append(torch.is_inference_mode_enabled()))
    result = compressor.compress(QUERY, [TEXT])[0]
    check_laws(result, TEXT)
    assert modes == [True]
    has_two = Hardware(cuda=2, cuda_bfloat16=True)
    names = {"auto": "cuda:0", "cuda": "cuda:0", "cuda:1": "cuda:1", "cpu": "cpu"}
    assert {name: str(resolve_device(name, has_two)) for name in names} == names
    assert str(resolve_device("auto", Hardware())) == "cpu"
    assert str(resolve_device("mps", Hardware(mps=True))) == "mps"
    assert resolve_dtype("auto", torch.device("cpu")) is torch.float32
    for dtype in ("auto", "float32", "bfloat16", "float16"):
        with Compressor.from_pretrained(tiny_folder, device="cpu", dtype=dtype) as one:
            check_laws(one.compress(QUERY, [TEXT])[0], TEXT)
    with pytest.raises(DeviceError, match="'auto'"):
        Compressor.from_pretrained(tiny_folder, device="gpu")
    if torch.cuda.is_available():
        with Compressor.from_pretrained(tiny_folder, device="cuda", dtype="float32") as one:
            assert same(scores(*one.compress(QUERY, [TEXT])), scores(result), 1e-3)


def test_P1_one_distribution_with_the_contracts_extras():
    """There is one typed distribution for Python 3.11 and newer, MIT, one extra a feature.

    The frameworks' versions are bounded on both sides, and `all` brings every extra.
    """
    extras = PROJECT["optional-dependencies"]
    wanted = {
        "langchain",
        "agents",
        "llama-index",
        "mcp",
        "serve",
        "ray",
        "train",
        "annotate",
        "evaluate",
        "otel",
        "all",
    }
    assert set(extras) == wanted
    everything = re.fullmatch(r"secateurs\[(.*)\]", extras["all"][0])
    assert set(everything.group(1).split(",")) == wanted - {"all"}
    assert PROJECT["requires-python"] == ">=3.11"
    assert re.fullmatch(r"langchain-core>=1\.[\d.]+,<2", extras["langchain"][0])
    assert extras["llama-index"] == ["llama-index-core>=0.13,<0.15"]
    assert version("langchain-core").startswith("1.")
    assert (Path(secateurs.__file__).parent / "py.typed").exists()
    assert PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_P2_tests_need_no_network_and_no_gpu(tmp_path):
    """The tests reach no network and need no GPU: a tiny real checkpoint is made here and loaded by the real code."""
    import socket

    with socket.socket() as one, pytest.raises(OSError, match="a test tried to reach"):
        one.connect(("192.0.2.1", 80))
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    folder = tiny_checkpoint(tmp_path, width=8, layers=1, tokenizer=word_tokenizer())
    assert {path.name for path in folder.iterdir()} == {"config.json", "tokenizer.json", "model.safetensors"}
    with Compressor.from_pretrained(folder, device="cpu") as compressor:
        clone = pickle.loads(pickle.dumps(compressor))
        assert same(scores(*clone.compress(QUERY, [TEXT])), scores(*compressor.compress(QUERY, [TEXT])))


def section(heading: str, page: Path = ROOT / "README.md") -> str:
    """One section of a page, with its subsections."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", page.read_text(encoding="utf-8"), re.M | re.S)
    assert found, f"{page.name} has no section '## {heading}'"
    return found.group(1)


def test_P3_the_pages_show_how_to_come_from_other_tools():
    """A page shows what to write instead of the five compressors that users come from; the README leads there."""
    text = section("Coming from something else", ROOT / "src/secateurs/adapters/README.md")
    for name in (
        "LLMChainExtractor",
        "EmbeddingsFilter",
        "LLMLinguaCompressor",
        "SentenceEmbeddingOptimizer",
        "LongLLMLingua",
    ):
        assert name in text
    assert "SecateursCompressor" in text
    assert "SecateursPostprocessor" in text
    assert "coming from other tools](src/secateurs/adapters/README.md)" in README


def test_P4_the_readme_shows_every_door():
    """The README shows every way in: retriever, query engine and agents of both frameworks.

    It also shows spans and what was saved, and leads to citations and to reports of every call.
    """
    assert "CompressingRetriever(" in section("LangChain")
    llama_index = section("LlamaIndex")
    assert "SecateursPostprocessor(" in llama_index
    assert "as_query_engine(" in llama_index
    agents = section("Agents")
    for name in ("ContextCompressionMiddleware(", "create_agent(", "FunctionAgent(", "compress_tool("):
        assert name in agents
    assert re.search(r"\bcit(e|ation)", README)
    assert ".spans" in README
    assert ".savings" in README
    for room in ("langchain", "llama_index"):
        assert "on_report" in (ROOT / f"src/secateurs/{room}/README.md").read_text(encoding="utf-8")
