"""The OpenAPI document is true: its examples work, its answers look as it says, and no request it allows is a 500."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from serving import Scripted

from secateurs.serve import ServiceSettings, create_app
from secateurs.serve.refusal import refusals

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

from schemathesis.checks import positive_data_acceptance  # noqa: E402 - only where it is installed

WORK = ("/v1/compress", "/v1/highlight", "/v1/rerank", "/v2/rerank")


@pytest.fixture(scope="session")
def document(address: str) -> dict[str, Any]:
    """The OpenAPI document of a running service."""
    found: dict[str, Any] = httpx.get(f"{address}/openapi.json").json()
    return found


@pytest.fixture(scope="session")
def described(address: str) -> Any:
    """The same, as schemathesis reads it."""
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


OPERATIONS = [("post", path) for path in WORK] + [
    ("get", path) for path in ("/v1/models", "/healthz", "/readyz", "/metrics", "/")
]


def ask(described: Any, method: str, path: str, mode: Any, examples: int) -> None:
    """Send requests made from the document, and check that each answer is one it describes.

    What a policy or a pair of tags may be is more than a schema can say: there a right request may be refused.
    """
    unsaid = [positive_data_acceptance] if path in ("/v1/compress", "/v1/highlight") else []

    few = examples < 100  # the same ones each time

    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=few
    )
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        body = case.body if isinstance(case.body, dict) else {}
        if isinstance(body.get("timeout"), float) and 0 < body["timeout"] < 30:
            body["timeout"] = 30.0  # nothing is done in 5e-324 s, and 504 would be right
        case.call_and_validate(excluded_checks=unsaid)

    send()


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_request_is_a_server_error(described, method, path, mode):
    """Requests made from the document, right and wrong, get an answer it describes, and never a 500."""
    if mode is schemathesis.GenerationMode.NEGATIVE and method == "get":
        return  # there is nothing to get wrong
    ask(described, method, path, mode, examples=15)


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("path", WORK)
def test_no_request_of_very_many_is_a_server_error(described, path, mode):
    """The same, with many more requests."""
    ask(described, "post", path, mode, examples=1500)


def schema_of(document: dict[str, Any], path: str, status: str) -> dict[str, Any]:
    """The JSON schema of an answer, with all it refers to."""
    content = document["paths"][path]["post" if path in WORK else "get"]["responses"][status]["content"]
    return {**content["application/json"]["schema"], "components": document["components"]}


@pytest.mark.parametrize("path", WORK)
def test_the_examples_of_requests_are_answered(address, document, path):
    """Every example of a request is answered with 200, in the shape the document gives."""
    examples = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert examples
    validator = Draft202012Validator(schema_of(document, path, "200"))
    for example in examples.values():
        response = httpx.post(f"{address}{path}", json=example["value"])
        assert response.status_code == 200, response.text
        validator.validate(response.json())


@pytest.mark.parametrize("path", ["/v1/models", "/healthz", "/readyz"])
def test_what_is_read_looks_as_the_document_says(address, document, path):
    """Addresses that are only read answer in the shape the document gives."""
    response = httpx.get(f"{address}{path}")
    assert response.status_code == 200
    Draft202012Validator(schema_of(document, path, "200")).validate(response.json())


def test_the_examples_of_answers_fit_their_schemas(document):
    """Every example of an answer is one its own schema allows."""
    checked = 0
    for schema in document["components"]["schemas"].values():
        for example in schema.get("examples", []):
            Draft202012Validator({**schema, "components": document["components"]}).validate(example)
            checked += 1
    assert checked >= 8


@pytest.mark.parametrize("path", WORK)
def test_every_refusal_is_described(document, path):
    """Each address that works names every status it can answer with, all in one shape, 429 with its Retry-After."""
    responses = document["paths"][path]["post"]["responses"]
    described = {str(status) for status in refusals(400, 401, 404, 408, 413, 415, 421, 422, 429, 500, 503, 504)}
    assert set(responses) == {"200", *described}
    for status in described:
        assert responses[status]["content"]["application/json"]["schema"]["$ref"].endswith("/Refused")
    assert "Retry-After" in responses["429"]["headers"]


def test_the_document_says_that_a_key_is_wanted():
    """With a key the document has its scheme, without one it has none."""
    locked = create_app(Scripted(), ServiceSettings(api_key="s3cret")).openapi()
    assert locked["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    assert "securitySchemes" not in create_app(Scripted()).openapi()["components"]
