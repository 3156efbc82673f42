"""Event loops: tasks cancelled, out of time or left behind by their loop harm nobody else and leave nothing."""

from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain_core.documents import Document
from llama_index.core.schema import NodeWithScore, TextNode
from test_concurrency_threads import check_same
from watchdog import run_python

from secateurs import Compression, Compressor
from secateurs.langchain import SecateursCompressor
from secateurs.llama_index import SecateursPostprocessor

TEXTS = [
    f"Ann Lee built mill number {number}. It burned. Nobody knows why. " * (1 + number % 4) for number in range(40)
]


@pytest.fixture(scope="module")
def shared(tiny_folder):
    """One compressor for all, and what it answers to one caller alone."""
    with Compressor.from_pretrained(tiny_folder, device="cpu") as compressor:
        yield compressor, [compressor.compress(f"who {number} ?", [one]) for number, one in enumerate(TEXTS)]


async def storm(compressor: Compressor, right: list[list[Compression]], seed: int) -> list[str]:
    """Call 200 times at once; a third is cancelled at some moment, a third has 1 ms; check what is answered."""
    numbers = random.Random(seed)

    async def call(kind: int) -> str:
        which = numbers.randrange(len(TEXTS))
        timeout = 0.001 if kind == 1 else None
        task = asyncio.ensure_future(compressor.acompress(f"who {which} ?", [TEXTS[which]], timeout=timeout))
        if kind == 2:
            await asyncio.sleep(numbers.random() * 0.1)
            task.cancel()
        try:
            check_same(await task, right[which])
        except asyncio.CancelledError:
            assert kind == 2
            return "cancelled"
        except TimeoutError:
            assert kind == 1
            return "late"
        return "right"

    async with asyncio.timeout(90):
        return await asyncio.gather(*(call(number % 3) for number in range(200)))


def nothing_left(compressor: Compressor) -> bool:
    shared = compressor._scorer._shared
    return shared._worker is None and shared._tokens == 0


def test_storms_on_two_loops_leave_the_others_answers_right(shared):
    """Two loops in two threads share a compressor: what is neither cancelled nor late is right, nothing is left."""
    compressor, right = shared
    with ThreadPoolExecutor(2) as pool:
        said = [*pool.map(lambda seed: asyncio.run(storm(compressor, right, seed)), (1, 2))]
    for one in said:
        assert one[0::3] == ["right"] * len(one[0::3])
        assert "late" in one or "cancelled" in one
    check_same(compressor.compress("who 0 ?", [TEXTS[0]], timeout=30), right[0])
    assert nothing_left(compressor)


def test_a_loop_closed_under_its_calls_harms_no_other(shared, caplog):
    """A loop that is closed while calls are under way takes its own along, without a word on any log."""
    compressor, right = shared
    hold, held = threading.Event(), threading.Event()
    hook = compressor._scorer.model.register_forward_pre_hook(lambda *_: held.set() or (hold.wait(60) and None))
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(compressor.acompress(f"who {n} ?", [TEXTS[n]])) for n in range(8)]

    async def until_held() -> None:
        while not held.is_set():
            await asyncio.sleep(0.005)

    loop.run_until_complete(until_held())
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.close()
    hold.set()
    check_same(compressor.compress("who 9 ?", [TEXTS[9]], timeout=60), right[9])
    hook.remove()
    assert not caplog.records


ENDINGS = {
    "the loop ends": "asyncio.run(first())",
    "the loop is abandoned": "loop = asyncio.new_event_loop(); loop.create_task(many()); "
    "loop.run_until_complete(asyncio.sleep(0.2)); loop.close()",
    "a thread goes on": "threading.Thread(target=lambda: print(len(c.compress('who ?', TEXTS))) ).start()",
    "a thread awaits": "threading.Thread(target=lambda: print(len(asyncio.run(many())))).start(); time.sleep(0.3)",
    "a time limit has passed": "late()",
    "nothing is closed": "c.compress('who ?', TEXTS[:5], timeout=60)",
}

ENDING = """
import asyncio, sys, threading, time, warnings
from secateurs import Compressor
c = Compressor.from_pretrained(sys.argv[1], device="cpu")
TEXTS = [f"Ann Lee {n}. It burned." for n in range(1000)]
async def many(): return await c.acompress("who ?", TEXTS)
async def first():
    asyncio.get_running_loop().create_task(many())
    await asyncio.sleep(0.2)
def late():
    try: c.compress("who ?", TEXTS, timeout=0.1)
    except TimeoutError: print("late")
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_program_ends_while_calls_are_under_way(tiny_folder, ending):
    """However the interpreter ends, it ends: exit status 0, no document lost on the way, no traceback."""
    ended = run_python(["-c", ENDING + ENDINGS[ending], str(tiny_folder)], seconds=100)
    assert ended.status == 0, ended.stderr
    if ending == "the loop is abandoned":  # asyncio's own words on tasks that nobody awaited
        assert "Compressor" not in ended.stderr
    else:
        assert ended.stderr == ""
    if ending.startswith("a thread"):
        assert ended.stdout == "1000\n"


async def test_adapters_in_one_storm_keep_callers_apart(shared):
    """LangChain and LlamaIndex callers at once, some without time or cancelled, get their own documents back."""
    compressor, _ = shared
    patient = {"compressor": compressor, "threshold": 0.0}
    hasty = {**patient, "timeout": 0.001}
    chain = {kind: SecateursCompressor(**kind_of) for kind, kind_of in (("patient", patient), ("hasty", hasty))}
    nodes = {kind: SecateursPostprocessor(**kind_of) for kind, kind_of in (("patient", patient), ("hasty", hasty))}

    async def call(number: int) -> None:
        mine = [f"Caller {number} text {n}. It burned." for n in range(3)]
        kind = "hasty" if number % 4 == 3 else "patient"
        if number % 2:
            documents = [Document(one, metadata={"caller": number}) for one in mine]
            out = await chain[kind].acompress_documents(documents, f"who {number} ?")
            got, whose = [one.page_content for one in out], {one.metadata["caller"] for one in out}
        else:
            given = [NodeWithScore(node=TextNode(text=one, metadata={"caller": number})) for one in mine]
            out = await nodes[kind].apostprocess_nodes(given, query_str=f"who {number} ?")
            got, whose = [one.node.text for one in out], {one.node.metadata["caller"] for one in out}
        assert got == mine
        assert whose == {number}

    async def cancelled(number: int) -> None:
        task = asyncio.create_task(call(number))
        await asyncio.sleep(number % 7 * 0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async with asyncio.timeout(90):
        await asyncio.gather(*(cancelled(n) if n % 5 == 4 else call(n) for n in range(120)))
    inputs = [{"query": f"who {n} ?", "documents": [Document(f"Batch {n}. It burned.")]} for n in range(32)]
    batch = await chain["patient"].as_runnable().abatch(inputs)
    assert [out[0].page_content for out in batch] == [f"Batch {n}. It burned." for n in range(32)]
