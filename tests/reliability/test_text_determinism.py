"""The same input gives the same bytes: again, in another process or locale, at another time, on a sealed machine."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from slices import part
from texts import QUERY, SPECIAL, TEXT, UNICODE
from watchdog import run_python

from secateurs import Compressor, Threshold, TopK

DOCUMENTS = [
    TEXT,
    *UNICODE,
    *(f"{one} It burned. {one}" for one in SPECIAL),
    TEXT.upper(),
    TEXT.lower() + " İIıi ŞşĞğ.",
]
GOLDEN = Path(__file__).parents[1] / "golden" / "zilliz"
PROGRAM = """
import hashlib, json, sys
{before}
from secateurs import Compressor, Policy
query, documents = json.loads(sys.stdin.read())
with Compressor.from_pretrained({model!r}, device="cpu") as compressor:
    results = compressor.compress(query, documents, policy=Policy.parse("Threshold(0.5) | TopK(1)"))
said = [[one.to_dict(), one.policy, one.to_html(), [h.kind for h in one.hidden_characters]] for one in results]
said.append([[h.text for h in one.highlights(0.5) or ()] for one in results])
sys.stdout.buffer.write(hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).hexdigest().encode())
"""
# What a process may find different the next time; the time of day, too, of which no result may know
SETTINGS = {
    "as it is": {},
    "hash seed 0": {"PYTHONHASHSEED": "0"},
    "hash seed 4242": {"PYTHONHASHSEED": "4242"},
    "Turkish": {"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"},
    "POSIX without UTF-8": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "no home, no cache": {"HOME": None, "HF_HOME": None, "XDG_CACHE_HOME": None, "TIKTOKEN_CACHE_DIR": None},
    "one thread": {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
    "another time zone": {"TZ": "Pacific/Kiritimati", "SOURCE_DATE_EPOCH": "0"},
    "optimised": {"PYTHONOPTIMIZE": "2"},
}
SETTINGS["all at once"] = {name: value for setting in SETTINGS.values() for name, value in setting.items()}
_QUICK = ("as it is", "POSIX without UTF-8", "all at once")
# The clocks run backwards, by an hour every time somebody looks
CLOCK = """
import time
_base, _looks = time.time(), [0]
def _jumps():
    _looks[0] += 1
    return _base - 3600.0 * _looks[0]
time.time = time.monotonic = time.perf_counter = _jumps
"""
SEALED = """
import socket
def _refuse(*arguments, **options):
    raise AssertionError("the network was asked for")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = _refuse
"""
# Python's own doors refuse like a read-only file system; what writes past them meets a limit of 0 bytes a file
READ_ONLY = """
import errno, os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def _refuse(event, arguments):
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES
    if event in _CHANGES or (writes and not str(arguments[0]).startswith("/dev/")):
        raise OSError(errno.EROFS, "read-only file system", str(arguments[0]))
sys.addaudithook(_refuse)
try:
    open("probe", "w")
except OSError as error:
    assert error.errno == errno.EROFS
else:
    raise AssertionError("it can be written")
"""


def digest(model: Path | None = GOLDEN, *, texts: int | None = None, before: str = "", **options: object) -> str:
    """Compress in a process of its own, and return the digest of all it said."""
    program = PROGRAM.format(before=before, model=None if model is None else str(model))
    ended = run_python(["-c", program], stdin=json.dumps([QUERY, DOCUMENTS[:texts]]), seconds=100, **options)
    assert (ended.status, ended.stderr) == (0, "")
    assert len(ended.stdout) == 64
    return ended.stdout


@pytest.fixture(scope="module")
def expected() -> str:
    return digest()


@pytest.mark.sliced
def test_a_hundred_times_the_same(tiny):
    """A hundred calls, alone and in company, in this order and that, give equal results to the bit of their bytes."""
    policy = Threshold(0.5) | TopK(1)

    def said(documents: list[str]) -> list[str]:
        return [json.dumps(one.to_dict()) for one in tiny.compress(QUERY, documents, policy=policy)]

    first = said(DOCUMENTS)
    assert all(said(DOCUMENTS) == first for _ in range(part(99)))


@pytest.mark.parametrize(
    "name", [one if one in _QUICK else pytest.param(one, marks=pytest.mark.slow) for one in SETTINGS]
)
def test_another_process_says_the_same(expected, name):
    """Hash seed, locale, home, time zone and Python's own optimisation change no byte of a result."""
    assert digest(env=SETTINGS[name]) == expected


def test_a_clock_that_runs_backwards_changes_nothing(expected):
    """No result depends on a clock, even on one that jumps back whenever it is read."""
    assert digest(before=CLOCK) == expected


@pytest.mark.sliced
def test_without_a_network_the_bundled_model_says_the_same():
    """Where every connection is refused the bundled model loads and counts, and says what it says elsewhere."""
    texts = part(len(DOCUMENTS))
    assert digest(None, texts=texts, before=SEALED, env={"HF_HUB_OFFLINE": None}) == digest(None, texts=texts)


def test_where_nothing_can_be_written_it_says_the_same(expected):
    """On a file system that refuses every write, by Python's doors and by others, results are the same."""
    assert digest(before=READ_ONLY, env={"PYTHONDONTWRITEBYTECODE": "1"}) == expected


def test_a_compressor_made_twice_says_the_same():
    """Two compressors of one checkpoint, and one that was pickled, give equal results."""
    with (
        Compressor.from_pretrained(GOLDEN, device="cpu") as one,
        Compressor.from_pretrained(GOLDEN, device="cpu") as two,
    ):
        again = pickle.loads(pickle.dumps(one))
        results = [compressor.compress(QUERY, DOCUMENTS) for compressor in (one, two, again)]
    assert results[0] == results[1] == results[2]
