"""What an adapter's fields make of a policy: they narrow it, and what contradicts itself is refused."""

from __future__ import annotations

from typing import Any

import pytest
from fake_compressor import FakeCompressor

from secateurs import Default, Policy, Threshold, ToolOutput, TopK
from secateurs.adapters.agent import AgentSettings
from secateurs.adapters.choice import Asked, change, choose, choose_for_tools, the_threshold
from secateurs.adapters.runner import Runner
from secateurs.adapters.settings import Settings

OPENSEARCH = "Threshold(0.5) | TopK(1) & Threshold(0.05)"
OWN = "Threshold(0.2)"

NARROWED = [
    # own policy, fields, what decides
    (OWN, {}, OWN),
    (OWN, {"threshold": 0.5}, "Threshold(0.5)"),
    (OWN, {"threshold": 0.0}, "Threshold(0.0)"),
    (OWN, {"top_k": 3, "max_tokens": 90}, "Threshold(0.2) & TopK(3) & TokenBudget(90)"),
    (OWN, {"when_empty": "best"}, "Threshold(0.2, when_empty='best')"),
    (OWN, {"when_empty": "best", "max_tokens": 90}, "Threshold(0.2, when_empty='best') & TokenBudget(90)"),
    (OWN, {"neighbours": 1}, "Threshold(0.2) | Neighbours(before=1, after=1)"),
    (OWN, {"neighbours": (1, 0), "top_k": 3}, "(Threshold(0.2) | Neighbours(before=1, after=0)) & TopK(3)"),
    ("Threshold(0.2) | Neighbours(1, 0)", {"threshold": 0.5}, "Threshold(0.5) | Neighbours(1, 0)"),
    ("Threshold(0.2, 'best') & TopK(3)", {"threshold": 0.5}, "Threshold(0.5, 'best') & TopK(3)"),
    ("Threshold(0.2, when_empty='best')", {"when_empty": "drop"}, OWN),
    ("TopK(3)", {"threshold": 0.5}, "TopK(3) & Threshold(0.5)"),
    (OPENSEARCH, {"threshold": 0.3}, "Threshold(0.3) | TopK(1) & Threshold(0.3)"),
    (OPENSEARCH, {"when_empty": "original"}, f"Fallback({OPENSEARCH}, 'original')"),
    (OWN, {"policy": "TopK(2)"}, "TopK(2)"),
    (OWN, {"policy": "Default() | TopK(1)"}, "Threshold(0.2) | TopK(1)"),
    (OWN, {"policy": "Default() | TopK(1)", "threshold": 0.1}, "Threshold(0.1) | TopK(1)"),
    (OWN, {"policy": "Threshold(0.3)", "threshold": 0.5}, "Threshold(0.5)"),
    (OWN, {"policy": "Threshold(0.3) | TopK(1)", "top_k": 3}, "(Threshold(0.3) | TopK(1)) & TopK(3)"),
    (OWN, {"policy": "TokenBudget(90)", "max_tokens": 50}, "TokenBudget(90) & TokenBudget(50)"),
    (OWN, {"policy": "Signals()", "threshold": 0.5}, "Signals() & Threshold(0.5)"),
    (OWN, {"policy": "Threshold(0.3) & TopK(5)", "neighbours": 1},
     "(Threshold(0.3) | Neighbours(before=1, after=1)) & TopK(5)"),
    (OWN, {"policy": "Fallback(TopK(2) & Threshold(0.3), 'best')", "threshold": 0.4},
     "Fallback(TopK(2) & Threshold(0.4), 'best')"),
    (OWN, {"policy": "ToolOutput(90)", "max_tokens": 50, "threshold": 0.4, "when_empty": "best"},
     "ToolOutput(50, when_empty='best', policy=Threshold(0.4) | Signals())"),
]  # fmt: skip


@pytest.mark.parametrize(("own", "fields", "expected"), NARROWED)
def test_fields_narrow_a_policy(own: str, fields: dict[str, Any], expected: str) -> None:
    """The plain fields narrow the policy that was given, else the compressor's own."""
    assert choose(Asked(**fields), Policy.parse(own)) == Policy.parse(expected)
    assert Settings(**fields).choice(Policy.parse(own)) == Policy.parse(expected)


TOOLS = [
    ({}, "ToolOutput(policy=Threshold(0.2) | Signals())"),
    ({"threshold": 0.5}, "ToolOutput(policy=Threshold(0.5) | Signals())"),
    ({"max_tokens": 90}, "ToolOutput(90, policy=Threshold(0.2) | Signals())"),
    ({"max_tokens": 9000}, "ToolOutput(9000, policy=Threshold(0.2) | Signals())"),
    ({"when_empty": "drop"}, "ToolOutput(when_empty='drop', policy=Threshold(0.2) | Signals())"),
    ({"top_k": 3}, "ToolOutput(policy=(Threshold(0.2) | Signals()) & TopK(3))"),
    ({"neighbours": 1, "top_k": 3}, "ToolOutput(policy=(Threshold(0.2) | Signals() | Neighbours(1, 1)) & TopK(3))"),
    ({"policy": "Threshold(0.3)"}, "ToolOutput(None, policy=Threshold(0.3))"),
    ({"policy": "Threshold(0.3) & TokenBudget(90) & TopK(3)"}, "ToolOutput(90, policy=Threshold(0.3) & TopK(3))"),
    ({"policy": "TokenBudget(90)"}, "ToolOutput(90, policy=Threshold(0.0))"),
    ({"policy": "Fallback(TopK(2), 'best')"}, "ToolOutput(None, when_empty='best', policy=TopK(2))"),
    ({"policy": "ToolOutput(90)"}, "ToolOutput(90, policy=Threshold(0.2) | Signals())"),
    ({"policy": "Default() | TopK(1)", "max_tokens": 90}, "ToolOutput(90, policy=Threshold(0.2) | TopK(1))"),
]


