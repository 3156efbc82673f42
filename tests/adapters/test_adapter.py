"""What the adapters share: settings, the compressor behind them, failure, reports."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import gc
import json
import pickle
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fake_compressor import FakeCompressor

from secateurs import (
    CheckpointError,
    Compression,
    Compressor,
    DeviceError,
    Error,
    MissingExtraError,
    Report,
    Savings,
    Span,
    Threshold,
    TokenBudget,
    TopK,
)
from secateurs.adapters.metadata import copy_metadata
from secateurs.adapters.protocol import CompressorLike
from secateurs.adapters.report import report_to_dict
from secateurs.adapters.runner import Runner
from secateurs.adapters.settings import Settings
from secateurs.result.savings import TokenCounter
from secateurs.support.extras import raise_missing
from secateurs.support.names import checkpoint_name, model_of


class PanicException(BaseException):
    """Named as pyo3 names a panic in Rust."""


TEXTS = ["The deer sleeps. It rained all day", "It rained", "A deer runs"]
QUERY = "Which deer?"
IDS = ["a", "b", "c"]


def run(query: str = QUERY, texts: Sequence[str] = TEXTS, **settings: Any) -> Any:
    """Run a fake compressor, or the one in the settings."""
    settings.setdefault("compressor", FakeCompressor())
    return Runner().run(Settings(**settings), query, texts, [f"id{index}" for index in range(len(texts))])


async def arun(query: str = QUERY, texts: Sequence[str] = TEXTS, **settings: Any) -> Any:
    """Do what `run` does, awaited."""
    settings.setdefault("compressor", FakeCompressor())
    ids = [f"id{index}" for index in range(len(texts))]
    return await Runner().arun(Settings(**settings), query, texts, ids)


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"threshold": 1.5}, ValueError, "threshold must be in"),
        ({"threshold": float("nan")}, ValueError, "threshold must be in"),
        ({"threshold": "0.5"}, TypeError, "threshold must be a number"),
        ({"threshold": True}, TypeError, "threshold must be a number"),
        ({"top_k": 0}, ValueError, "top_k must be at least 1"),
        ({"top_k": 1.5}, TypeError, "top_k must be a whole number"),
        ({"max_tokens": -1}, ValueError, "max_tokens must be at least 0"),
        ({"rerank": 1}, TypeError, "rerank must be True or False, got 1"),
        ({"rerank": True, "top_n": 0}, ValueError, "top_n must be at least 1"),
        ({"rerank": True, "top_n": 1.5}, TypeError, "top_n must be a whole number"),
        ({"rerank": True, "top_n": True}, TypeError, "top_n must be a whole number"),
        ({"top_n": 3}, ValueError, "top_n=3 needs rerank=True"),
        ({"timeout": 0}, ValueError, "timeout must be more than 0 seconds"),
        ({"timeout": float("inf")}, ValueError, "timeout must be more than 0 seconds"),
        ({"timeout": "1"}, TypeError, "timeout must be a number of seconds"),
        (
            {"timeout": 1.0, "compressor": FakeCompressor()},
            ValueError,
            "takes timeout, which that of FakeCompressor",
        ),
        ({"max_total_tokens": -1}, ValueError, "max_total_tokens must be at least 0"),
        (
            {"max_total_tokens": 9, "compressor": FakeCompressor()},
            ValueError,
            "takes max_total_tokens, which that of FakeCompressor",
        ),
        ({"distinct": 1}, TypeError, "distinct must be True or False"),
        (
            {"distinct": True, "compressor": FakeCompressor()},
            ValueError,
            "takes distinct, which that of FakeCompressor",
        ),
        ({"elision": " "}, ValueError, "elision must be a printable mark"),
        ({"elision": 3}, TypeError, "elision must be a string"),
        (
            {"elision": "[…]", "compressor": FakeCompressor()},
            ValueError,
            "takes elision, which that of FakeCompressor",
        ),
        ({"on_error": "ignore"}, ValueError, "on_error must be 'keep' or 'raise'"),
        ({"encoding": "o300k"}, ValueError, "unknown encoding 'o300k'"),
        ({"device": "gpu"}, DeviceError, "unknown device 'gpu'"),
        ({"on_report": 3}, TypeError, "on_report must be a plain function"),
        ({"on_report": arun}, TypeError, "on_report must be a plain function"),
        ({"compressor": "xsmall"}, TypeError, "compressor must be a secateurs.Compressor"),
        ({"compressor": FakeCompressor(), "model": "a/b"}, ValueError, "exclude each other"),
        ({"compressor": FakeCompressor(), "device": "cpu"}, ValueError, "exclude each other"),
        (
            {"compressor": FakeCompressor(), "encoding": "cl100k_base"},
            ValueError,
            "the compressor's own, 'o200k_base'",
        ),
    ],
)
def test_wrong_setting(wrong: dict[str, Any], error: type[Exception], says: str) -> None:
    """A wrong setting is refused when the settings are made, by name and with its value."""
    with pytest.raises(error, match=says):
        Settings(**wrong)


def test_compressor_encoding_counts() -> None:
    """The default encoding gives way to that of a given compressor."""
    assert Settings(compressor=FakeCompressor(encoding="cl100k_base")).encoding == "cl100k_base"


def test_compressor_fits_the_protocol() -> None:
    """The real compressor is what an adapter needs."""
    assert isinstance(Runner().load(Settings()), CompressorLike)


def test_sharing() -> None:
    """Adapters with the same model, device and encoding share one compressor, also when they start at once."""
    runners = [Runner() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        first, *others = pool.map(lambda runner: runner.load(Settings(encoding="o200k_harmony")), runners)
    assert all(other is first for other in others)
    assert runners[0].load(Settings(encoding="o200k_harmony")) is first
    assert runners[0].load(Settings(encoding="cl100k_base")) is not first


def test_weights_are_freed() -> None:
    """The shared compressor goes with the last adapter that uses it."""
    runner = Runner()
    compressor = weakref.ref(runner.load(Settings(device="cpu", encoding="o200k_harmony")))
    assert compressor() is not None
    del runner
    gc.collect()
    assert compressor() is None


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_cloned_runner(clone: Any) -> None:
    """A copied or unpickled runner works, with the compressor its original uses."""
    runner = Runner()
    compressor = runner.load(Settings())
    assert clone(runner).load(Settings()) is compressor


def test_policy_settings_limit() -> None:
    """Threshold, top_k and max_tokens combine with `&`; without a threshold the compressor's policy stands."""
    texts = ["A deer. Two deer. No more"]
    assert run(texts=texts).report.compressions[0].text == "A deer. Two deer. "
    assert run(texts=texts, top_k=1).report.compressions[0].text == "A deer. "
    assert run(texts=texts, threshold=0.0, top_k=3).report.compressions[0].text == texts[0]
    assert run(texts=texts, max_tokens=0).report.compressions[0].status == "dropped"


