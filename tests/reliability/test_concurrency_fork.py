"""Fork and spawn: what was loaded before a fork says so in the child, what is loaded after it works, none hangs."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest
from tiny import tiny_checkpoint
from watchdog import run_python

from secateurs import Compressor

# The parent computes on two OpenMP threads and tokenizes in parallel, on its own thread and on the compressor's, then
# forks a child for each way to go on. Ten seconds are the time in which a child that waits for lost threads is found.
PROGRAM = """
import asyncio, os, sys, time, warnings
import torch
from secateurs import Compressor, Threshold
from secateurs.langchain import SecateursCompressor
from secateurs.llama_index import SecateursPostprocessor
from langchain_core.documents import Document
from llama_index.core.schema import NodeWithScore, TextNode

warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on forks with threads: they are the matter here
FOLDER, KEEP = sys.argv[1], Threshold(0.0)
torch.set_num_threads(2)
TEXTS = ["The mill was built in 1842 by Ann Lee. It burned twice. " * 30, *(f"Who built {n}." for n in range(20))]

def load(): return Compressor.from_pretrained(FOLDER, device="cpu")
def scores(results): return [[s.score for s in one.sentences] for one in results]
def flat(rows): return torch.tensor([score for row in rows for score in row])
def near(results): return torch.allclose(flat(results), flat(right), rtol=0, atol=1e-5)
async def awaited(compressor): return await compressor.acompress("who ?", TEXTS, policy=KEEP)
def langchain(): return lc.compress_documents([Document("The mill. It burned.")], "who ?")[0]
def llama(): return li.postprocess_nodes([NodeWithScore(node=TextNode(text="It burned."))], query_str="who ?")[0]

made = load()
lc = SecateursCompressor(model=FOLDER, device="cpu", threshold=0.0)
li = SecateursPostprocessor(model=FOLDER, device="cpu", threshold=0.0)
right = scores(made.compress("who ?", TEXTS, policy=KEEP))
assert near(scores(asyncio.run(awaited(made))))
langchain(), llama()

WAYS = {
    "compress": lambda: made.compress("who ?", TEXTS),
    "compress in time": lambda: made.compress("who ?", TEXTS, timeout=5),
    "acompress": lambda: asyncio.run(awaited(made)),
    "counting": lambda: made.counting("cl100k_base").compress("who ?", TEXTS),
    "close": made.close,
    "new": lambda: near(scores(load().compress("who ?", TEXTS, policy=KEEP))),
    "new, awaited": lambda: near(scores(asyncio.run(awaited(load())))),
    "langchain": lambda: langchain().metadata["secateurs"]["status"],
    "llama": lambda: li and llama().node.metadata["secateurs"]["status"],
}
for way, do in WAYS.items():
    child = os.fork()
    if not child:
        try:
            print(way, "->", do(), flush=True)
        except RuntimeError as error:
            print(way, "-> RuntimeError", str(error), flush=True)
        finally:
            os._exit(0)
    end = time.monotonic() + float(sys.argv[2])
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            print(way, "-> hangs", flush=True)
            os.kill(child, 9)
            os.waitpid(child, 0)
            break
        time.sleep(0.02)
assert near(scores(made.compress("who ?", TEXTS, policy=KEEP)))
print("parent -> fine")
"""

SPAWNED = """
import multiprocessing, pickle, sys
from torch.utils.data import DataLoader
from secateurs import Compressor

FOLDER = sys.argv[2]

class Kept:
    def __init__(self, compressor, texts):
        self.compressor, self.texts = compressor, texts
    def __len__(self):
        return len(self.texts)
    def __getitem__(self, index):
        return self.compressor.compress("who ?", [self.texts[index]])[0].original

class Loading(Kept):
    def __getitem__(self, index):
        if self.compressor is None:
            self.compressor = Compressor.from_pretrained(FOLDER, device="cpu")
        return super().__getitem__(index)

def use(compressor):
    return compressor.compress("who ?", ["Ann Lee."])[0].original

if __name__ == "__main__":
    compressor = Compressor.from_pretrained(FOLDER, device="cpu")
    use(compressor)
    way, texts = sys.argv[1], ["Ann Lee.", "The mill."]
    if way == "loader":
        dataset = Loading(None, texts)
        print(list(DataLoader(dataset, batch_size=None, num_workers=1, multiprocessing_context="fork")))
    elif way == "loader before":
        dataset = Kept(compressor, texts)
        print(list(DataLoader(dataset, batch_size=None, num_workers=1, multiprocessing_context="fork")))
    else:
        with multiprocessing.get_context(way).Pool(1) as pool:
            print(pool.map(use, [compressor]))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, as Linux does")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint whose products are large enough for two threads."""
    return tiny_checkpoint(tmp_path_factory.mktemp("wide"), width=256)


@pytest.mark.watchdog(300)
@pytest.mark.parametrize("parallel", ["true", None], ids=["tokenizers in parallel", "as it comes"])
def test_after_a_fork_all_works_or_says_what_to_do(wide, parallel):
    """A compressor from before the fork is refused at once, a new one and both adapters work, and nothing hangs."""
    env = {"TOKENIZERS_PARALLELISM": parallel, "OMP_NUM_THREADS": "2", "HF_HUB_OFFLINE": "1"}
    ended = run_python(["-c", PROGRAM, str(wide), "30"], seconds=280, env=env)
    assert ended.status == 0, ended.stderr
    said = dict(line.split(" -> ", 1) for line in ended.stdout.splitlines())
    assert "hangs" not in said.values(), said
    for way in ("compress", "compress in time", "acompress", "counting"):
        assert said[way].startswith("RuntimeError this Compressor was loaded in process"), said
        assert "Load one in the child process" in said[way]
    assert said["close"] == "None"
    assert said["new"] == said["new, awaited"] == "True"
    assert said["langchain"] == said["llama"] == "unchanged"
    assert said["parent"] == "fine"


@pytest.mark.watchdog(300)
@pytest.mark.parametrize("way", ["fork", "spawn", "loader", "loader before"])
def test_pools_and_data_loaders_work_or_say_what_to_do(wide, tmp_path, way):
    """A pool pickles what to load, a worker may load its own; one that holds its parent's is told to."""
    program = tmp_path / "program.py"
    program.write_text(SPAWNED, encoding="utf-8")
    ended = run_python([str(program), way, str(wide)], seconds=200, env={"TOKENIZERS_PARALLELISM": "true"})
    if way == "loader before":
        assert ended.status == 1
        assert "Load one in the child process" in ended.stderr
    else:
        assert ended.status == 0, ended.stderr
        assert ended.stdout.strip() == ("['Ann Lee.', 'The mill.']" if way == "loader" else "['Ann Lee.']")


def test_a_copy_of_a_closed_compressor_is_loaded_anew(tiny_folder):
    """Pickled or copied, a compressor is what to load: the copy works after its original was closed."""
    with Compressor.from_pretrained(tiny_folder, device="cpu") as compressor:
        data = pickle.dumps(compressor)
    with pickle.loads(data) as copy:
        assert copy.compress("who ?", ["Ann Lee."])[0].original == "Ann Lee."


LOCKS = """
import os, threading
from secateurs.support.fork import ForkLock
lock, held, over = ForkLock(), threading.Event(), threading.Event()
def hold():
    with lock:
        held.set()
        over.wait()
threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if not child:
    with lock:
        os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
over.set()
"""


def test_a_lock_that_was_held_at_the_fork_is_free_in_the_child():
    """What another thread of the parent held, the child does not wait for."""
    ended = run_python(["-W", "ignore", "-c", LOCKS], seconds=10)
    assert ended == (0, "7\n", "")
