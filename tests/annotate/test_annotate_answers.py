"""A reply is read as it was meant, or set aside with a reason; it never becomes 0 by mistake."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.annotate.agreement import Agreement, compare
from secateurs.annotate.answers import Reason, Reply, UnusableError, parse


def answer(numbers: object, found: object = True, reasoning: object = "because") -> str:
    return json.dumps({"reasoning": reasoning, "answer_found": found, "sentences": numbers})


@pytest.mark.parametrize(
    ("content", "numbers", "reasoning"),
    [
        (answer([2]), {2}, "because"),
        (answer([], found=False), set(), "because"),
        (f"\n{answer([3, 1])}\n ", {1, 3}, "because"),
        (f"```json\n{answer([2])}\n```", {2}, "because"),
        (f"```\n{answer([2])}\n```", {2}, "because"),
        (f"<think>\n1 or 2?\n</think>\n{answer([2])}", {2}, "1 or 2?\n\nbecause"),
        (f"1 or 2?</think>```json\n{answer([2])}\n```", {2}, "1 or 2?\n\nbecause"),
        ('<think>hm</think>{"answer_found": true, "sentences": [1]}', {1}, "hm"),
        (answer([1], reasoning="it says </think> there"), {1}, "it says </think> there"),
        (answer([1], reasoning="I'm sorry to say it was rain"), {1}, "I'm sorry to say it was rain"),
    ],
)
def test_a_good_answer_is_read(content: str, numbers: set[int], reasoning: str) -> None:
    """JSON, plain or in one fence, after a thought or without one."""
    read = parse(Reply(content, finish_reason="stop"), 3)
    assert read.numbers == numbers and read.reasoning == reasoning


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", Reason.empty),
        (" \n", Reason.empty),
        ("<think>hm</think>  ", Reason.empty),
        ("<think>hm", Reason.unclosed_thought),
        (f"<think>hm {answer([1])}", Reason.unclosed_thought),
        (answer([1])[:-1], Reason.not_json),
        (f"Sure! {answer([1])}", Reason.not_json),
        (answer([1]) + answer([2]), Reason.not_json),
        (f"```json\n{answer([1])}\n```\n```json\n{answer([2])}\n```", Reason.not_json),
        (f"```json\n{answer([1])}", Reason.not_json),
        ("No answer", Reason.not_json),
        ("[1]", Reason.wrong_shape),
        ("1", Reason.wrong_shape),
        ("null", Reason.wrong_shape),
        ("{}", Reason.wrong_shape),
        (answer([1], reasoning=None), Reason.wrong_shape),
        (answer(["1"]), Reason.wrong_shape),
        (answer([True]), Reason.wrong_shape),
        (answer([1.0]), Reason.wrong_shape),
        (answer("1"), Reason.wrong_shape),
        (answer(None, found=False), Reason.wrong_shape),
        (answer([1], found="yes"), Reason.wrong_shape),
        (answer([0]), Reason.out_of_range),
        (answer([4]), Reason.out_of_range),
        (answer([-1, 2]), Reason.out_of_range),
        (answer([2, 2]), Reason.duplicate),
        (answer([1], found=False), Reason.contradiction),
        (answer([], found=True), Reason.contradiction),
        (answer([1])[:-1] + ', "answer_found": false, "sentences": []}', Reason.contradiction),
        (answer([], found=False)[:-1] + ', "sentences": []}', Reason.contradiction),
        (answer([0, 1, 2]), Reason.out_of_range),
        (f"{answer([1])} <think>or 2?</think>", Reason.not_json),
        ("No answer. See sentences 1 and 2.", Reason.not_json),
        ("I'm sorry, I can't help with that.", Reason.refusal),
        ("I cannot assist with this request.", Reason.refusal),
        ("As an AI model, I am unable to answer.", Reason.refusal),
        ("抱歉，我无法回答。", Reason.refusal),
        (answer([], found=False, reasoning="I cannot help with this."), Reason.refusal),
        ("[" * 100_000, Reason.not_json),
    ],
)
def test_a_bad_answer_has_its_reason(content: str, reason: Reason) -> None:
    """Cut off, fenced twice, out of range, doubled, contradictory, refused: each is told apart."""
    with pytest.raises(UnusableError) as caught:
        parse(Reply(content), 3)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(answer([1]), finish_reason="length"), Reason.cut_off),
        (Reply(answer([1]), finish_reason="content_filter"), Reason.content_filter),
        (Reply(answer([1]), refusal="No."), Reason.refusal),
        (Reply("", thought="only a thought"), Reason.empty),
    ],
)
def test_a_whole_answer_of_a_stopped_model_is_not_believed(reply: Reply, reason: Reason) -> None:
    """What the server says about an answer counts more than its text."""
    with pytest.raises(UnusableError) as caught:
        parse(reply, 3)
    assert caught.value.reason is reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)
ANSWERS = st.fixed_dictionaries({}, optional={"reasoning": JSON, "answer_found": JSON, "sentences": JSON})


@given(st.text() | ANSWERS.map(json.dumps) | st.lists(st.integers(-1, 6)).map(answer), st.integers(1, 4))
def test_no_reply_is_guessed_at(content: str, shown: int) -> None:
    """Whatever comes, it is either set aside or says itself which of the sentences shown it means."""
    try:
        numbers = parse(Reply(content), shown).numbers
    except UnusableError:
        return
    row = json.loads(content)
    assert sorted(row["sentences"]) == sorted(numbers) and row["answer_found"] is bool(numbers)
    assert all(1 <= number <= shown for number in numbers)


LABELS = st.lists(st.tuples(*[st.sampled_from([0, 1, None])] * 2), max_size=30)


@given(LABELS)
def test_kappa_is_observed_against_expected_agreement(pairs: list[tuple[int | None, int | None]]) -> None:
    """Share and kappa equal their definitions, written out naively."""
    found = compare([one for one, _ in pairs], [other for _, other in pairs])
    known = [(one, other) for one, other in pairs if one is not None and other is not None]
    if not known:
        assert found == Agreement() and found.share is None and found.kappa is None
        return
    observed = sum(one == other for one, other in known) / len(known)
    first, second = (sum(pair[side] for pair in known) / len(known) for side in (0, 1))
    chance = first * second + (1 - first) * (1 - second)
    assert found.share == pytest.approx(observed)
    assert (found.kappa is None) is (chance == 1)
    if found.kappa is not None:
        assert found.kappa == pytest.approx((observed - chance) / (1 - chance))


@given(LABELS, LABELS)
def test_agreements_add_like_their_sentences(one: list, other: list) -> None:
    """Comparing two documents together is comparing each and adding."""
    whole = compare(*([pair[side] for pair in one + other] for side in (0, 1)))
    parts = [compare(*([pair[side] for pair in some] for side in (0, 1))) for some in (one, other)]
    assert whole == parts[0] + parts[1]