async def test_report() -> None:
    """A report holds one result a document in order, their exact sum and the ids of what was dropped."""
    for outcome in (run(), await arun()):
        report = outcome.report
        assert [one.status for one in report.compressions] == ["compressed", "dropped", "unchanged"]
        assert report.dropped_ids == ("id1",)
        assert report.savings == sum(one.savings for one in report.compressions)
        assert report.error is None
        assert outcome.failure is None


def test_report_to_dict() -> None:
    """A report as an event is JSON, and repeats no text of a document."""
    data = report_to_dict(run().report)
    assert json.loads(json.dumps(data)) == data
    assert data["savings"]["saved"] > 0
    assert "deer sleeps" not in json.dumps(data)


RANKED = ["a deer", "b deer", "deer without a score", "c deer", "b deer too", "broken", "nothing"]
RANKING = {"a": 0.25, "b": 0.5, "c": 0.75, "nothing": 0.99}


def ranked(**settings: Any) -> Any:
    """Run a fake compressor that ranks documents by their first word, and fails on one."""
    return run("deer", RANKED, compressor=FakeCompressor(ranking=RANKING, broken="broken"), **settings)


async def test_rerank() -> None:
    """rerank orders by falling ranking score, stably, with those that have none behind; nothing else changes."""
    plain, outcome = ranked(), ranked(rerank=True)
    assert [one.index for one in plain.returned] == [0, 1, 2, 3, 4, 5]
    assert [one.index for one in outcome.returned] == [3, 1, 4, 0, 2, 5]
    assert all(outcome.report.compressions[one.index] is one.compression for one in outcome.returned)
    assert outcome.report == plain.report
    compressor = FakeCompressor(ranking=RANKING, broken="broken")
    assert await arun("deer", RANKED, compressor=compressor, rerank=True) == outcome


