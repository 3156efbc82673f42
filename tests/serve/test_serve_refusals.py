"""What is refused: each with its status, its type and one clear sentence; and the service goes on."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from fastapi import FastAPI
from serving import MILL, QUERY, Scripted

from secateurs import Error, OverloadedError
from secateurs.serve import ServiceSettings, create_app
from secateurs.serve.refusal import encode, refusals

JSON = {"Content-Type": "application/json"}
GOOD = {"query": QUERY, "documents": [MILL]}

WRONG_JSON = [
    (b"{", 400, "bad_json", "not JSON: Expecting property name"),
    (b'{"query": "a", "documents": ["b"]', 400, "bad_json", "at character 33"),
    (b"\xff\xfe{}", 400, "bad_json", "not JSON"),
    (b'{"query": "\xff", "documents": []}', 400, "bad_json", "not JSON in UTF-8"),
    (b"[" * 100_000, 400, "bad_json", "not JSON"),
    (b'{"threshold": 1' + b"0" * 5000 + b"}", 400, "bad_json", "not JSON"),
    (b"", 422, "invalid", "the body is empty"),
    (b"null", 422, "invalid", "must be a JSON object"),
    (b"[1]", 422, "invalid", "must be a JSON object"),
    (b'"text"', 422, "invalid", "must be a JSON object"),
]

WRONG_FIELDS = [
    ({}, "either query and documents, or pairs"),
    ({"query": QUERY}, "either query and documents, or pairs"),
    ({"documents": [MILL]}, "either query and documents, or pairs"),
    ({**GOOD, "documents": [3], "none_as_blank": True}, "documents[0]: must be a string, got 3"),
    ({**GOOD, "documents": [None], "none_as_blank": 1}, "documents[0]: must be a string; none_as_blank reads null"),
    ({"q": QUERY}, "query and documents are missing"),
    ({"q": QUERY}, "q is no field of this request (did you mean query?)"),
    ({"q": QUERY, "documents": [MILL]}, "query is missing: send either query and documents, or pairs; q is no field"),
    ({"query": QUERY, "texts": [MILL]}, "documents is missing: send either query and documents, or pairs; texts"),
    ({"x" * 300: 1, "a\nb": 2, "c": 3, "d": 4}, "... is no field of this request; a b is no field"),
    ({**GOOD, "treshold": 0.5}, "treshold is no field of this request (did you mean threshold?)"),
    ({**GOOD, "neighbours": 101}, "neighbours: must be a number from 0 to 100, or two: before and after, got 101"),
    ({**GOOD, "neighbours": [1]}, "neighbours: must be a number from 0 to 100, or two"),
    ({**GOOD, "neighbours": True}, "neighbours: must be a number from 0 to 100, or two"),
    ({**GOOD, "when_empty": "all"}, "when_empty: Input should be 'drop', 'best' or 'original', got 'all'"),
    ({**GOOD, "top_n": 1}, "top_n needs rerank"),
    ({"pairs": [[QUERY, MILL]], "rerank": True}, "rerank orders the documents of one query"),
    ({**GOOD, "policy": "Threshold(0.5)", "threshold": 0.3}, "policy: threshold=0.3 contradicts policy="),
    ({**GOOD, "pairs": [[QUERY, MILL]]}, "either query and documents, or pairs"),
    ({**GOOD, "query": 3}, "query: must be a string, got 3"),
    ({**GOOD, "query": " \t"}, "query: is blank"),
    ({**GOOD, "query": None}, "query: must be a string, got null"),
    ({**GOOD, "documents": MILL}, "documents: Input should be a valid list, got 'The mill"),
    ({**GOOD, "documents": [MILL, 3, None]}, "documents[1]: must be a string, got 3; documents[2]"),
    ({**GOOD, "documents": list(range(500))}, "and 497 more problems"),
    ({"pairs": [[QUERY, MILL], [QUERY]]}, "pairs[1]: must be a [query, document] pair, got a list"),
    ({"pairs": [["", MILL]]}, "pairs[0]: is blank"),
    ({"pairs": [{"query": QUERY}]}, "pairs[0]: must be a [query, document] pair, got an object"),
    ({**GOOD, "threshold": 1.5}, "threshold: Input should be less than or equal to 1, got 1.5"),
    ({**GOOD, "threshold": "0.5"}, "threshold: Input should be a valid number, got '0.5'"),
    ({**GOOD, "threshold": True}, "threshold: Input should be a valid number, got true"),
    ({**GOOD, "top_k": 0}, "top_k: Input should be greater than or equal to 1"),
    ({**GOOD, "top_k": 1.5}, "top_k: Input should be a valid integer"),
    ({**GOOD, "max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
    ({**GOOD, "max_tokens": 2**63}, "max_tokens: Input should be less than or equal to 9223372036854775807"),
    ({**GOOD, "top_k": 10**400}, "top_k: "),
    ({**GOOD, "max_total_tokens": 2**63}, "max_total_tokens: "),
    ({**GOOD, "max_total_tokens": [5]}, "max_total_tokens: Input should be a valid integer, got a list"),
    ({**GOOD, "encoding": "o300k"}, "encoding: Input should be 'o200k_base'"),
    ({**GOOD, "encoding": "p50k_base"}, "encoding: Input should be 'o200k_base'"),
    ({**GOOD, "timeout": 0}, "timeout: Input should be greater than 0"),
    ({**GOOD, "return_scores": 1}, "return_scores: Input should be a valid boolean"),
    ({**GOOD, "treshold": 0.5}, "treshold is no field of this request"),
    ({**GOOD, "two\nlines": 0.5}, "two lines is no field of this request"),
    ({**GOOD, "x" * 300: 0.5}, "... is no field of this request"),
    ({**GOOD, "policy": "Treshold(1)"}, "policy: not a policy: 'Treshold(1)'"),
    ({**GOOD, "policy": "open('/etc/passwd')"}, "policy: not a policy"),
]


def check(response, status: int, kind: str, says: str) -> None:
    """Check a refusal: its status, its type, one line that says what is wrong, and the headers of every answer."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["type"] == kind
    assert says in error["message"]
    assert "\n" not in error["message"]
    assert len(error["message"]) < 1000
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("content", "status", "kind", "says"), WRONG_JSON)
async def test_a_body_that_is_no_json_object(client, content, status, kind, says):
    """A body that is not a JSON object is refused with where it stops being one, and the next one is answered."""
    check(await client.post("/v1/compress", content=content, headers=JSON), status, kind, says)
    assert (await client.post("/v1/compress", json=GOOD)).status_code == 200


