"""The HTTP service on Ray Serve: replicas of the very application that `secateurs serve` runs.

    serve.run(application(num_replicas=2))                                   from Python
    serve run secateurs.ray.serve:build num_replicas=2 num_gpus=1            from a shell, or a Serve config file

Serve spreads requests over replicas, restarts those that die or turn unhealthy, and scales. Inside a replica,
concurrent requests share forward passes of a token budget (`Compressor.acompress`), so that nothing is batched twice.
Limits, refusals and the deadline are the service's, a replica each; `GET /metrics` shows the replica that answers it.
The key is that of `api_key`, else of the environment variable SECATEURS_API_KEY, where the application is built.
"""

# without `from __future__ import annotations`: Serve reads the type of `build`'s argument from its signature

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from secateurs.adapters.choice import Asked, choose
from secateurs.policy import Default, Policy, WhenEmpty
from secateurs.serve import ServiceSettings
from secateurs.serve.command import warn_if_open
from secateurs.support.arguments import check_revision

if TYPE_CHECKING:
    from fastapi import FastAPI
    from ray.serve import Application

_BEYOND = 64  # requests over the limit that a replica takes all the same, to refuse them, or to say how it is


class Arguments(BaseModel):
    """What `serve run secateurs.ray.serve:build` takes, as `name=value`.

    Attributes:
        model: Hub id or folder that every node can reach; None for the bundled model.
        revision: Branch, tag or commit of it on the hub; only of a commit all replicas surely load the same.
        device: `"auto"` takes the GPU that `num_gpus` assigned, else the CPU.
        policy: Which sentences stay where a request does not say, as source; None for the checkpoint's default.
        threshold: Keep sentences with at least this probability where a request does not say.
        top_k: At most this many sentences a document, where a request does not say.
        max_tokens: At most this many LLM tokens a document, where a request does not say.
        when_empty: What becomes of a document in which nothing passes: `"drop"`, `"best"` or `"original"`.
        neighbours: Sentences before and after each kept one that are kept, too; two numbers for before and after.
        elision: What stands where something was cut, such as `"[…]"`.
        max_total_tokens: LLM tokens of all documents of a request together, where it does not say.
        rerank: Whether documents come back by falling ranking score, where a request does not say.
        top_n: With `rerank`, how many come back, where a request does not say.
        distinct: Whether one copy stays of what several documents say, where a request does not say.
        encoding: The tiktoken encoding where a request does not say.
        num_replicas: Replicas; `"auto"` lets Serve scale.
        num_cpus: Cores of a replica.
        num_gpus: GPUs of a replica; a part of one lets replicas share it.
        api_key: What callers must send; None for the environment's SECATEURS_API_KEY, without which all are let in.
        timeout: Seconds a request may take.
        max_waiting: Requests that may wait in a replica; more are refused with 429.
    """

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    revision: str | None = None
    device: str = "auto"
    policy: str | None = None
    threshold: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    when_empty: WhenEmpty | None = None
    neighbours: int | tuple[int, int] | None = None
    elision: str | None = None
    max_total_tokens: int | None = None
    rerank: bool = False
    top_n: int | None = None
    distinct: bool = False
    encoding: str = "o200k_base"
    num_replicas: int | str = 1
    num_cpus: float = 1
    num_gpus: float = 0
    api_key: str | None = None
    timeout: float = 60.0
    max_waiting: int = 64


def _asked(arguments: Arguments) -> Asked:
    return Asked(**{one.name: getattr(arguments, one.name) for one in fields(Asked)})


def build(arguments: Arguments) -> "Application":
    """Return the application, for `serve run` and Serve config files."""
    replicas = arguments.num_replicas
    return application(
        model=arguments.model,
        revision=arguments.revision,
        device=arguments.device,
        policy=choose(_asked(arguments), Default()),
        elision=arguments.elision,
        encoding=arguments.encoding,
        settings=ServiceSettings(
            api_key=arguments.api_key,
            timeout=arguments.timeout,
            max_waiting=arguments.max_waiting,
            max_total_tokens=arguments.max_total_tokens,
            rerank=arguments.rerank,
            top_n=arguments.top_n,
            distinct=arguments.distinct,
        ),
        num_replicas=int(replicas) if str(replicas).isdigit() else replicas,
        ray_actor_options={"num_cpus": arguments.num_cpus, "num_gpus": arguments.num_gpus},
    )


def application(
    *,
    model: str | None = None,
    revision: str | None = None,
    device: str = "auto",
    policy: Policy | str | None = None,
    threshold: float | None = None,
    elision: str | None = None,
    encoding: str = "o200k_base",
    settings: ServiceSettings | None = None,
    **options: Any,
) -> "Application":
    """Return the service as an application for `serve.run`.

    Args:
        model: Hub id or folder that every node can reach; None for the bundled model.
        revision: Branch, tag or commit of it on the hub; only of a commit all replicas surely load the same.
        device: `"auto"` takes the GPU that Ray assigned to the replica, else the CPU.
        policy: Which sentences stay where a request does not say, as a policy or its source; None for the
            checkpoint's default.
        threshold: Keep sentences with at least this probability where a request does not say.
        elision: What stands where something was cut, where a request does not say.
        encoding: The tiktoken encoding where a request does not say.
        settings: Limits, deadline and key of each replica; without a key, that of SECATEURS_API_KEY, where this runs.
        **options: Of `serve.deployment`: `num_replicas`, `autoscaling_config`, `ray_actor_options` ...

    Returns:
        The application; its address is the `route_prefix` given to `serve.run`.

    Raises:
        ValueError: The policy is none, or the threshold is no probability.
    """
    check_revision(revision, model)
    from ray import serve

    settings = _with_key(settings or ServiceSettings())
    chosen = choose(Asked(policy=policy, threshold=threshold), Default())

    def app() -> "FastAPI":
        """Make the application in its replica: a model is loaded where it is used."""
        from secateurs.compressor import Compressor
        from secateurs.serve import create_app

        compressor = Compressor.from_pretrained(
            model,
            revision=revision,
            device=device,
            policy=chosen,
            encoding=encoding,
            elision=elision,
            mapped=False,
        )
        return create_app(compressor, settings)

    # Serve would hold requests back, and so hide from the service how many wait: its own limit shall be the one.
    limits: Mapping[str, Any] = {"max_ongoing_requests": settings.max_waiting + _BEYOND}
    deployment = serve.deployment(name="secateurs", **{**limits, **options})(serve.ingress(app)(_Replica))
    return deployment.bind()


def _with_key(settings: ServiceSettings) -> ServiceSettings:
    """Return settings with the environment's key where they have none; say so where there is none either."""
    if settings.api_key is not None:
        return settings
    key = os.environ.get("SECATEURS_API_KEY", "")
    if key.strip():
        return replace(settings, api_key=key)
    warn_if_open("Ray Serve's address", None)
    return settings


class _Replica:
    """One process with one model."""

    app: Any  # what `app` above made: Serve puts it here

    def check_health(self) -> None:
        """Let Serve replace a replica whose model is broken."""
        if not self.app.state.service.healthy:
            raise RuntimeError("every document of the last requests failed: the model is broken, not the documents.")