@pytest.mark.parametrize("n", [1, 3, 5, 6, 100])
def test_top_n(n: int) -> None:
    """top_n keeps the first n of the order; the rest is dropped, in the order of input, beside what did not pass."""
    everything, outcome = ranked(rerank=True), ranked(rerank=True, top_n=n)
    assert outcome.returned == everything.returned[:n]
    left = {one.index for one in outcome.returned}
    assert outcome.report.dropped_ids == tuple(f"id{index}" for index in range(len(RANKED)) if index not in left)
    assert outcome.report.compressions == everything.report.compressions


def test_top_n_saves_whole_documents() -> None:
    """The report's total counts a document that top_n left out as wholly saved; its compression stays as it was."""
    count = TokenCounter()
    report = ranked(rerank=True, top_n=2).report
    after = sum(count(one) for one in ("c deer", "b deer"))
    assert report.savings == Savings(sum(count(one) for one in RANKED), after)
    assert report.compressions[0].savings.saved == 0


def test_order_without_ranking(caplog: pytest.LogCaptureFixture) -> None:
    """Where the checkpoint ranks nothing, rerank and top_n move and cut nothing, said once an adapter."""
    runner, ids = Runner(), ["a", "b", "c"]
    for _ in range(2):
        outcome = runner.run(Settings(compressor=FakeCompressor(), rerank=True, top_n=1), QUERY, TEXTS, ids)
        assert [one.index for one in outcome.returned] == [0, 2]
        assert outcome.report.dropped_ids == ("b",)
        assert outcome.report.savings == run().report.savings
    [record] = caplog.records
    assert "fake-model gave no document a ranking score" in record.getMessage()


def test_nothing_to_rank(caplog: pytest.LogCaptureFixture) -> None:
    """Failed documents alone are no sign of a missing ranking head: all come back in order, and nothing is said."""
    texts = ["broken deer", "broken too"]
    compressor = FakeCompressor(ranking=RANKING, broken="broken")
    outcome = run("deer", texts, compressor=compressor, rerank=True, top_n=1)
    assert [one.index for one in outcome.returned] == [0, 1]
    assert outcome.report.dropped_ids == ()
    assert not caplog.records


@pytest.mark.parametrize(("query", "failure"), [(" ", None), ("deer", RuntimeError("no memory"))])
async def test_top_n_without_a_result(query: str, failure: Exception | None) -> None:
    """For a blank query and after a failure all documents come back as they are, whatever top_n says."""
    settings: dict[str, Any] = {"compressor": FakeCompressor(failure=failure), "rerank": True, "top_n": 1}
    for outcome in (run(query, **settings), await arun(query, **settings)):
        assert [one.index for one in outcome.returned] == [0, 1, 2]
        assert all(one.compression is None for one in outcome.returned)
        assert outcome.report.dropped_ids == ()


def test_documents_without_text() -> None:
    """A document without a text is not sent to the model, keeps its place, and with rerank follows the ranked."""
    texts = [None, "a deer", None, "b deer"]
    ids = ["w", "x", "y", "z"]
    compressor = FakeCompressor(ranking=RANKING)
    for settings, places in (
        ({}, [0, 1, 2, 3]),
        ({"rerank": True}, [3, 1, 0, 2]),
        ({"rerank": True, "top_n": 3}, [3, 1, 0]),
    ):
        outcome = Runner().run(Settings(compressor=compressor, **settings), "deer", texts, ids)
        assert [one.index for one in outcome.returned] == places
        assert len(outcome.report.compressions) == 2
    assert outcome.report.dropped_ids == ("y",)
    assert compressor.calls == [["a deer", "b deer"]] * 3


async def test_on_report_is_called_once() -> None:
    """on_report gets the outcome's report exactly once a call: success, failure, blank query, no documents."""
    for settings in ({}, {"failure": RuntimeError("x")}, {"query": " "}, {"texts": []}):
        for call in (run, arun):
            seen: list[Report] = []
            failure = settings.get("failure")
            options = {name: value for name, value in settings.items() if name != "failure"}
            outcome = call(compressor=FakeCompressor(failure=failure), on_report=seen.append, **options)
            outcome = await outcome if call is arun else outcome
            assert seen == [outcome.report]


