"""`RemoteCompressor`: the compressor's interface over HTTP, verbatim or an error; and the adapters on it."""

from __future__ import annotations

import asyncio
import gc
import json
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import DOCUMENTS, MILL, QUERY, Scripted, running, wait_until

from secateurs import Compressor, Error, Neighbours, OverloadedError, Policy, Threshold, TokenBudget, TopK
from secateurs.adapter_settings import CompressorLike, checkpoint_name
from secateurs.remote import RemoteCompressor, ServicePolicy

NOBODY = "http://127.0.0.1:9"  # the discard port, where nothing listens


@pytest.fixture
def remote(address: str) -> Iterator[RemoteCompressor]:
    with RemoteCompressor(address) as compressor:
        yield compressor


Answer = Callable[[dict[str, Any]], Any]


class Liar(ThreadingHTTPServer):
    """A server that answers as it is told, and counts its connections."""

    daemon_threads = True

    def __init__(self, status: int, answer: Answer) -> None:
        self.status, self.answer, self.connections = status, answer, 0
        super().__init__(("127.0.0.1", 0), Told)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Told(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Liar

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = self.server.answer(body)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def lying(answer: Answer, status: int = 200) -> Iterator[Liar]:
    """Run a server that answers as it is told."""
    with Liar(status, answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def honest(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What a service would answer about documents of one sentence each, changed."""
    documents = []
    for document in body["documents"]:
        entry = {
            "status": "unchanged",
            "reason": "nothing_cut",
            "warnings": [],
            "ranking_score": 0.5,
            "sentences": [{"start": 0, "end": len(document), "score": 0.5, "kept": True}],
            "savings": {"before": 9, "after": 9, "encoding": "o200k_base", "exact": True},
        }
        documents.append({**entry, **changes})
    return {"model": "owner/liar", "default_policy": "Threshold(0.25)", "documents": documents}


@pytest.mark.parametrize(
    "policy",
    [None, Threshold(0.93), Threshold(0.99) | TopK(1), Threshold(0.1) & TokenBudget(12), TopK(1) | Neighbours(1)],
)
async def test_results_are_those_of_the_compressor_itself(remote, tiny: Compressor, policy: Policy | None):
    """What comes over HTTP equals what comes in process: sentences, scores, savings, statuses."""
    expected = tiny.compress(QUERY, DOCUMENTS, policy=policy)
    assert remote.compress(QUERY, DOCUMENTS, policy=policy) == expected
    assert await remote.acompress(QUERY, DOCUMENTS, policy=policy) == expected
    pairs = [(QUERY, DOCUMENTS[0]), ("moon?", DOCUMENTS[1])]
    expected = tiny.compress_pairs(pairs, policy=policy)
    assert remote.compress_pairs(pairs, policy=policy) == expected
    assert await remote.acompress_pairs(pairs, policy=policy) == expected


def test_one_budget_for_all(remote, tiny: Compressor):
    """`max_total_tokens` is spent over the documents together, also over those of many queries."""
    assert remote.compress(QUERY, DOCUMENTS, max_total_tokens=20) == tiny.compress(
        QUERY, DOCUMENTS, max_total_tokens=20
    )
    pairs = [(QUERY, DOCUMENTS[0]), ("moon?", DOCUMENTS[1])]
    assert remote.compress_pairs(pairs, max_total_tokens=9) == tiny.compress_pairs(pairs, max_total_tokens=9)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=())), max_size=4),
    st.text(min_size=1).filter(lambda text: text.strip()),
)
def test_every_text_comes_back_verbatim(address, documents, query):
    """Any text, half surrogate pairs too: sentences are slices of what was sent, and tile it."""
    with RemoteCompressor(address) as remote:
        results = remote.compress(query, documents, policy=Threshold(0.5))
    for document, result in zip(documents, results, strict=True):
        assert result.original is document or result.original == document
        assert "".join(one.text for one in result.sentences) == document
        assert result.text == "".join(one.text for one in result.kept)


def test_a_pair_of_surrogates_stays_two_characters(remote):
    """Two halves that would join into one character on the way still count as two."""
    document = "A mill. " + "\ud83d" + "\ude00" + " It burned."
    result = remote.compress(QUERY, [document], policy=Threshold(0.0))[0]
    assert (result.text, result.sentences[-1].end) == (document, len(document))


def test_another_encoding(remote, tiny: Compressor):
    """`counting` is the same service, counted in another encoding, as in process."""
    with remote.counting("cl100k_base") as other:
        assert other.compress(QUERY, DOCUMENTS) == tiny.counting("cl100k_base").compress(QUERY, DOCUMENTS)


def test_it_is_what_adapters_take(remote, tiny: Compressor):
    """It has the adapters' protocol, and knows the service's name and policy once it has answered."""
    assert isinstance(remote, CompressorLike)
    assert remote.policy == ServicePolicy()
    assert checkpoint_name(remote.checkpoint).startswith("127.0.0.1")
    remote.compress(QUERY, [MILL])
    assert remote.policy == tiny.policy
    assert checkpoint_name(remote.checkpoint) == tiny.checkpoint.name


@pytest.mark.parametrize("name", ["secateurs-xsmall", "owner/pruner", "my-pruner"])
def test_a_checkpoints_name_is_the_services(name):
    """Adapters report the name of the service's checkpoint, a hub id with its owner."""
    with lying(lambda body: {**honest(body), "model": name}) as server, RemoteCompressor(server.url) as remote:
        remote.compress(QUERY, [MILL])
        assert checkpoint_name(remote.checkpoint) == name


def test_a_service_that_changed_its_mind_is_believed():
    """The service's own policy is its to say each time: one learned before is never sent as if it were asked for."""
    asked = []

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body["policy"])
        return {**honest(body), "default_policy": f"Threshold(0.{len(asked)})"}

    with lying(answer) as server, RemoteCompressor(server.url) as remote:
        for _ in range(3):
            remote.compress(QUERY, [MILL], policy=remote.policy)
        assert asked == [None, None, None]
        assert remote.policy == Threshold(0.3)
        remote.compress(QUERY, [MILL], policy=ServicePolicy() & TopK(2))
        assert asked[-1] == "Default() & TopK(2)"


def test_nothing_to_do_asks_nobody():
    """No documents are no request, as in process."""
    with RemoteCompressor(NOBODY) as remote:
        assert (
            remote.compress(QUERY, []) == remote.compress_pairs([]) == asyncio.run(remote.acompress(QUERY, [])) == []
        )


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda c: c.compress(" ", [MILL]), ValueError, "query is blank"),
        (lambda c: c.compress(QUERY, MILL), TypeError, "documents must be a list of strings"),
        (lambda c: c.compress(QUERY, [MILL, 3]), TypeError, r"documents\[1\] must be a string"),
        (lambda c: c.compress_pairs([QUERY]), TypeError, r"pairs\[0\] must be"),
        (lambda c: c.compress(QUERY, [MILL], policy=0.5), TypeError, "policy must be a policy"),
        (lambda c: c.compress(QUERY, [MILL], max_total_tokens=-1), ValueError, "max_total_tokens must be at least"),
        (lambda c: c.compress(QUERY, [MILL], timeout=0), ValueError, "timeout must be more than 0"),
        (lambda c: c.compress(QUERY, [MILL], policy=lambda s, n: []), ValueError, "cannot be sent to a service"),
        (lambda c: asyncio.run(c.acompress("", [MILL])), ValueError, "query is blank"),
    ],
)
def test_wrong_arguments_are_found_here(call, error, says):
    """Wrong arguments raise what `Compressor` raises, before anybody is asked."""
    with RemoteCompressor(NOBODY) as remote, pytest.raises(error, match=says):
        call(remote)


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"base_url": "localhost:8080"}, ValueError, "base_url must be an address"),
        ({"base_url": None}, ValueError, "base_url must be an address"),
        ({"base_url": "http://[::1"}, ValueError, "base_url must be an address"),
        ({"base_url": "http://host:port"}, ValueError, "base_url must be an address"),
        ({"timeout": -1}, ValueError, "timeout must be more than 0"),
        ({"encoding": "o300k"}, ValueError, "unknown encoding"),
        ({"policy": 0.5}, TypeError, "policy must be a policy"),
    ],
)
def test_wrong_settings(settings, error, says):
    """A wrong setting is found when the compressor is made."""
    with pytest.raises(error, match=says):
        RemoteCompressor(**{"base_url": NOBODY, **settings})


