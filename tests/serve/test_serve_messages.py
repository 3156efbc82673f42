"""`POST /v1/compress` with messages, and `GET /v1/retrieve/{handle}`: what gateways call."""

from __future__ import annotations

import asyncio
import copy
import json
import tracemalloc
from typing import Any

import pytest
from fake_compressor import FakeCompressor
from serving import Scripted
from test_serve_refusals import JSON, check

from secateurs.errors import OverloadedError
from secateurs.result.savings import TokenCounter
from secateurs.serve import ServiceSettings

RAIN = "It rained over the hills all day. The wind came from the sea. " * 30
DEER = f"{RAIN}A deer crossed the road. {RAIN}"
CALL = {"id": "a", "type": "function", "function": {"name": "read", "arguments": "{}"}}
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": DEER},
    {"role": "user", "content": [{"type": "text", "text": DEER, "cache_control": {"type": "ephemeral"}}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL], "refusal": None},
    {"role": "tool", "tool_call_id": "a", "content": DEER, "name": "read"},
    {"role": "assistant", "content": DEER},
    {"role": "tool", "tool_call_id": "b", "content": "[1, 2, 3]"},
    {
        "role": "user",
        "content": [{"type": "text", "text": "deer?"}, {"type": "image_url", "image_url": {"url": "x"}}],
    },
]


async def ask(client: Any, messages: Any = TALK, **fields: Any) -> dict[str, Any]:
    """The answer to a request that is right."""
    content = json.dumps({"messages": messages, **fields})
    response = await client.post("/v1/compress", content=content, headers=JSON)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def texts(messages: list[dict[str, Any]]) -> list[str]:
    """What an LLM reads of each message."""
    found = []
    for message in messages:
        content = message.get("content") or ""
        found.append(content if isinstance(content, str) else "\n".join(one.get("text", "") for one in content))
    return found


@pytest.fixture
async def fake(serve: Any) -> Any:
    """A client of a service whose compressor keeps what shares a word with the query."""
    return await serve(FakeCompressor())


async def test_results_and_context_are_cut_and_nothing_else_is_touched(fake):
    """Results of tools and earlier words of the user lose what does not answer; every other field is as it was."""
    found = await ask(fake, model="gpt-4o", config={"mode": "ccr"})
    assert [one["index"] for one in found["compressed"]] == [1, 3]
    for before, after in zip(TALK, found["messages"], strict=True):
        assert {**after, "content": None} == {**before, "content": None}
        assert list(after) == list(before)
    kept = texts(found["messages"])
    for index in (0, 2, 4, 5, 6):
        assert found["messages"][index] == TALK[index]
    assert "A deer crossed the road." in kept[1] and "tokens cut]" in kept[1] and len(kept[1]) < len(DEER) / 2
    assert "A deer crossed the road." in kept[3]
    assert found["messages"][1]["content"][0]["cache_control"] == {"type": "ephemeral"}


async def test_the_tokens_are_those_of_the_texts(fake):
    """Before and after are counted on what an LLM reads, notes included; the ratio is kept by original."""
    found = await ask(fake)
    count = TokenCounter()
    assert found["tokens_before"] == sum(map(count, texts(TALK)))
    assert found["tokens_after"] == sum(map(count, texts(found["messages"]))) < found["tokens_before"]
    assert found["tokens_saved"] == found["tokens_before"] - found["tokens_after"] == found["savings"]["saved"]
    assert found["compression_ratio"] == found["tokens_after"] / found["tokens_before"]
    empty = await ask(fake, [])
    assert (empty["messages"], empty["tokens_before"], empty["compression_ratio"]) == ([], 0, 1.0)


async def test_what_was_cut_comes_back_by_its_handle(fake):
    """Each handle gives the very text back; it says nothing of it, and no other string gives anything."""
    found = await ask(fake)
    handles = [one["handle"] for one in found["compressed"]]
    for handle in handles:
        answer = await fake.get(f"/v1/retrieve/{handle}")
        assert answer.json() == {"handle": handle, "original_content": DEER}
        assert answer.headers["content-type"] == "application/json"
        assert len(handle) == 26 and handle not in texts(found["messages"])[3]
    for wrong in ("1", "a" * 26, handles[0][:-1], handles[0].upper(), "..%2f..%2fetc%2fpasswd", "%00", "x" * 5_000):
        check(await fake.get(f"/v1/retrieve/{wrong}"), 404, "not_found", "")


async def test_a_handle_is_told_where_somebody_can_use_it(fake):
    """With `expand` the note names the tool and the handle; results of that tool are never cut."""
    found = await ask(fake, expand="get_back")
    (handle,) = {one["handle"] for one in found["compressed"]}
    assert f'get_back(handle="{handle}") returns all of it' in texts(found["messages"])[3]
    call = {**CALL, "function": {"name": "get_back", "arguments": json.dumps({"handle": handle})}}
    back = [{"role": "assistant", "tool_calls": [call]}, TALK[3], TALK[6]]
    assert (await ask(fake, back, expand="get_back"))["messages"] == back
    assert (await ask(fake, back, exclude=["get_back"]))["compressed"] == []