def test_failing_on_report(caplog: pytest.LogCaptureFixture) -> None:
    """What on_report raises is logged and loses no document."""

    def fail(report: Report) -> None:
        raise ZeroDivisionError

    assert len(run(on_report=fail).report.compressions) == len(TEXTS)
    assert "on_report raised" in caplog.text


async def test_no_documents() -> None:
    """No documents: no model call, and savings of nothing in the right encoding."""
    compressor = FakeCompressor(encoding="cl100k_base")
    for outcome in (run(texts=[], compressor=compressor), await arun(texts=[], compressor=compressor)):
        assert outcome.report == Report(QUERY, (), Savings(0, 0, "cl100k_base"))
    assert not compressor.calls


@pytest.mark.parametrize("query", ["", " \n\u3000"])
async def test_blank_query(query: str) -> None:
    """A blank query calls no model and is reported; it is no failure, even with on_error="raise"."""
    compressor = FakeCompressor()
    for outcome in (
        run(query, compressor=compressor, on_error="raise"),
        await arun(query, compressor=compressor, on_error="raise"),
    ):
        assert not compressor.calls
        assert "query is blank" in outcome.report.error
        assert outcome.report.compressions == ()
        outcome.check()


@pytest.mark.parametrize("failure", [RuntimeError("no memory"), PanicException("index out of bounds")])
async def test_failure_is_kept(failure: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """With on_error="keep" a failure of the whole call is logged and reported, and nothing is raised."""
    compressor = FakeCompressor(failure=failure)
    for outcome in (run(compressor=compressor), await arun(compressor=compressor)):
        outcome.check()
        assert outcome.report.compressions == ()
        assert outcome.report.savings == Savings(0, 0)
        assert str(failure) in outcome.report.error
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("failure", "error"), [(RuntimeError("no memory"), RuntimeError), (PanicException("out of bounds"), Error)]
)
async def test_failure_is_raised(failure: BaseException, error: type[Exception]) -> None:
    """With on_error="raise" the failure is reported and then raised, always as an Exception."""
    seen: list[Report] = []
    options: dict[str, Any] = {"on_error": "raise", "on_report": seen.append}
    compressor = FakeCompressor(failure=failure)
    for outcome in (run(compressor=compressor, **options), await arun(compressor=compressor, **options)):
        with pytest.raises(error, match=str(failure)):
            outcome.check()
    assert len(seen) == 2


def test_failed_document() -> None:
    """One failed document comes back whole beside the others; with on_error="raise" it is named."""
    compressor = FakeCompressor(broken="rained")
    texts = ["A deer. No more", "It rained", "A deer runs"]
    kept = run(texts=texts, compressor=compressor)
    kept.check()
    assert [one.status for one in kept.report.compressions] == ["compressed", "error", "unchanged"]
    with pytest.raises(Error, match=r"documents\[1\] could not be compressed: error: ValueError: broken"):
        run(texts=texts, compressor=compressor, on_error="raise").check()


def test_wrong_number_of_results() -> None:
    """A compressor that loses documents is a failure, so that no document gets another's result."""

    class Lossy(FakeCompressor):
        def compress(self, *arguments: Any, **options: Any) -> list[Compression]:
            return super().compress(*arguments, **options)[1:]

    assert "2 results for 3 documents" in run(compressor=Lossy()).report.error


@pytest.mark.parametrize(
    "stop", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit, concurrent.futures.CancelledError]
)
async def test_stopping_passes(stop: type[BaseException]) -> None:
    """What stops a task or the process is never swallowed."""
    with pytest.raises(stop):
        run(compressor=FakeCompressor(failure=stop()))
    if stop is asyncio.CancelledError:  # the others would stop the event loop of this test
        with pytest.raises(stop):
            await arun(compressor=FakeCompressor(failure=stop()))


