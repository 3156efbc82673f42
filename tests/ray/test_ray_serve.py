"""The service on Ray Serve: the same HTTP API, from replicas."""

from __future__ import annotations

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from bulk.processes import children

from secateurs import Compressor, Threshold
from secateurs.ray.serve import Arguments, _with_key, application, build
from secateurs.serve import ServiceSettings, create_app

# Serve's own models are written for an older pydantic
pytestmark = pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`:DeprecationWarning")

MILL = "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why."
TIDES = "What causes tides? The pull of the Moon causes most of the motion."
KEY = {"Authorization": "Bearer secret"}


def test_an_application_names_what_serve_needs(tiny_folder):
    """Replicas, cores and GPUs go to Serve as they are; a replica takes more at once than its limit, to refuse it."""
    made = build(Arguments(model=str(tiny_folder), num_replicas="3", num_cpus=0.5, num_gpus=0.25, max_waiting=8))
    deployment = made._bound_deployment
    assert deployment.name == "secateurs"
    assert deployment.num_replicas == 3
    assert deployment.max_ongoing_requests == 72
    assert deployment.ray_actor_options["num_cpus"] == 0.5
    assert deployment.ray_actor_options["num_gpus"] == 0.25
    scaled = build(Arguments(num_replicas="auto"))._bound_deployment
    assert scaled._deployment_config.autoscaling_config is not None


@pytest.mark.parametrize("wrong", [{"modell": "x"}, {"num_gpus": "some"}])
def test_wrong_arguments_are_refused(wrong):
    """A word `serve run` does not know, or a value it cannot use, is an error before anything starts."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Arguments.model_validate(wrong)


@pytest.mark.parametrize("settings", [{"threshold": 2}, {"settings": {"timeout": -1}}])
def test_wrong_settings_are_refused(settings):
    """What a replica could not start with is found before it is started."""
    with pytest.raises(ValueError):
        application(settings=ServiceSettings(**settings.pop("settings", {})), **settings)


def test_the_environments_key_is_wanted(monkeypatch, capsys):
    """Without a key of its own an application has that of SECATEURS_API_KEY; without either it says who gets in."""
    monkeypatch.setenv("SECATEURS_API_KEY", "s3cret\n")
    assert _with_key(ServiceSettings(timeout=3)) == ServiceSettings(timeout=3, api_key="s3cret")
    assert _with_key(ServiceSettings(api_key="own")).api_key == "own"
    build(Arguments())
    application()
    assert capsys.readouterr().err == ""
    for none in ("", " \n"):
        monkeypatch.setenv("SECATEURS_API_KEY", none)
        assert _with_key(ServiceSettings()).api_key is None
    monkeypatch.delenv("SECATEURS_API_KEY")
    capsys.readouterr()
    for made in (lambda: build(Arguments()), application):
        made()
        said = capsys.readouterr().err
        assert "no API key is set: whoever reaches Ray Serve's address can use this service" in said
        assert "SECATEURS_API_KEY" in said
    build(Arguments(api_key="own"))
    assert capsys.readouterr().err == ""


@pytest.fixture(scope="module")
def keyed(local_ray, tiny_folder):
    """A replica started as from a shell, the key in the environment."""
    from ray import serve

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECATEURS_API_KEY", "secret")
        made = build(Arguments(model=str(tiny_folder), num_cpus=0.5))
    serve.run(made, route_prefix="/")
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()


@pytest.mark.slow
def test_a_replica_wants_the_key_of_the_environment(keyed):
    """The key set where the application was built is wanted by its replicas, wherever they run."""
    body = {"query": "Who built the mill?", "documents": [MILL]}
    assert httpx.post(f"{keyed}/v1/compress", json=body, timeout=60).status_code == 401
    assert httpx.post(f"{keyed}/v1/compress", json=body, headers=KEY, timeout=60).status_code == 200


@pytest.fixture(scope="module")
def address(local_ray, tiny_folder):
    """Two replicas behind one address on the loopback device."""
    from ray import serve

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(
        application(
            model=str(tiny_folder),
            threshold=0.95,
            settings=ServiceSettings(api_key="secret"),
            num_replicas=2,
            ray_actor_options={"num_cpus": 0.5},
            health_check_period_s=1,
        ),
        route_prefix="/",
    )
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()


@pytest.mark.slow
def test_the_api_is_that_of_the_service(address, tiny_folder):
    """Answers, refusals and the description are those of `create_app`, whichever replica gives them."""
    compressor = Compressor.from_pretrained(str(tiny_folder), device="cpu", policy=Threshold(0.95))
    with httpx.Client(base_url=address, timeout=60) as client:
        body = {"query": "Who built the mill?", "documents": [MILL, TIDES, ""]}
        answers = [client.post("/v1/compress", json=body, headers=KEY).json() for _ in range(8)]
        results = compressor.compress(body["query"], body["documents"])
        for answer in answers:
            found = answer["documents"]
            assert [one["text"] for one in found] == [one.text for one in results]
            assert [one["savings"] for one in found] == [one.savings.to_dict() for one in results]
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200
        assert client.post("/v1/compress", json=body).status_code == 401
        assert client.post("/v1/compress", content=b"{", headers=KEY).status_code in (400, 415)
        assert client.get("/nothing", headers=KEY).status_code == 404
        settings = ServiceSettings(api_key="secret")
        assert client.get("/openapi.json", headers=KEY).json() == create_app(compressor, settings).openapi()


@pytest.mark.slow
def test_a_killed_replica_is_replaced(address):
    """Callers at once all get their answers; when a replica is killed, later callers do, and a new one comes."""

    def ask(number: int) -> int:
        body = {"query": f"Who built mill {number}?", "documents": [MILL, TIDES]}
        return httpx.post(f"{address}/v1/compress", json=body, headers=KEY, timeout=60).status_code

    with ThreadPoolExecutor(32) as callers:
        assert set(callers.map(ask, range(64))) == {200}
        before = set(children("ServeReplica"))
        assert len(before) == 2
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        time.sleep(2)
        assert set(callers.map(ask, range(64))) == {200}
    deadline = time.monotonic() + 90
    while len(set(children("ServeReplica")) - {victim}) < 2:
        assert time.monotonic() < deadline, "no new replica came"
        time.sleep(0.5)
    assert ask(0) == 200
