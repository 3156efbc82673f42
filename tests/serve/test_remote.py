"""`RemoteCompressor`: the compressor's interface over HTTP, verbatim or an error; and the adapters on it."""

from __future__ import annotations

import asyncio
import gc
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import check_laws, check_same
from lying import NOBODY, honest, lying
from serving import DOCUMENTS, MILL, QUERY, Scripted, running
from structured import ALL

from secateurs import Compression, Compressor, Default, Error, Neighbours, Policy, Threshold, TokenBudget, TopK
from secateurs.adapters.protocol import CompressorLike
from secateurs.remote import RemoteCompressor


@pytest.fixture
def remote(address: str) -> Iterator[RemoteCompressor]:
    with RemoteCompressor(address) as compressor:
        yield compressor


@pytest.mark.parametrize(
    "policy",
    [None, Threshold(0.93), Threshold(0.99) | TopK(1), Threshold(0.1) & TokenBudget(12), TopK(1) | Neighbours(1)],
)
async def test_results_are_those_of_the_compressor_itself(remote, tiny: Compressor, policy: Policy | None):
    """What comes over HTTP equals what comes in process: sentences, scores, savings, statuses."""
    expected = tiny.compress(QUERY, DOCUMENTS, policy=policy)
    check_same(remote.compress(QUERY, DOCUMENTS, policy=policy), expected)
    check_same(await remote.acompress(QUERY, DOCUMENTS, policy=policy), expected)
    pairs = [(QUERY, DOCUMENTS[0]), ("moon?", DOCUMENTS[1])]
    expected = tiny.compress_pairs(pairs, policy=policy)
    check_same(remote.compress_pairs(pairs, policy=policy), expected)
    check_same(await remote.acompress_pairs(pairs, policy=policy), expected)


@pytest.mark.parametrize("elision", [None, "[…]"])
@pytest.mark.parametrize("policy", [TopK(1), TopK(3), Threshold(0.5), Threshold(0.0) & TokenBudget(40)])
async def test_units_are_put_together_as_in_process(address, remote, tiny: Compressor, policy: Policy, elision):
    """Lists, tables, fences, JSON and HTML come back well-formed, with their frames and marks, as in process."""
    expected = tiny.compress(QUERY, ALL, policy=policy, elision=elision)
    found = remote.compress(QUERY, ALL, policy=policy, elision=elision)
    check_same(found, expected)
    assert [one.parts for one in found] == [one.parts for one in expected]
    with RemoteCompressor(address, policy=policy, elision=elision) as own:
        check_same(await own.acompress(QUERY, ALL), expected)
        check_same(await own.acompress_pairs([(QUERY, one) for one in ALL]), expected)
        assert own.elision == pickle.loads(pickle.dumps(own)).elision == own.counting("cl100k_base").elision


def test_an_order_of_the_services_own_is_declined(tiny: Compressor):
    """Results are one a document and in order, every copy kept, whatever the service does for others."""
    texts = [DOCUMENTS[1], MILL, MILL]
    with running(tiny, rerank=True, top_n=1, distinct=True) as url, RemoteCompressor(url) as remote:
        check_same(remote.compress(QUERY, texts), tiny.compress(QUERY, texts))


def test_a_mark_of_the_services_own(tiny_folder):
    """A service made with an elision mark is asked for it, or for another; left out by a caller it is an error."""
    with Compressor.from_pretrained(tiny_folder, device="cpu", elision="[…]") as marking, running(marking) as url:
        for elision in ("[…]", "(...)"):
            with RemoteCompressor(url, elision=elision) as remote:
                found = remote.compress(QUERY, ALL, policy=TopK(1))
            check_same(found, marking.compress(QUERY, ALL, policy=TopK(1), elision=elision))
        with RemoteCompressor(url) as remote, pytest.raises(Error, match=r"elision='\[…\]'"):
            remote.compress(QUERY, ALL)


def test_one_budget_for_all(remote, tiny: Compressor):
    """`max_total_tokens` is spent over the documents together, also over those of many queries."""
    check_same(
        remote.compress(QUERY, DOCUMENTS, max_total_tokens=20),
        tiny.compress(QUERY, DOCUMENTS, max_total_tokens=20),
    )
    pairs = [(QUERY, DOCUMENTS[0]), ("moon?", DOCUMENTS[1])]
    check_same(remote.compress_pairs(pairs, max_total_tokens=9), tiny.compress_pairs(pairs, max_total_tokens=9))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=())), max_size=4),
    st.text(min_size=1).filter(lambda text: text.strip()),
)
def test_every_text_comes_back_verbatim(address, documents, query):
    """Any text, half surrogate pairs too: every law of a result in process holds for one that was sent."""
    with RemoteCompressor(address) as remote:
        results = remote.compress(query, documents, policy=Threshold(0.5))
    for document, result in zip(documents, results, strict=True):
        check_laws(result, document, 0.5)