@pytest.mark.parametrize("on_error", ["keep", "raise"])
@pytest.mark.parametrize(
    ("wrong", "error"),
    [({"model": "/no/such/folder"}, CheckpointError), ({"model": "no such/name"}, CheckpointError),
     ({"device": "cuda:99"}, DeviceError)],
)  # fmt: skip
async def test_what_is_configured_wrong_is_raised(
    on_error: str, wrong: dict[str, str], error: type[Exception]
) -> None:
    """A checkpoint or device that is not there is raised at first use, and not before, whatever `on_error` says."""
    seen: list[Report] = []
    settings = Settings(**wrong, on_error=on_error, on_report=seen.append)
    Runner().run(settings, QUERY, [], []).check()
    Runner().run(settings, " ", TEXTS, IDS).check()
    for outcome in (Runner().run(settings, QUERY, TEXTS, IDS), await Runner().arun(settings, QUERY, TEXTS, IDS)):
        with pytest.raises(error):
            outcome.check()
    assert [one.error.split(":")[0] for one in seen[2:]] == [error.__name__] * 2
    with pytest.raises(error):
        Runner().check(settings)


def test_what_a_policy_cannot_be_is_told_at_once() -> None:
    """Fields that cannot stand beside the compressor's own policy are refused when the adapter is made."""
    budget = FakeCompressor(policy=Threshold(0.5) & TokenBudget(9))
    with pytest.raises(ValueError, match="a TokenBudget cannot stand inside"):
        Settings(compressor=budget, policy="Default() | TopK(1)")


def test_a_check_reads_a_document(tiny: Compressor) -> None:
    """`check` passes where a document can be read, and raises what keeps the model from it."""
    Runner().check(Settings(compressor=tiny))
    Runner().check(Settings(compressor=tiny, timeout=60.0, max_total_tokens=5))
    with pytest.raises(RuntimeError, match="no memory"):
        Runner().check(Settings(compressor=FakeCompressor(failure=RuntimeError("no memory"))))
    with pytest.raises(Error, match="fake-model is loaded and cannot read a document: error: ValueError: broken"):
        Runner().check(Settings(compressor=FakeCompressor(broken="It is here")))


async def test_loading_does_not_block_the_loop() -> None:
    """The event loop goes on while the weights load."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticking = asyncio.create_task(tick())
    outcome = await Runner().arun(Settings(encoding="o200k_harmony"), "Who?", ["Ann. It rained."], ["a"])
    ticking.cancel()
    assert outcome.report.error is None
    assert ticks >= 3


async def test_cancelling() -> None:
    """A cancelled call ends with CancelledError at once, and reports nothing."""

    class Slow(FakeCompressor):
        async def acompress(self, *arguments: Any, **options: Any) -> list[Compression]:
            await asyncio.sleep(60)
            raise AssertionError

    seen: list[Report] = []
    task = asyncio.create_task(arun(compressor=Slow(), on_report=seen.append))
    await asyncio.sleep(0.01)
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 5
    assert not seen


@pytest.mark.parametrize("threshold", [None, 0.25])
def test_metadata(threshold: float | None) -> None:
    """Metadata is to_dict() without any text, with the model's name and the threshold, in JSON types."""
    outcome = run(threshold=threshold)
    compression = outcome.report.compressions[0]
    data = outcome.metadata(compression)
    assert json.loads(json.dumps(data)) == data
    assert data["threshold"] == (threshold or 0.5)
    assert data["model"] == "fake-model"
    assert data["spans"] == [[0, 17]]
    assert data["sentences"][0] == {"start": 0, "end": 17, "score": 0.9, "kept": True}
    assert set(data) == set(compression.to_dict()) - {"text"} | {"model", "threshold"}


def test_metadata_without_one_threshold() -> None:
    """A policy that is not one threshold has the threshold None."""
    outcome = run(compressor=FakeCompressor(policy=Threshold(0.5) | TopK(1)))
    assert outcome.metadata(outcome.report.compressions[0])["threshold"] is None


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("/home/ann/models/pruner", "pruner"),
        ("/cache/hub/models--owner--pruner/snapshots/0a1b2c", "owner/pruner"),
        ("models/pruner/", "pruner"),
    ],
)
def test_checkpoint_name(folder: str, name: str) -> None:
    """A checkpoint is named after its folder or its hub id, never by a path of this machine."""
    assert checkpoint_name(Path(folder)) == name


