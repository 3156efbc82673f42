"""A model that says no number, that raises, that returns what is no scores: only what failed fails, and whole."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from faulty import QUERY, Broken, Faulty, check_only, load_faulty, mixed_documents
from slices import whole

from secateurs import Compression
from secateurs.model.encoders import Batch
from secateurs.model.pruner import Scores

COUNT = 16
SOME = {"one": (5,), "first": (0,), "last": (COUNT - 1,), "some": (2, 3, 9, 13), "all": tuple(range(COUNT))}
NOTHING = [float("nan"), float("-inf")]


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
    return loaded


def compare(broken: Broken, documents: Sequence[str], fault: Callable[[Faulty, Batch], Scores]) -> list[Compression]:
    """Return what the documents come to with a fault; then check that without it the compressor works as ever."""
    broken.module.breaks(fault)
    found = broken.compressor.compress(QUERY, documents)
    broken.module.breaks(None)
    return found


@pytest.mark.parametrize("value", NOTHING)
@pytest.mark.parametrize("where", ["tokens", "one token", "ranking"])
@pytest.mark.parametrize("which", list(SOME))
def test_what_is_no_number_fails_its_own_document(broken: Broken, which: str, where: str, value: float) -> None:
    """NaN or infinity in the scores of one document, of some or of all: those come back whole, the others as ever."""
    bad = SOME[which]
    documents = mixed_documents(COUNT, bad=bad)
    clean = broken.compressor.compress(QUERY, documents)

    def fault(module: Faulty, batch: Batch) -> Scores:
        scores = module.model(batch)
        for index in module.marked(batch):
            window = torch.split(scores.tokens, batch.lengths)[index]
            if where == "tokens":
                window.fill_(value)
            elif where == "one token":
                window[-3] = value
            else:
                assert scores.ranking is not None
                scores.ranking[index] = value
        return scores

    check_only(compare(broken, documents, fault), clean, bad, "not finite")
    check_only(broken.compressor.compress(QUERY, documents), clean, (), "")


class OwnError(Exception):
    """Of somebody else's library."""


class Panic(BaseException):
    """What a Rust library throws: no Exception."""


def wordless() -> BaseException:
    """An error that cannot even be written down."""

    class WordlessError(Exception):
        def __str__(self) -> str:
            raise ValueError("no words")

    return WordlessError()


RAISED: dict[str, Callable[[], BaseException]] = {
    "runtime": lambda: RuntimeError("CUDA error: an illegal memory access"),
    "own": lambda: OwnError("mine"),
    "panic": lambda: Panic("called unwrap on None"),
    "group": lambda: ExceptionGroup("several", [ValueError("a"), OwnError("b")]),
    "stop": lambda: StopIteration(3),
    "timeout": lambda: TimeoutError("of the model's own"),
    "recursion": lambda: RecursionError("too deep"),
    "assertion": lambda: AssertionError(),
    "system": lambda: OSError(5, "Input/output error"),
    "wordless": wordless,
}


@pytest.mark.parametrize("name", list(RAISED))
@pytest.mark.parametrize("call", ["compress", "timeout", "acompress"])
async def test_an_error_of_any_type_is_its_own_documents(broken: Broken, name: str, call: str) -> None:
    """Whatever type a forward pass raises, only the documents it is raised for fail, whichever way they were sent."""
    bad = SOME["some"]
    documents = mixed_documents(COUNT, bad=bad)
    clean = broken.compressor.compress(QUERY, documents)

    def fault(module: Faulty, batch: Batch) -> Scores:
        if module.marked(batch):
            raise RAISED[name]()
        return module.model(batch)

    broken.module.breaks(fault)
    if call == "acompress":
        found = await broken.compressor.acompress(QUERY, documents)
    else:
        found = broken.compressor.compress(QUERY, documents, timeout=60 if call == "timeout" else None)
    check_only(found, clean, bad, type(RAISED[name]()).__name__)
    broken.module.breaks(None)
    check_only(broken.compressor.compress(QUERY, documents), clean, (), "")


def of(tokens: Callable[[torch.Tensor], object], ranking: Callable[[torch.Tensor], object] = lambda x: x) -> object:
    return lambda scores: Scores(tokens(scores.tokens), ranking(scores.ranking))  # type: ignore[arg-type]  # wrong on purpose


WRONG = {
    "nothing": lambda scores: None,
    "a tensor": lambda scores: scores.tokens,
    "a tuple": lambda scores: (scores.tokens, scores.ranking),
    "no tokens": of(lambda x: None),
    "a list": of(lambda x: x.tolist()),
    "numpy": of(lambda x: x.numpy()),
    "short": of(lambda x: x[:-1]),
    "long": of(lambda x: torch.cat((x, x))),
    "batched": of(lambda x: x[None]),
    "empty": of(lambda x: x[:0]),
    "scalar": of(lambda x: x.sum()),
    "two logits": of(lambda x: torch.stack((x, x), 1)),
    "ranking two": of(lambda x: x, lambda x: torch.stack((x, x), 1)),
    "ranking short": of(lambda x: x, lambda x: x[:-1]),
    "ranking list": of(lambda x: x, lambda x: x.tolist()),
    "elsewhere": of(lambda x: x.to("meta")),
    "complex": of(lambda x: x.to(torch.complex64)),
    "sparse": of(lambda x: x.to_sparse()),
}