def test_a_pair_of_surrogates_stays_two_characters(remote):
    """Two halves that would join into one character on the way still count as two."""
    document = "A mill. " + "\ud83d" + "\ude00" + " It burned."
    result = remote.compress(QUERY, [document], policy=Threshold(0.0))[0]
    assert (result.text, result.sentences[-1].end) == (document, len(document))


def test_another_encoding(remote, tiny: Compressor):
    """`counting` is the same service, counted in another encoding, as in process."""
    with remote.counting("cl100k_base") as other:
        check_same(other.compress(QUERY, DOCUMENTS), tiny.counting("cl100k_base").compress(QUERY, DOCUMENTS))


def test_it_is_what_adapters_take(remote, tiny: Compressor):
    """It has the adapters' protocol, and knows the service's name and policy once it has answered."""
    assert isinstance(remote, CompressorLike)
    assert remote.policy == Default()
    assert remote.name.startswith("127.0.0.1")
    remote.compress(QUERY, [MILL])
    assert remote.policy == tiny.policy
    assert remote.name == tiny.name == tiny.checkpoint.name


@pytest.mark.parametrize("name", ["secateurs-xsmall", "owner/pruner", "my-pruner"])
def test_a_checkpoints_name_is_the_services(name):
    """Adapters report the name of the service's checkpoint, a hub id with its owner."""
    with lying(lambda body: {**honest(body), "model": name}) as server, RemoteCompressor(server.url) as remote:
        remote.compress(QUERY, [MILL])
        assert remote.name == name


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
        remote.compress(QUERY, [MILL], policy=Default() & TopK(2))
        assert asked[-1] == "Default() & TopK(2)"


def test_nothing_to_do_asks_nobody():
    """No documents are no request, as in process."""
    with RemoteCompressor(NOBODY) as remote:
        assert (
            remote.compress(QUERY, []) == remote.compress_pairs([]) == asyncio.run(remote.acompress(QUERY, [])) == []
        )


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

    def check(found: list[list[Compression]]) -> None:
        for one, other in zip(found, expected, strict=True):
            check_same(one, other)

    check(asyncio.run(several()))
    with ThreadPoolExecutor(8) as pool:
        direct = [pool.submit(remote.compress, QUERY, [text]) for text in texts]
        looped = [pool.submit(asyncio.run, several()) for _ in range(3)]
        check([one.result() for one in direct])
        for one in looped:
            check(one.result())
    check(asyncio.run(several()))
    remote = None
    gc.collect()


def test_it_travels_without_its_connections(remote, tiny: Compressor):
    """Pickled, it is where the service is and how to ask; unpickled, it connects anew."""
    remote.compress(QUERY, [MILL])
    copy = pickle.loads(pickle.dumps(RemoteCompressor(remote.base_url, policy=TopK(1), encoding="o200k_base")))
    with copy:
        assert copy.policy == TopK(1)
        check_same(copy.compress(QUERY, [MILL]), tiny.compress(QUERY, [MILL], policy=TopK(1)))


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
        check_same(second.compress(QUERY, DOCUMENTS), tiny.compress(QUERY, DOCUMENTS))
        expected = tiny.compress(QUERY, ALL, policy=TopK(2), elision="[…]")
        check_same(second.compress(QUERY, ALL, policy=TopK(2), elision="[…]"), expected)
        pairs = [(QUERY, DOCUMENTS[0]), ("moon?", DOCUMENTS[1])]
        check_same(second.compress_pairs(pairs), tiny.compress_pairs(pairs))


def test_none_is_a_blank_document_where_that_is_said(address):
    """`none_as_blank` is settled here: None is a blank document, also in pairs and after pickling."""
    with RemoteCompressor(address, none_as_blank=True) as made, pickle.loads(pickle.dumps(made)) as again:
        for remote in (made, again):
            for found in (
                remote.compress(QUERY, [None, MILL]),
                remote.compress_pairs([(QUERY, None), (QUERY, MILL)]),
            ):
                assert [one.original for one in found] == ["", MILL]
                assert found[0].reason == "blank"
    with RemoteCompressor(address) as strict, pytest.raises(TypeError, match=r"documents\[0\] must be a string"):
        strict.compress(QUERY, [None])