@pytest.mark.parametrize(
    ("name", "folder", "model"),
    [
        ("secateurs-xsmall", None, None),
        ("secateurs-xsmall", "/home/ann/secateurs-xsmall", "/home/ann/secateurs-xsmall"),
        ("owner/pruner", "/cache/hub/models--owner--pruner/snapshots/0a1b2c", "owner/pruner"),
        ("owner/pruner", None, "owner/pruner"),
        ("pruner", "/home/ann/models/pruner", "/home/ann/models/pruner"),
        ("127.0.0.1:8080", None, "remote:127.0.0.1:8080"),
        ("pruner", None, "remote:pruner"),
        ("../../home/ann", None, "remote:../../home/ann"),
        ("/etc/pruner", None, "remote:/etc/pruner"),
    ],
)
def test_what_loads_the_same_checkpoint(name: str, folder: str | None, model: str | None) -> None:
    """A compressor is written down as what loads its checkpoint: a hub id, or its folder on this machine."""
    assert model_of(name, None if folder is None else Path(folder)) == model
    named = FakeCompressor(name=name)
    if folder is not None:
        named.checkpoint = Path(folder)
    assert Settings(compressor=named).portable()["model"] == model


def test_bundled_model_name() -> None:
    """The bundled model has its name before it is loaded and after."""
    outcome = Runner().run(Settings(threshold=0.5), "Who?", ["Ann wrote it. It rained."], ["a"])
    assert outcome.model == Settings().model_name == "secateurs-xsmall"


def test_copy_metadata() -> None:
    """Metadata is copied deeply, and shallowly where something in it cannot be copied."""
    nested = {"a": [1]}
    copied = copy_metadata(nested)
    assert copied == nested
    assert copied["a"] is not nested["a"]
    locked = {"lock": threading.Lock()}
    assert copy_metadata(locked) == locked
    assert copy_metadata(locked) is not locked


def test_spans_are_json() -> None:
    """Spans become lists, as JSON has no tuples."""
    compression = run().report.compressions[0]
    assert compression.spans == (Span(0, 17),)
    assert report_to_dict(run().report)["compressions"][0]["spans"] == [[0, 17]]


def test_missing_package() -> None:
    """An absent package becomes MissingExtraError with the pip line; a broken one shows its own error."""
    with pytest.raises(MissingExtraError, match=r"pip install 'secateurs\[langchain\]'"):
        raise_missing(
            ModuleNotFoundError("no", name="no_such_package"), "no_such_package", feature="it", extra="langchain"
        )
    broken = ModuleNotFoundError("No module named 'orjson'", name="orjson")
    with pytest.raises(ModuleNotFoundError) as caught:
        raise_missing(broken, "json", feature="it", extra="langchain")
    assert caught.value is broken


@pytest.mark.parametrize(
    ("ours", "blocked", "extra"),
    [
        ("secateurs.langchain", "langchain_core", "langchain"),
        ("secateurs.llama_index", "llama_index", "llama-index"),
    ],
)
def test_missing_framework(ours: str, blocked: str, extra: str) -> None:
    """Without its framework an adapter's module says which extra to install."""
    code = f"import sys; sys.modules[{blocked!r}] = None\ntry:\n import {ours}\nexcept ImportError as e: print(e)"
    assert f"pip install 'secateurs[{extra}]'" in python(code)


@pytest.mark.parametrize(
    ("ours", "others"),
    [
        ("secateurs.adapters.runner", ["torch", "pydantic", "langchain_core", "llama_index"]),
        ("secateurs.langchain", ["torch", "llama_index", "langchain", "langchain_classic", "langchain_community"]),
        ("secateurs.llama_index", ["torch", "langchain_core", "transformers"]),
    ],
)
def test_imports(ours: str, others: list[str]) -> None:
    """Importing an adapter loads its framework's core only: no torch, no other framework."""
    code = f"import {ours}, sys; print([name for name in {others!r} if name in sys.modules])"
    assert python(code).strip() == "[]"


@pytest.mark.parametrize(
    ("ours", "adapter"),
    [("secateurs.langchain", "SecateursCompressor"), ("secateurs.llama_index", "SecateursPostprocessor")],
)
def test_an_adapter_is_light(ours: str, adapter: str) -> None:
    """Making, copying, pickling and serializing an adapter loads no torch."""
    code = f"""
import copy, pickle, sys
from {ours} import {adapter}
one = {adapter}(threshold=0.5, device="cpu")
copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one)), one.model_copy(deep=True), repr(one)
one.model_dump_json()
print("torch" in sys.modules)
"""
    assert python(code).strip() == "False"


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