async def test_originals_are_kept_within_bounds(serve):
    """What takes too much room is forgotten, and all of it after its time, which the list of models says."""
    client = await serve(FakeCompressor(), max_kept_bytes=6_000)
    first, second = [(await ask(client, [{**TALK[3], "content": f"{DEER}{word}"}, TALK[6]])) for word in "ab"]
    check(await client.get(f"/v1/retrieve/{first['compressed'][0]['handle']}"), 404, "not_found", "nothing is kept")
    assert (await client.get(f"/v1/retrieve/{second['compressed'][0]['handle']}")).status_code == 200
    brief = await serve(FakeCompressor(), keep_seconds=0.05)
    found = await ask(brief)
    await asyncio.sleep(0.1)
    check(await brief.get(f"/v1/retrieve/{found['compressed'][0]['handle']}"), 404, "not_found", "or no longer")
    assert (await brief.get("/v1/models")).json()["data"][0]["limits"]["keep_seconds"] == 0.05


async def test_any_text_comes_back_as_it_was(serve):
    """Long originals, and such as no UTF-8 can hold, come back whole, in parts that nobody sees."""
    client = await serve(FakeCompressor(), max_kept_bytes=10_000_000)
    text = f'{RAIN}\ud800 "水车" \\ \x01 deer. ' * 20
    found = await ask(client, [{"role": "tool", "content": text}, TALK[6]])
    answer = await client.get(f"/v1/retrieve/{found['compressed'][0]['handle']}")
    assert json.loads(answer.content)["original_content"] == text


async def test_where_nothing_is_asked_messages_stay(fake):
    """Without a question, a call or a name nothing says what matters: the messages come back as they are."""
    alone = [{"role": "tool", "tool_call_id": "a", "content": DEER}]
    assert (await ask(fake, alone))["messages"] == alone
    assert (await ask(fake, alone, query="deer?"))["compressed"][0]["index"] == 0
    context = await ask(fake, user_context=False)
    assert [one["index"] for one in context["compressed"]] == [3]
    assert (await ask(fake, min_tokens=10_000))["messages"] == TALK


async def test_tokens_are_counted_as_the_reader_counts(serve, tiny):
    """The model that is named is the LLM's, and says the encoding; of an unknown one the service's own counts."""
    client = await serve(tiny)
    for fields, encoding in (
        ({"model": "gpt-4"}, "cl100k_base"),
        ({"model": "openai/gpt-4o"}, "o200k_base"),
        ({"model": "claude-opus-5"}, "o200k_base"),
        ({"model": "gpt-4", "encoding": "o200k_base"}, "o200k_base"),
        ({"model": "davinci"}, "o200k_base"),  # counted in an encoding that is not at hand
    ):
        assert (await ask(client, **fields))["savings"]["encoding"] == encoding


async def test_a_document_that_fails_leaves_its_message(serve):
    """A message that cannot be read comes back whole, and the others are cut; if the call fails, that is a 500."""
    client = await serve(FakeCompressor(broken="unreadable"))
    messages = copy.deepcopy(TALK)
    messages[3]["content"] += " unreadable"
    found = await ask(client, messages)
    assert [one["index"] for one in found["compressed"]] == [1]
    assert found["messages"][3] == messages[3]
    compressor = FakeCompressor()
    client = await serve(compressor)
    compressor.failure = RuntimeError("no")
    check(await client.post("/v1/compress", json={"messages": TALK}), 500, "internal", "")
    compressor.failure = OverloadedError("too much is waiting.")
    check(await client.post("/v1/compress", json={"messages": TALK}), 429, "overloaded", "too much is waiting")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"messages": "x"}, 422, "messages:"),
        ({"messages": [{"role": "user"}, 3]}, 422, "messages[1]: must be an object with a role"),
        ({"messages": [{"role": 3}]}, 422, "messages[0]: must be an object with a role"),
        ({"messages": [], "documents": []}, 422, "messages and documents are both there"),
        ({"messages": [], "query": " "}, 422, "query: is blank"),
        ({"messages": [], "expand": "a b"}, 422, "expand"),
        ({"messages": [], "expand": "\ud800"}, 422, "expand"),
        ({"messages": [], "policy": "Nothing()"}, 422, "policy:"),
        ({"messages": [], "policy": "Threshold(0.5)", "threshold": 0.1}, 422, "contradicts"),
        ({"messages": [{"role": "user"}] * 1_001}, 413, "messages: 1,001 of them"),
        ({"messages": [{"role": "user", "content": [""] * 1_001}]}, 413, "messages' blocks: 1,001 of them"),
        ({"messages": [{"role": "tool", "content": "x " * 500_001}, TALK[6]]}, 413, "messages[0] has 1,000,002"),
        ({"messages": [{"role": "tool", "content": DEER}] * 900, "query": "q " * 10_000}, 413, "the question"),
        (
            {"messages": [{"role": "tool", "content": json.dumps([RAIN[:120]] * 1_001)}, TALK[6]]},
            413,
            "1,001 texts in them",
        ),
    ],
)
async def test_what_is_too_much_or_wrong_is_refused(fake, body, status, message):
    """Wrong messages are 422, too many or too long ones 413, each with what is wrong."""
    response = await fake.post("/v1/compress", content=json.dumps(body), headers=JSON)
    check(response, status, "invalid" if status == 422 else "too_large", message)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "[" * 900 + "]" * 900])