@pytest.mark.parametrize(("body", "says"), WRONG_FIELDS)
async def test_a_field_that_is_wrong(client, body, says):
    """A field that is missing, unknown, of the wrong type or out of range is 422, by its name and with its value."""
    check(await client.post("/v1/compress", json=body), 422, "invalid", says)


@pytest.mark.parametrize(
    "number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-0.1", b"1.0000001"], ids=lambda raw: raw.decode()
)
async def test_a_number_that_is_no_probability(client, number):
    """What JSON parsers take for a number and is no probability is refused."""
    content = b'{"query": "a", "documents": ["b"], "threshold": ' + number + b"}"
    check(await client.post("/v1/compress", content=content, headers=JSON), 422, "invalid", "threshold: ")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
async def test_a_body_that_is_not_called_json(client, kind):
    """A page of another site can send no JSON without asking: other types are 415."""
    headers = {"Content-Type": kind} if kind else {}
    response = await client.post("/v1/compress", content=json.dumps(GOOD).encode(), headers=headers)
    check(response, 415, "not_json", "send application/json")


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/v1/compress", {**GOOD, "documents": ["x"] * 10_000}, "documents: 10,000 of them, and 1,000 is the limit"),
        ("/v1/compress", {"pairs": [["a", "b"]] * 1_001}, "pairs: 1,001 of them"),
        ("/v1/compress", {**GOOD, "documents": ["", "x" * 1_000_001]}, "documents[1] has 1,000,001 characters"),
        ("/v1/compress", {**GOOD, "query": "x" * 20_001}, "the query of documents[0] has 20,001 characters"),
        ("/v1/highlight", {"queries": ["a"] * 60, "texts": ["b"] * 20}, "texts: 1,200 of them"),
        ("/v1/highlight", {"queries": ["a"] * 2, "texts": ["b", "x" * 1_000_001]}, "texts[1] has 1,000,001"),
        ("/v1/highlight", {"queries": ["a"] * 2, "texts": [["b"] * 3, ["x" * 1_000_001]]}, "texts[1][0] has 1,0"),
        ("/v1/rerank", {**GOOD, "documents": ["x"] * 1_001}, "documents: 1,001 of them"),
    ],
)
async def test_more_than_a_request_may_hold(client, path, body, says):
    """Too many documents, or too long ones, are 413 with the limit, and where in the request they stand."""
    check(await client.post(path, json=body), 413, "too_large", says)


async def test_a_body_that_is_too_large(client):
    """A body over the limit is 413, whatever is in it."""
    check(await client.post("/v1/compress", content=b"x" * 8_388_609, headers=JSON), 413, "too_large", "8,388,608")


