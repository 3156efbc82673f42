"""What a small request may cost: products, lists without end, bodies nobody reads, answers nobody waits for."""

from __future__ import annotations

import asyncio
import json
import threading
import time
import tracemalloc
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from serving import MILL, QUERY, Scripted
from test_serve_refusals import GOOD, JSON, check

from secateurs import Compression, Compressor, Savings, Sentence
from secateurs.result.savings import TokenCounter
from secateurs.serve import ServiceSettings, create_app
from secateurs.serve.command import _names
from secateurs.serve.effort import Effort
from secateurs.serve.service import Job, Service
from secateurs.serve.steps import at_every_threshold
from secateurs.serve.validation import refuse_body
from secateurs.support.hosts import check_names, is_ours

KEY = {"Authorization": "Bearer s3cret"}


def peak(work: Callable[[], object]) -> float:
    """Return the megabytes of Python's memory that some work took at its height."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("queries", "texts", "says"),
    [
        (["a"] * 4_000, ["b"] * 4_000, "queries: 4,000 of them"),
        (["a"] * 900, ["b"] * 900, "texts: 810,000 of them"),
        (["a"] * 900, ["b" * 900_000], "texts: 810,000,000 characters, each as often as it is read"),
        (["a" * 20_000], ["b"] * 900, "queries: 18,000,000 characters, each as often as it is read"),
        (["a"] * 2, [["b"] * 600, ["b"] * 600], "texts: 1,200 of them"),
        (["a"] * 500, [["b"]] * 5_000, "texts: 5,000 of them"),
        (["a"], [["b"] * 50_000], "texts: 50,000 of them"),
    ],
)
async def test_a_product_is_refused_before_it_is_built(client, queries, texts, says):
    """Queries times texts are counted, in items and in characters, before one pair is made of them."""
    content = json.dumps({"queries": queries, "texts": texts}).encode()
    tracemalloc.start()
    try:
        response = await client.post("/v1/highlight", content=content, headers=JSON)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    check(response, 413, "too_large", says)
    assert most < 3_000_000 + 12 * len(content)


async def test_a_query_counts_for_each_of_its_documents(client):
    """A long query is read once a document: with many of them it is refused by the product."""
    body = {"query": "who " * 5_000, "documents": ["x"] * 1_000}
    check(await client.post("/v1/compress", json=body), 413, "too_large", "20,000,000 characters")
    check(await client.post("/v1/rerank", json=body), 413, "too_large", "20,000,000 characters")


@pytest.mark.parametrize("path", ["/v1/compress", "/v1/highlight", "/v1/rerank"])
@pytest.mark.parametrize("name", ["documents", "pairs", "queries", "texts"])
async def test_a_list_without_end_is_refused_by_its_length(client, path, name):
    """Two megabytes of zeros are not validated one by one: the list is too long."""
    body = b'{"query":"q","%s":[0%s]}' % (name.encode(), b",0" * 1_000_000)
    began = time.perf_counter()
    response = await client.post(path, content=body, headers=JSON)
    check(response, 413, "too_large", f"{name}: 1,000,001 of them")
    assert time.perf_counter() - began < 3.0  # ten and more, where each had an error of its own


async def test_unknown_fields_are_few(client):
    """A body of a hundred thousand unknown fields is refused by their number."""
    body = {**GOOD, **{f"field {number}": 0 for number in range(100_000)}}
    for path in ("/v1/compress", "/v1/rerank"):
        check(await client.post(path, json=body), 422, "invalid", "the body has 100,002 fields, and 64 is the limit")


async def test_tags_are_few_and_short(client):
    """A tag stands at every match: long ones, and very many, are refused."""
    body = {"queries": [QUERY], "texts": [MILL]}
    long = {**body, "pre_tags": ["<" * 101], "post_tags": [">"]}
    check(await client.post("/v1/highlight", json=long), 422, "invalid", "longer than a tag may be")
    many = {**body, "pre_tags": ["<"] * 101, "post_tags": [">"] * 101}
    check(await client.post("/v1/highlight", json=many), 413, "too_large", "pre_tags: 101 of them")


async def test_a_large_body_is_not_read_on_the_event_loop(serve):
    """A large body is parsed and validated on a thread; a small one where it is."""
    seen: list[str] = []
    client = await serve(Scripted())
    service: Service = client._transport.app.state.service  # type: ignore[attr-defined]  # what the client calls
    read = service.read

    async def watched(size: int, work: Callable[[], object]) -> object:
        def told() -> object:
            seen.append(threading.current_thread().name)
            return work()

        return await read(size, told)

    service.read = watched  # type: ignore[method-assign,assignment]  # to see where the work is done
    for documents in ([MILL], [MILL * 1_000]):
        assert (await client.post("/v1/compress", json={**GOOD, "documents": documents})).status_code == 200
    assert seen[0] == threading.current_thread().name
    assert seen[1].startswith("secateurs-bodies")


async def endless(stop: asyncio.Event, size: int = 8_000_000):
    """A body of which the end does not come."""
    for _ in range(size // 1_000_000):
        yield b" " * 1_000_000
    await stop.wait()


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/openapi.json", "/v1/models", "/metrics", "/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD"])
async def test_no_body_is_read_where_none_is_wanted(serve, path, method):
    """Nothing of a body is read at an address that takes none, nor with a method that has none."""
    client = await serve(Scripted(), api_key="s3cret")

    async def body():
        raise AssertionError("the body was read")
        yield b""

    response = await client.request(method, path, content=body(), headers=KEY)
    served = method == "GET" or (method == "HEAD" and path == "/openapi.json")
    assert response.status_code == (404 if path == "/nothing" else 200 if served else 405)


async def test_bodies_without_a_key_take_no_room(serve):
    """However many unfinished bodies arrive without the key, who has it is let in."""
    client = await serve(Scripted(), api_key="s3cret", body_timeout=30.0)
    stop = asyncio.Event()
    paths = ("/healthz", "/", "/readyz", "/openapi.json", "/v1/compress", "/v1/nothing")
    floods = [asyncio.create_task(client.post(path, content=endless(stop))) for path in paths for _ in range(10)]
    try:
        done, _ = await asyncio.wait(floods, timeout=10)
        assert {flood.result().status_code for flood in done} == {401, 405}
        assert len(done) == len(floods)  # none of them waits for its end
        answer = await client.post("/v1/compress", json={**GOOD, "documents": [MILL * 1_000]}, headers=KEY)
        assert answer.status_code == 200
    finally:
        stop.set()
        await asyncio.gather(*floods, return_exceptions=True)


async def test_large_bodies_keep_no_small_one_out(serve):
    """When no more large bodies may arrive, the next large one is 429, and a small one is answered."""
    client = await serve(Scripted(), max_body=1_000_000, body_timeout=30.0)
    stop = asyncio.Event()
    floods = [asyncio.create_task(client.post("/v1/compress", content=endless(stop, 1_000_000))) for _ in range(20)]
    try:
        done, held = await asyncio.wait(floods, timeout=1)
        assert {flood.result().status_code for flood in done} == {429}
        assert 16 <= len(held) <= 18
        large = {**GOOD, "documents": [MILL * 10_000]}
        check(await client.post("/v1/compress", json=large), 429, "overloaded", "too many large requests")
        assert (await client.post("/v1/compress", json=GOOD)).status_code == 200
    finally:
        stop.set()
        await asyncio.gather(*floods, return_exceptions=True)
    assert (await client.post("/v1/compress", json={**GOOD, "documents": [MILL * 10_000]})).status_code == 200


OURS = [
    "127.0.0.1",
    "127.0.0.1:8080",
    "localhost",
    "LOCALHOST:80",
    "localhost.",
    "app.localhost",
    "[::1]:8080",
    "10.0.0.7",
]
WRONG = [
    "evil.example",
    "evil.example:8080",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "localhost@evil.example",
    "evil.example@localhost",
    "127.0.0.1:8080@evil",
    "",
    "[::1",
    "[::1]x",
    "[evil.example]",
    "127.1",
    "2130706433",
    "localhost:port",
    "localhost:٣",
    "x" * 5000,
]


@pytest.mark.parametrize("path", ["/", "/healthz", "/openapi.json", "/v1/models", "/metrics", "/v1/nothing"])
async def test_another_name_in_host_is_refused(serve, path):
    """A page whose own name leads here (DNS rebinding) reads nothing: its host is 421, whatever it asks for."""
    client = await serve(Scripted(), hosts=("pruner.example",))
    for host in WRONG:
        headers = {"Host": host.encode()}
        check(await client.get(path, headers=headers), 421, "wrong_host", "is not known by that name")
        check(await client.post("/v1/compress", json=GOOD, headers=headers), 421, "wrong_host", "127.0.0.1")
    for host in (*OURS, "pruner.example", "Pruner.Example:443"):
        assert (await client.get("/healthz", headers={"Host": host})).status_code == 200
        assert (await client.post("/v1/compress", json=GOOD, headers={"Host": host})).status_code == 200


async def test_two_hosts_are_none(serve):
    """Two Host headers, of which one is right, are refused."""
    client = await serve(Scripted(), hosts=())
    two = [("Host", "localhost"), ("Host", "evil.example")]
    check(await client.get("/healthz", headers=two), 421, "wrong_host", "is not known by that name")


async def test_any_name_will_do_where_none_was_told(serve):
    """On a network, and where it is mounted, the service has the names that others gave it."""
    client = await serve(Scripted())
    assert (await client.get("/healthz", headers={"Host": "pruner.example"})).status_code == 200


@pytest.mark.parametrize(
    ("host", "address", "allowed", "names"),
    [
        ("127.0.0.1", "127.0.0.1", None, ("127.0.0.1",)),
        ("localhost", "127.0.0.1", None, ("localhost",)),
        ("me.example", "127.0.1.1", None, ("me.example",)),
        ("::1", "::1", None, ()),
        ("0.0.0.0", "0.0.0.0", None, None),
        ("0.0.0.0", "0.0.0.0", ("pruner.example",), ("pruner.example", "0.0.0.0")),
        ("127.0.0.1", "127.0.0.1", ("pruner.example",), ("pruner.example", "127.0.0.1")),
    ],
)
def test_on_loopback_the_command_looks_at_hosts(host, address, allowed, names):
    """`secateurs serve` on loopback, or with --allow-host, answers to its own names; on a network to any."""
    assert _names(host, address, allowed) == names


def test_names_of_hosts_are_names():
    """What no host can be called is a ValueError, in the settings too."""
    assert check_names(["Pruner.Example."]) == {"pruner.example"}
    for wrong in ("", ".", "http://x", "x:80", "a b", "*.example", "ü.example", 3):
        with pytest.raises(ValueError, match="a host must be a name"):
            ServiceSettings(hosts=(wrong,))
    assert not is_ours("é".encode(), frozenset())


@pytest.mark.parametrize("key", ["s3cret ", " s3cret", "s3cret\n", "\ts3cret\r\n"])
async def test_blanks_around_a_key_do_not_count(serve, key):
    """A key read from a file with its line end lets in who sends it, as it is and without."""
    client = await serve(Scripted(), api_key=key)
    assert (await client.get("/v1/models", headers=KEY)).status_code == 200
    check(await client.get("/v1/models", headers={"Authorization": "Bearer other"}), 401, "unauthorized", "API key")
    for wrong in ("s3\ncret", "s3\x00cret", " \n"):
        with pytest.raises(ValueError, match="api_key must be"):
            ServiceSettings(api_key=wrong)


def whole(document: str, sentences: int) -> Compression:
    """A result of many sentences, each with a score of its own."""
    count = TokenCounter()(document)
    size = len(document) // sentences
    found = tuple(
        Sentence(i * size, (i + 1) * size, document[i * size : (i + 1) * size], i / sentences, kept=True)
        for i in range(sentences)
    )
    return Compression(document, document, found, Savings(count, count), "unchanged", "nothing_cut")


class Slow(Scripted):
    """A compressor whose results take long to be shown at every threshold."""

    async def acompress(self, query: str, documents: list[str], **options: object) -> list[Compression]:
        return [whole(document, len(document) // 4) for document in documents]


async def test_an_answer_nobody_waits_for_is_not_made(serve):
    """After a 504 the thread that made the answer is free: what was asked for in vain keeps nobody waiting."""
    client = await serve(Slow(), timeout=0.5)
    service: Service = client._transport.app.state.service  # type: ignore[attr-defined]  # what the client calls
    large = {**GOOD, "documents": ["({[<" * 50_000], "return_steps": True}
    for body in ([large] * 3, [{**GOOD, "documents": ["({[<" * 20_000], "return_steps": True}] * 3):
        answers = await asyncio.gather(*(client.post("/v1/compress", json=one) for one in body))
        for one in answers:
            check(one, 504, "deadline", "not done within 0.5 s")
    for threads in (service._answers, service._large):
        await asyncio.wait_for(asyncio.wrap_future(threads.submit(int)), 2.0)


async def test_large_answers_keep_no_others_waiting(serve):
    """However many large answers are under way, one of ordinary size is made beside them."""
    client = await serve(Slow(), timeout=20.0)
    large = {**GOOD, "documents": ["It rained. " * 60_000], "return_steps": True, "timeout": 5.0}
    floods = [asyncio.create_task(client.post("/v1/compress", json=large)) for _ in range(3)]
    await asyncio.sleep(0.5)
    began = time.perf_counter()
    answer = await client.post("/v1/compress", json={**GOOD, "documents": [MILL * 500]})
    assert answer.status_code == 200
    assert time.perf_counter() - began < 3.0
    for one in await asyncio.gather(*floods):
        assert one.status_code in (200, 504)


def test_one_effort_for_all_documents_of_a_request():
    """A thousand documents that are dear to count get what the request allows, not each what one may."""
    effort, read = Effort(0), 0

    def count(text: str) -> int:
        nonlocal read
        read += len(text)
        return 1 + len(text) // 4

    document = whole("({[<" * 2_000, 2_000)
    found = [at_every_threshold(document, count, effort) for _ in range(60)]
    assert found[0].steps
    assert not found[-1].steps
    assert len(found[-1].kept_up_to) == 2_000  # what costs nothing is there all the same
    assert read < 9_000_000


def test_a_size_is_that_of_every_reading():
    """What waits is measured in bytes, a text as often as it is read."""
    assert Job([("who?", "水车")] * 3, policy=Scripted().policy).size == 3 * (4 + 6)


async def test_the_service_closes_what_it_made(tiny: Compressor):
    """Compressors for other encodings end with the service; the one it was given stays its owner's."""
    app: FastAPI = create_app(tiny)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client,
    ):
        body = {**GOOD, "encoding": "cl100k_base"}
        assert (await client.post("/v1/compress", json=body)).status_code == 200
        (other,) = app.state.service._others.values()
    with pytest.raises(RuntimeError, match="closed"):
        other.compress(QUERY, [MILL])
    assert tiny.compress(QUERY, [MILL])[0].original == MILL


def test_what_is_wrong_is_said_in_short():
    """Whatever a body holds, the sentence about it is short."""
    errors = [{"type": "x", "loc": ("body", "a" * 10**6), "msg": "is wrong", "input": "b" * 10**6}] * 5
    assert len(str(refuse_body(errors, "application/json"))) < 1000