@pytest.mark.parametrize("name", list(WRONG))
@pytest.mark.parametrize("which", ["some", "all"])
def test_what_is_no_scores_is_an_error(broken: Broken, name: str, which: str) -> None:
    """A model that returns another shape, device or type, or no tensor at all, fails its documents; none shifts."""
    bad = SOME[which]
    documents = mixed_documents(COUNT, bad=bad)
    clean = broken.compressor.compress(QUERY, documents)

    def fault(module: Faulty, batch: Batch) -> Scores:
        scores = module.model(batch)
        return WRONG[name](scores) if module.marked(batch) else scores  # type: ignore[no-any-return, operator]  # wrong on purpose

    check_only(compare(broken, documents, fault), clean, bad, "Error: ")


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_another_precision_is_no_error(broken: Broken, dtype: torch.dtype) -> None:
    """Scores in another precision are read as what they are."""
    documents = mixed_documents(COUNT)
    clean = broken.compressor.compress(QUERY, documents)

    def fault(module: Faulty, batch: Batch) -> Scores:
        scores = module.model(batch)
        return Scores(scores.tokens.to(dtype), scores.ranking)

    found = compare(broken, documents, fault)
    for one, other in zip(found, clean, strict=True):
        assert one.status != "error"
        assert [s.score for s in one.sentences] == pytest.approx([s.score for s in other.sentences], abs=0.02)


STOPS = [KeyboardInterrupt, SystemExit, asyncio.CancelledError, concurrent.futures.CancelledError, GeneratorExit]


@pytest.mark.parametrize("call", [1, 2, 4])
@pytest.mark.parametrize("stop", STOPS)
def test_a_stop_passes_and_leaves_the_compressor_usable(broken: Broken, stop: type[BaseException], call: int) -> None:
    """What ends a program or a task passes through any call, and the next call gives what it always gave."""
    documents = mixed_documents(COUNT, bad=(3,))
    clean = broken.compressor.compress(QUERY, documents)

    def fault(module: Faulty, batch: Batch) -> Scores:
        if module.calls == call:
            raise stop
        if module.marked(batch):
            raise ValueError("so that there are several passes")
        return module.model(batch)

    def awaited() -> object:
        return asyncio.run(broken.compressor.acompress(QUERY, documents))

    limited = lambda: broken.compressor.compress(QUERY, documents, timeout=60)  # noqa: E731 - three of a kind
    for way in (lambda: broken.compressor.compress(QUERY, documents), limited, awaited):
        broken.module.breaks(fault)
        expected = asyncio.CancelledError if stop is concurrent.futures.CancelledError and way is awaited else stop
        with pytest.raises(expected):
            way()
        broken.module.breaks(None)
        check_only(broken.compressor.compress(QUERY, documents), clean, (), "")


def test_an_interrupted_caller_takes_nobody_with_it(broken: Broken) -> None:
    """Documents of others in the pass that was interrupted are scored all the same."""
    documents = [mixed_documents(4, bad=(0,)), *(mixed_documents(n) for n in range(5, 12))]
    clean = [broken.compressor.compress(QUERY, some) for some in documents]
    inside, go = threading.Event(), threading.Event()

    def fault(module: Faulty, batch: Batch) -> Scores:
        if module.calls == 1:
            inside.set()
            go.wait(30)
            raise KeyboardInterrupt
        return module.model(batch)

    broken.module.breaks(fault)
    with concurrent.futures.ThreadPoolExecutor(len(documents)) as pool:
        first = pool.submit(broken.compressor.compress, QUERY, documents[0])
        assert inside.wait(30)
        others = [pool.submit(broken.compressor.compress, QUERY, some) for some in documents[1:]]
        time.sleep(0.1)
        go.set()
        assert isinstance(first.exception(30), KeyboardInterrupt)
        for future, expected in zip(others, clean[1:], strict=True):
            check_only(future.result(30), expected, (), "")