async def test_what_json_cannot_say_again(fake, number):
    """A number that is none is refused before the model is asked, deep nesting too where it cannot be written."""
    content = f'{{"messages":[{{"role":"user","content":"deer?","n":{number}}}]}}'
    response = await fake.post("/v1/compress", content=content, headers=JSON)
    assert response.status_code in ((200,) if number[0] == "[" else (400, 422)), response.text


async def test_a_product_of_messages_is_refused_before_it_is_built(fake):
    """A question of many characters for many messages is refused by its number, in little memory."""
    body = {"messages": [*[{"role": "tool", "content": "x " * 400}] * 1_000], "query": "a " * 10_000}
    content = json.dumps(body).encode()
    tracemalloc.start()
    try:
        response = await fake.post("/v1/compress", content=content, headers=JSON)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    check(response, 413, "too_large", "each as often as it is read")
    assert most < 40e6


async def test_conversations_wait_and_end_as_documents_do(serve):
    """They count among what may wait (429), and have the same deadline (504), after which nothing is made."""
    scripted = Scripted()
    client = await serve(scripted, max_waiting=1)
    scripted.held = True
    first = asyncio.create_task(client.post("/v1/compress", json={"messages": TALK, "timeout": 0.5}))
    while not scripted.at_once:
        await asyncio.sleep(0.005)
    check(await client.post("/v1/compress", json={"messages": TALK}), 429, "overloaded", "1 requests are waiting")
    check(await first, 504, "deadline", "not done within 0.5 s")
    assert (scripted.at_once, scripted.cancelled) == (0, 2)


async def test_the_key_guards_both(serve):
    """Neither conversations nor originals are open to who has no key; counts do not grow with handles."""
    client = await serve(FakeCompressor(), api_key="s3cret")
    key = {"Authorization": "Bearer s3cret"}
    assert (await client.post("/v1/compress", json={"messages": TALK})).status_code == 401
    answer = await client.post("/v1/compress", json={"messages": TALK}, headers=key)
    handle = answer.json()["compressed"][0]["handle"]
    assert (await client.get(f"/v1/retrieve/{handle}")).status_code == 401
    assert (await client.get(f"/v1/retrieve/{handle}", headers=key)).status_code == 200
    counts = (await client.get("/metrics", headers=key)).text
    assert 'address="/v1/retrieve",status="200"' in counts
    assert handle not in counts


async def test_the_exchange_with_litellm(fake):
    """What litellm 1.110.2's guardrail `headroom` sends for a conversation of two turns is answered as it reads it.

    Recorded: it withholds the system's, the model's and the user's last message, joins text blocks, and takes an
    answer only with as many messages, in whose order it puts them back where their roles line up.
    """
    result = {"role": "tool", "tool_call_id": "a", "content": DEER, "name": "read"}
    sent = {
        "messages": [{"role": "user", "content": "deer?"}, result],
        "model": "gpt-4o",
        "config": {"mode": "ccr"},
    }
    response = await fake.post("/v1/compress", json=sent, headers={"x-headroom-affinity": "0" * 64})
    body = response.json()
    assert (response.status_code, len(body["messages"])) == (200, 2)
    assert body["messages"][0] == sent["messages"][0]
    assert body["messages"][1]["content"] == "A deer crossed the road. \n[952 of 967 tokens cut]"
    read = ("tokens_before", "tokens_after", "tokens_saved", "compression_ratio")
    assert [body[name] for name in read] == [970, 18, 952, 18 / 970]
    back = await fake.get(f"/v1/retrieve/{body['compressed'][0]['handle']}", params={"query": "deer"})
    assert back.json()["original_content"] == DEER


@pytest.mark.parametrize("fields", [{"keep_seconds": 0.0}, {"keep_seconds": -1.0}, {"max_kept_bytes": 0}])
def test_bounds_that_are_none(fields):
    """A time or a room of nothing is refused where it is set."""
    with pytest.raises(ValueError, match=next(iter(fields))):
        ServiceSettings(**fields)