@pytest.mark.parametrize("path", ["/v1/compress", "/v1/rerank"])
@pytest.mark.parametrize("model", ["gpt-5", "../../etc/passwd", "hotchpotch/open-provence-reranker-v1", "\ud800"])
async def test_another_model_than_the_one_served(client, tiny, path, model):
    """A model is never loaded for a request: any other name is 404, the right one is answered."""
    content = json.dumps({**GOOD, "model": model})
    check(await client.post(path, content=content, headers=JSON), 404, "unknown_model", "is not served here")
    assert (await client.post(path, json={**GOOD, "model": tiny.checkpoint.name})).status_code == 200


async def test_an_address_or_method_that_is_none(client):
    """Unknown addresses are 404, wrong methods 405 with the right one, in the same shape as every refusal."""
    check(await client.get("/v1/nothing"), 404, "not_found", "GET /openapi.json")
    check(await client.get("/docs"), 404, "not_found", "nothing at this address")
    response = await client.get("/v1/compress")
    check(response, 405, "wrong_method", "GET is not possible here")
    assert response.headers["allow"] == "POST"


async def test_a_whole_number_may_have_a_point(client):
    """3.0 is 3 in JSON, and 3.5 is no number of sentences."""
    assert (await client.post("/v1/compress", json={**GOOD, "top_k": 3.0})).status_code == 200
    check(await client.post("/v1/compress", json={**GOOD, "top_k": 3.5}), 422, "invalid", "top_k: ")


async def test_a_key_is_wanted_where_there_is_one(serve, tiny):
    """Without the right key everything but the page and the health checks is 401; with it all is answered."""
    client = await serve(tiny, api_key="s3cret")
    for key in (None, "Bearer wrong", "Bearer s3cret2", "Bearer ", "s3cret", "Basic s3cret", "Bearer \xe9"):
        headers = {} if key is None else {"Authorization": key.encode("latin-1")}
        for path in ("/v1/models", "/metrics", "/v1/nothing"):
            response = await client.get(path, headers=headers)
            check(response, 401, "unauthorized", "API key is missing or wrong")
            assert response.headers["www-authenticate"] == "Bearer"
        check(await client.post("/v1/compress", json=GOOD, headers=headers), 401, "unauthorized", "API key")
    for path in ("/", "/healthz", "/readyz", "/openapi.json"):
        assert (await client.get(path)).status_code == 200
    for key in ("Bearer s3cret", "bearer  s3cret"):
        assert (await client.post("/v1/compress", json=GOOD, headers={"Authorization": key})).status_code == 200


async def test_a_service_can_be_mounted(tiny):
    """Under an address of another application it has the same addresses, open and locked, and counts them alike."""
    outer = FastAPI()
    inner = create_app(tiny, ServiceSettings(api_key="s3cret"))
    outer.mount("/pruner", inner)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(outer), base_url="http://service/pruner") as client:
        assert (await client.get("/healthz")).status_code == 200
        check(await client.get("/v1/models"), 401, "unauthorized", "API key")
        key = {"Authorization": "Bearer s3cret"}
        assert (await client.post("/v1/compress", json=GOOD, headers=key)).status_code == 200
        assert 'address="/v1/compress",status="200"} 1.0' in (await client.get("/metrics", headers=key)).text


async def test_a_key_is_not_shown(serve):
    """Neither the settings' repr nor an answer gives the key away."""
    settings = ServiceSettings(api_key="s3cret")
    assert "s3cret" not in repr(settings)
    client = await serve(Scripted(), api_key="s3cret")
    assert "s3cret" not in (await client.get("/openapi.json")).text


async def test_a_body_is_not_read_without_the_key(serve):
    """Who has no key cannot make the service read a large body."""
    client = await serve(Scripted(), api_key="s3cret")

    async def body():
        yield b"x"
        raise AssertionError("the body was read")

    check(await client.post("/v1/compress", content=body(), headers=JSON), 401, "unauthorized", "API key")


async def test_more_than_can_wait_is_refused(serve):
    """When as many requests wait as may, the next is 429 with Retry-After; once there is room it is answered."""
    compressor = Scripted()
    client = await serve(compressor, max_waiting=2)
    compressor.held = True
    calls = [asyncio.create_task(client.post("/v1/compress", json=GOOD)) for _ in range(2)]
    while compressor.at_once < 2:
        await asyncio.sleep(0.005)
    refused = await client.post("/v1/compress", json=GOOD)
    check(refused, 429, "overloaded", "2 requests are waiting, which is the limit")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    compressor.held = False
    assert [one.status_code for one in await asyncio.gather(*calls)] == [200, 200]
    assert (await client.post("/v1/compress", json=GOOD)).status_code == 200