@pytest.mark.parametrize("call", ["compress", "acompress"])
async def test_a_stalled_model_holds_nobody(broken: Broken, call: str) -> None:
    """A caller with a time limit is free in time; those who came meanwhile are served when the model goes on."""
    documents = mixed_documents(6)
    clean = broken.compressor.compress(QUERY, documents)
    go = threading.Event()

    def fault(module: Faulty, batch: Batch) -> Scores:
        if module.calls == 1:
            go.wait(30)
        return module.model(batch)

    broken.module.breaks(fault)
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=r"within 0\.2 seconds"):
        if call == "acompress":
            await broken.compressor.acompress(QUERY, documents, timeout=0.2)
        else:
            broken.compressor.compress(QUERY, documents, timeout=0.2)
    assert time.monotonic() - begin < 10
    waiting = [asyncio.create_task(broken.compressor.acompress(QUERY, documents)) for _ in range(4)]
    await asyncio.sleep(0.1)
    assert not any(task.done() for task in waiting)
    go.set()
    for task in waiting:
        check_only(await asyncio.wait_for(task, 30), clean, (), "")


def cannot_allocate() -> BaseException:
    """The real one: torch asked for more than there can be."""
    try:
        torch.empty(2**55)
    except RuntimeError as error:
        return error.with_traceback(None)
    raise AssertionError("this machine has 128 petabytes")


MEMORY: dict[str, Callable[[], BaseException]] = {
    "cuda": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "driver": lambda: RuntimeError("CUDA error: out of memory"),
    "cublas": lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "mps": lambda: RuntimeError("MPS backend out of memory (MPS allocated: 18.00 GB, max allowed: 18.13 GB)"),
    "cpu": cannot_allocate,
    "python": lambda: MemoryError(),
}


@pytest.mark.sliced
@pytest.mark.parametrize("form", list(MEMORY))
def test_memory_that_runs_out_at_any_pass_costs_no_document(broken: Broken, form: str) -> None:
    """Out of memory at each pass in turn, as long as it holds more than one window: smaller ones replace it."""
    documents = mixed_documents(COUNT)
    clean = broken.compressor.compress(QUERY, documents)

    def at(call: int) -> Callable[[Faulty, Batch], Scores]:
        def fault(module: Faulty, batch: Batch) -> Scores:
            if module.calls == call and len(batch.lengths) > 1:
                raise MEMORY[form]()
            if len(batch.lengths) > 8:
                raise MEMORY["cuda"]()  # so that there are many passes
            return module.model(batch)

        return fault

    call, passes = 1, 1
    while call <= passes:
        broken.module.breaks(at(call))
        found = broken.compressor.compress(QUERY, documents)
        passes = max(passes, broken.module.calls)
        check_only(found, clean, (), "")
        call += 1 if whole() else 4
    assert passes > 10


@pytest.mark.parametrize("form", list(MEMORY))
def test_memory_for_so_many_tokens_only(broken: Broken, form: str) -> None:
    """Passes shrink to what fits, in order; a window that never fits is lost alone and its document names why."""
    documents = mixed_documents(COUNT)
    lengths: list[int] = []
    sizes: list[int] = []

    def look(module: Faulty, batch: Batch) -> Scores:
        lengths.extend(batch.lengths)
        return module.model(batch)

    broken.module.breaks(look)
    clean = broken.compressor.compress(QUERY, documents)
    passes, most = broken.module.calls, max(lengths) - 1

    def fault(module: Faulty, batch: Batch) -> Scores:
        if sum(batch.lengths) > most:
            raise MEMORY[form]()
        sizes.append(sum(batch.lengths))
        return module.model(batch)

    broken.module.breaks(fault)
    found = broken.compressor.compress(QUERY, documents)
    bad = [index for index, one in enumerate(found) if one.status == "error"]
    assert 0 < len(bad) < COUNT
    assert max(sizes) <= most
    check_only(found, clean, bad, type(MEMORY[form]()).__name__)
    broken.module.breaks(None)
    check_only(broken.compressor.compress(QUERY, documents), clean, (), "")
    assert broken.module.calls == passes, "the back-off must not outlast the shortage"


@pytest.mark.parametrize("form", ["cuda", "driver"])
@pytest.mark.parametrize("call", ["compress", "timeout"])
def test_a_failed_pass_keeps_no_tensor(broken: Broken, form: str, call: str) -> None:
    """Nothing of a failed pass is left when the next, smaller one begins, nor afterwards."""
    left: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    def fault(module: Faulty, batch: Batch) -> Scores:
        alive.append(sum(one() is not None for one in left))
        scores = module.model(batch)
        left.append(weakref.ref(scores.tokens))
        if len(batch.lengths) > 2:
            held = scores.tokens
            try:
                raise RuntimeError(f"of {held.shape}")
            except RuntimeError as inner:
                raise MEMORY[form]() from inner
        return scores

    gc.collect()
    gc.disable()  # so that it is no collection that happens to free them
    try:
        broken.module.breaks(fault)
        found = broken.compressor.compress(QUERY, mixed_documents(COUNT), timeout=60 if call == "timeout" else None)
        assert all(one.status != "error" for one in found)
        assert len(alive) > 8
        assert set(alive) == {0}
        assert not any(one() is not None for one in left)
    finally:
        gc.enable()