def test_a_service_that_is_not_there():
    """Nobody at the address is an Error that says so, awaited or not."""
    with RemoteCompressor(NOBODY) as remote:
        with pytest.raises(Error, match=r"nothing answers at http://127\.0\.0\.1:9"):
            remote.compress(QUERY, [MILL])
        with pytest.raises(Error, match="is the service running there"):
            asyncio.run(remote.acompress(QUERY, [MILL]))


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (401, Error, "answered 401: said so"),
        (404, Error, "answered 404: said so"),
        (413, Error, "answered 413: said so"),
        (422, ValueError, "answered 422: said so"),
        (429, OverloadedError, "answered 429: said so"),
        (500, Error, "answered 500: said so"),
        (504, TimeoutError, "answered 504: said so"),
    ],
)
def test_a_service_that_refuses(status, error, says):
    """Each refusal becomes the error of its kind, with what the service said."""
    refusal = {"error": {"type": "x", "message": "said so"}}
    with lying(lambda body: refusal, status) as server, RemoteCompressor(server.url) as remote:
        with pytest.raises(error, match=says):
            remote.compress(QUERY, [MILL])
        with pytest.raises(error, match=says):
            asyncio.run(remote.acompress(QUERY, [MILL]))


LIES: dict[str, Answer] = {
    "no json": lambda body: b"<html>Welcome</html>",
    "a list": lambda body: [],
    "nothing": lambda body: {},
    "too few": lambda body: {**honest(body), "documents": []},
    "a gap": lambda body: honest(body, sentences=[{"start": 3, "end": 83, "score": 0.5, "kept": True}]),
    "too short": lambda body: honest(body, sentences=[{"start": 0, "end": 3, "score": 0.5, "kept": True}]),
    "too long": lambda body: honest(body, sentences=[{"start": 0, "end": 9999, "score": 0.5, "kept": True}]),
    "backwards": lambda body: honest(body, sentences=[{"start": 83, "end": 0, "score": 0.5, "kept": True}]),
    "no numbers": lambda body: honest(body, sentences=[{"start": "0", "end": None, "score": 0.5, "kept": True}]),
    "no probability": lambda body: honest(body, sentences=[{"start": 0, "end": 83, "score": 1.5, "kept": True}]),
    "not a number": lambda body: honest(
        body, sentences=[{"start": 0, "end": 83, "score": float("nan"), "kept": True}]
    ),
    "an unknown status": lambda body: honest(body, status="shortened"),
    "dropped, with text": lambda body: honest(body, status="dropped"),
    "unchanged, without": lambda body: honest(body, sentences=[{"start": 0, "end": 83, "score": 0.5, "kept": False}]),
    "more tokens than before": lambda body: honest(
        body, savings={"before": 1, "after": 2, "encoding": "o200k_base", "exact": True}
    ),
    "another encoding": lambda body: honest(
        body, savings={"before": 2, "after": 2, "encoding": "p50k_base", "exact": True}
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_does_not_fit(lie):
    """What does not fit the documents that were sent is an Error, never a result."""
    says = r"does not fit what was sent|not this service's"
    with (
        lying(LIES[lie]) as server,
        RemoteCompressor(server.url) as remote,
        pytest.raises(Error, match=says),
    ):
        remote.compress(QUERY, [MILL])


def test_an_answer_in_our_shape_is_taken():
    """The answer the lies above are made from is a good one."""
    with lying(honest) as server, RemoteCompressor(server.url) as remote:
        result = remote.compress(QUERY, [MILL])[0]
    assert (result.text, result.status, result.ranking_score) == (MILL, "unchanged", 0.5)


def test_a_service_that_takes_too_long():
    """A call ends when its time is up, and says so; the service's work ends with it."""
    scripted = Scripted()
    with running(scripted) as url, RemoteCompressor(url, timeout=30) as remote:
        scripted.held = True
        with pytest.raises(TimeoutError, match=r"0\.2 s"):
            remote.compress(QUERY, [MILL], timeout=0.2)
        with pytest.raises(TimeoutError, match=r"0\.2 s"):
            asyncio.run(remote.acompress(QUERY, [MILL], timeout=0.2))
        wait_until(lambda: scripted.at_once == 0)


async def test_a_task_that_is_cancelled_stops_the_services_work():
    """Cancelling the awaited call hangs up, and the service gives the work up."""
    scripted = Scripted()
    with running(scripted) as url, RemoteCompressor(url) as remote:
        scripted.held = True
        call = asyncio.create_task(remote.acompress(QUERY, [MILL]))
        await asyncio.to_thread(wait_until, lambda: scripted.at_once == 1)
        call.cancel()
        await asyncio.to_thread(wait_until, lambda: scripted.cancelled == 1)
        with pytest.raises(asyncio.CancelledError):
            await call


def test_connections_are_used_again():
    """Calls one after another need one connection; so do awaited ones of one loop."""
    with lying(honest) as server, RemoteCompressor(server.url) as remote:
        for _ in range(5):
            remote.compress(QUERY, [MILL])
        assert server.connections == 1

        async def five() -> None:
            for _ in range(5):
                await remote.acompress(QUERY, [MILL])

        asyncio.run(five())
        assert server.connections == 2


def test_it_is_shared_between_threads_and_loops(address, tiny: Compressor):
    """Threads, loops in turn and loops at once all get their own documents' results; nothing stays open."""
    texts = [f"{MILL} Part {number}." for number in range(8)]
    expected = [tiny.compress(QUERY, [text]) for text in texts]
    remote = RemoteCompressor(address)

    async def several() -> list[Any]:
        return await asyncio.gather(*(remote.acompress(QUERY, [text]) for text in texts))

    assert asyncio.run(several()) == expected
    with ThreadPoolExecutor(8) as pool:
        direct = [pool.submit(remote.compress, QUERY, [text]) for text in texts]
        looped = [pool.submit(asyncio.run, several()) for _ in range(3)]
        assert [one.result() for one in direct] == expected
        assert all(one.result() == expected for one in looped)
    assert asyncio.run(several()) == expected
    remote = None
    gc.collect()


def test_it_travels_without_its_connections(remote, tiny: Compressor):
    """Pickled, it is where the service is and how to ask; unpickled, it connects anew."""
    remote.compress(QUERY, [MILL])
    copy = pickle.loads(pickle.dumps(RemoteCompressor(remote.base_url, policy=TopK(1), encoding="o200k_base")))
    with copy:
        assert copy.policy == TopK(1)
        assert copy.compress(QUERY, [MILL]) == tiny.compress(QUERY, [MILL], policy=TopK(1))


def test_the_key_is_sent_and_not_shown():
    """With its key a service answers; the repr does not show it, a copy has it."""
    with running(Scripted(), api_key="s3cret") as url:
        with RemoteCompressor(f"{url}/v1/", "s3cret") as remote:
            assert remote.compress(QUERY, [MILL])[0].text == MILL
            assert "s3cret" not in repr(remote)
            with pickle.loads(pickle.dumps(remote)) as copy:
                assert copy.compress(QUERY, [MILL])[0].text == MILL
        with RemoteCompressor(url, "wrong") as remote, pytest.raises(Error, match="API key is missing or wrong"):
            remote.compress(QUERY, [MILL])


def test_a_closed_one_says_so(address):
    """A closed compressor cannot be used, and closing twice is once."""
    remote = RemoteCompressor(address)
    remote.compress(QUERY, [MILL])
    remote.close()
    remote.close()
    with pytest.raises(RuntimeError, match="is closed"):
        remote.compress(QUERY, [MILL])


def test_a_service_in_front_of_a_service(remote, tiny: Compressor):
    """A remote compressor can itself be served: a gateway answers as the service behind it."""
    with running(remote) as url, RemoteCompressor(url) as second:
        assert second.compress(QUERY, DOCUMENTS) == tiny.compress(QUERY, DOCUMENTS)
        pairs = [(QUERY, DOCUMENTS[0]), ("moon?", DOCUMENTS[1])]
        assert second.compress_pairs(pairs) == tiny.compress_pairs(pairs)