async def test_a_compressor_that_is_overloaded(serve):
    """The core's own limit reaches the caller as 429 with Retry-After."""
    compressor = Scripted()
    client = await serve(compressor)
    compressor.failure = OverloadedError("20,000,000 encoder tokens are waiting.")
    refused = await client.post("/v1/compress", json=GOOD)
    check(refused, 429, "overloaded", "20,000,000 encoder tokens are waiting")
    assert refused.headers["retry-after"] == "10"


async def test_what_is_not_done_in_time(serve):
    """A request that takes too long is 504, by the service's deadline or the caller's, and its work is given up."""
    compressor = Scripted()
    client = await serve(compressor, timeout=0.2)
    compressor.held = True
    check(await client.post("/v1/compress", json=GOOD), 504, "deadline", "not done within 0.2 s")
    check(await client.post("/v1/rerank", json={**GOOD, "timeout": 0.05}), 504, "deadline", "not done within 0.05 s")
    check(await client.post("/v1/compress", json={**GOOD, "timeout": 99}), 504, "deadline", "within 0.2 s")
    assert compressor.cancelled == 3
    compressor.held = False
    assert (await client.post("/v1/compress", json=GOOD)).status_code == 200


async def test_our_own_failures_are_not_told(serve, caplog):
    """What goes wrong in the service is 500 without its details, which the log has; the next one is answered."""
    compressor = Scripted()
    client = await serve(compressor)
    compressor.failure = RuntimeError("secret path /srv/models")
    response = await client.post("/v1/compress", json=GOOD)
    check(response, 500, "internal", "something went wrong in the service")
    assert "secret" not in response.text
    assert "secret path" in caplog.text
    compressor.failure = None
    assert (await client.post("/v1/compress", json=GOOD)).status_code == 200


async def test_a_model_that_breaks_is_unhealthy(serve):
    """When every document of three requests in a row fails, health checks say so; one that works ends it."""
    client = await serve(Scripted(broken="bad"))
    bad = {**GOOD, "documents": ["bad", "bad too"]}
    for _ in range(2):
        assert (await client.post("/v1/compress", json=bad)).status_code == 200
        assert (await client.get("/healthz")).status_code == 200
    await client.post("/v1/compress", json=bad)
    for path in ("/healthz", "/readyz"):
        check(await client.get(path), 503, "not_ready", "")
    await client.post("/v1/compress", json={**GOOD, "documents": ["bad", "good"]})
    for path in ("/healthz", "/readyz"):
        assert (await client.get(path)).status_code == 200


async def test_pages_of_other_sites_may_not_call_unless_allowed(serve):
    """There is no CORS header by default; an origin that is named gets one, before any key is asked for."""
    asking = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    closed = await serve(Scripted())
    answer = await closed.post("/v1/compress", json=GOOD, headers=asking)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    opened = await serve(Scripted(), allow_origins=("https://app.example",), api_key="s3cret")
    preflight = await opened.options("/v1/compress", headers=asking)
    assert preflight.headers["access-control-allow-origin"] == "https://app.example"
    refused = await opened.post("/v1/compress", json=GOOD, headers=asking)
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"api_key": " "}, ValueError),
        ({"timeout": 0}, ValueError),
        ({"timeout": "60"}, TypeError),
        ({"max_waiting": 0}, ValueError),
        ({"max_body": 1.5}, TypeError),
    ],
)
def test_settings_that_are_wrong(wrong, error):
    """A limit that is none is found before the service starts."""
    with pytest.raises(error):
        ServiceSettings(**wrong)


def test_refusals_are_json_whatever_they_quote():
    """An error that quotes half a surrogate pair is valid UTF-8 all the same."""
    assert json.loads(encode({"message": "\ud800 é"}).decode("utf-8")) == {"message": "\ud800 é"}


def test_the_table_of_refusals_is_complete():
    """Every status of the package's table is described for the OpenAPI document, but those of unknown addresses."""
    import secateurs.serve

    named = {int(line.split()[0]) for line in (secateurs.serve.__doc__ or "").splitlines() if line[4:7].isdigit()}
    assert set(refusals(*(named - {405}))) == named - {405}


async def test_a_model_that_does_not_work_does_not_start(serve):
    """A service whose model fails on its first document does not begin, and says why."""
    with pytest.raises(Error, match="scripted failed on its first document: error: ValueError: broken"):
        await serve(Scripted(broken="warm"))


async def test_a_length_that_is_no_length(client):
    """A declared length beyond any body is 413, however many digits it has."""
    headers = {**JSON, "Content-Length": "9" * 5000}
    check(await client.post("/v1/compress", content=b"{}", headers=headers), 413, "too_large", "8,388,608")