@pytest.mark.parametrize(("fields", "expected"), TOOLS)
def test_fields_narrow_a_tools_policy(fields: dict[str, Any], expected: str) -> None:
    """For a tool's output the policy is `ToolOutput()`, or what was given with its care around it."""
    assert choose_for_tools(Asked(**fields), Threshold(0.2)) == Policy.parse(expected)
    assert AgentSettings(**fields).choice(Threshold(0.2)) == Policy.parse(expected)


@pytest.mark.parametrize("kind", [Settings, AgentSettings])
@pytest.mark.parametrize(
    "fields",
    [
        {"policy": "Threshold(0.5)", "threshold": 0.3},
        {"policy": "(Default() | Threshold(0.5)) & TopK(3)", "threshold": 0.3},
        {"policy": "Default() & TopK(2)", "top_k": 3},
        {"policy": "Default() | Neighbours(2, 0)", "neighbours": 1},
        {"policy": "Threshold(0.5, when_empty='best')", "when_empty": "drop"},
        {"policy": "Fallback(TopK(1), 'best')", "when_empty": "original"},
        {"policy": "ToolOutput(when_empty='best')", "when_empty": "drop"},
    ],
)
def test_a_field_that_could_only_widen_a_policy_is_refused(kind: type[Settings], fields: dict[str, Any]) -> None:
    """What contradicts the policy that was given is a ValueError that names both, when the adapter is made."""
    with pytest.raises(ValueError, match=r"contradicts policy=.*Say it in one of the two\."):
        kind(**fields)


def test_a_budget_that_could_only_widen_is_refused() -> None:
    """Beside a budget a larger one is a contradiction; beside `ToolOutput` it takes the budget's place."""
    with pytest.raises(ValueError, match=r"max_tokens=90 contradicts policy=Default\(\) & TokenBudget\(50\)"):
        Settings(policy="Default() & TokenBudget(50)", max_tokens=90)
    assert AgentSettings(policy="ToolOutput(50)", max_tokens=90).choice(Default()).n == 90


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"policy": "Treshold(0.5)"}, ValueError, "not a policy: 'Treshold"),
        ({"policy": 0.5}, TypeError, "policy must be a policy"),
        ({"when_empty": "keep"}, ValueError, "when_empty must be 'drop', 'best' or 'original'"),
        ({"neighbours": -1}, ValueError, "neighbours must be at least 0, got -1"),
        ({"neighbours": (1, 2, 3)}, TypeError, "neighbours must be a number, or two"),
        ({"neighbours": "1"}, TypeError, "neighbours must be a number, or two"),
        ({"neighbours": 1.5}, TypeError, "neighbours must be"),
    ],
)
def test_wrong_fields_are_refused(fields: dict[str, Any], error: type[Exception], message: str) -> None:
    """A field of the wrong type or out of range is an error when the adapter is made."""
    with pytest.raises(error, match=message):
        Settings(**fields)


def test_a_call_may_change_what_was_set_before() -> None:
    """What one call asks for takes the place of what the server was started with, narrower or wider."""
    tool = choose_for_tools(Asked(policy="Threshold(0.5) & TokenBudget(50)"), Threshold(0.2))
    assert change(tool, Asked(threshold=0.3, max_tokens=90)) == ToolOutput(90, policy=Threshold(0.3))
    assert change(tool, Asked()) == tool


def test_a_policy_of_the_users_own_making() -> None:
    """Any callable that decides may be given: it is narrowed like another, and cannot be written down."""

    def everything(sentences: Any, count: Any) -> list[bool]:
        return [True] * len(sentences)

    settings = Settings(policy=everything, top_k=1)  # type: ignore[arg-type]  # it decides like a Policy
    [found] = Runner().run(settings, "deer", ["A deer. It rained. "], ["a"]).report.compressions or [None]
    assert found is None or found.kept
    assert settings.choice(Default())([], len) == []
    with pytest.raises(ValueError, match="cannot be written down"):
        settings.source()
    assert Settings(policy="TopK(1)").source() == "TopK(1)"
    assert Settings().source() is None


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("Threshold(0.3)", 0.3),
        ("Threshold(0.3) & TopK(3) & TokenBudget(9)", 0.3),
        ("(Threshold(0.3) | Signals() | Neighbours(1)) & TopK(3)", 0.3),
        ("ToolOutput(policy=Threshold(0.3) | Signals())", 0.3),
        ("Threshold(0.3) | TopK(1)", None),
        ("Threshold(0.3) | Threshold(0.4)", None),
        ("Default()", None),
    ],
)
def test_the_one_threshold(policy: str, expected: float | None) -> None:
    """What the metadata call the threshold is the one probability scores are compared with, where there is one."""
    assert the_threshold(Policy.parse(policy)) == expected


def test_documents_are_decided_by_the_policy_given() -> None:
    """The policy reaches the compressor, narrowed, and `Default()` in it is that compressor's own."""
    fake = FakeCompressor(policy=Threshold(0.5))
    settings = Settings(compressor=fake, policy=Default() | TopK(1), when_empty="best")
    outcome = Runner().run(settings, "deer", ["It rained. It snowed. ", "A deer. It rained. "], ["a", "b"])
    assert [one.text for one in outcome.report.compressions] == ["It rained. ", "A deer. "]
