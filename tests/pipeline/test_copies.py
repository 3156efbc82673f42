"""One copy across documents: what goes, what it points at, and what never goes."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from functools import partial

import pytest
from growth import LINEAR, grows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import check_laws

from secateurs import Compression, Distinct, Sentence, SourcePlace, Threshold, UnitPlace
from secateurs.pipeline.copies import distinguish, tell
from secateurs.pipeline.cut import cut, leave_whole
from secateurs.pipeline.decide import spend
from secateurs.pipeline.documents import Failed, Scored, each
from secateurs.result.join import Parts
from secateurs.result.savings import TokenCounter
from secateurs.segment import get_cutter

COUNT = TokenCounter("o200k_base")
CUTTER = get_cutter(None)
TOLD = "The mill in Leeds was built by Ann Lee in 1842."
LONG = "After a long winter in that year the council of Leeds sold the old mill to a baker, Ann Lee, for 300 pounds."


def scored(text: str, score: float = 0.9, ranking: float | None = None) -> Scored:
    """A document of which every unit scores the same and stays."""
    parts = Parts(text, tuple(CUTTER(text)))
    units = tuple(
        Sentence(one.start, one.end, text[one.start : one.end], 0.0 if one.pure else score, True, one.pure)
        for one in parts.units
    )
    return Scored(parts, units, ranking, (), policy="Threshold(0.5)")


def run(
    documents: Sequence[str | Scored], distinct: Distinct | None = None, budget: int | None = None
) -> list[Compression]:
    """What the pipeline does behind the policy."""
    given = [one if isinstance(one, Scored) else scored(one) for one in documents]
    apart = distinguish(given, distinct or Distinct())
    decided = apart.documents if budget is None else spend(apart.documents, budget, COUNT)
    cuts = each(partial(cut, count=COUNT), decided)
    results = tell([leave_whole(one, COUNT) if isinstance(one, Failed) else one for one in cuts], apart.copies)
    for result, one in zip(results, given, strict=True):
        check_laws(result, one.original)
    return results


def gone(result: Compression) -> list[str]:
    """The units that were left out as copies."""
    return [unit.text.strip() for unit in result.sentences if unit.copy_of is not None]


def test_a_sentence_of_two_documents_stays_in_the_better_one():
    """What a kept unit says goes from the worse document, with a reason and a pointer."""
    first, second = run([f"{TOLD} It burned down.", f"Nobody knows the York road. {TOLD} Rain came."])
    assert (first.status, first.reason) == ("unchanged", "nothing_cut")
    assert gone(second) == [TOLD]
    assert second.text == "Nobody knows the York road. Rain came."
    [copy] = [one for one in second.sentences if one.copy_of]
    assert (copy.reason, copy.copy_of) == ("copy", UnitPlace(document=0, unit=0))
    data = copy.to_dict()
    assert (data["reason"], data["copy_of"]) == ("copy", [0, 0])


def test_a_document_that_says_nothing_new_is_dropped_and_says_so():
    """Where every unit is said elsewhere the document goes, and its reason is not that nothing passed."""
    results = run([TOLD, TOLD, "Nobody was asked."])
    assert [(one.status, one.reason) for one in results] == [
        ("unchanged", "nothing_cut"),
        ("dropped", "nothing_new"),
        ("unchanged", "nothing_cut"),
    ]


def test_whoever_does_not_ask_for_one_copy_sees_no_new_key(tiny):
    """Without `distinct` results are what they were: no copies, no further keys."""
    results = tiny.compress("Who built the mill?", [TOLD, TOLD], policy=Threshold(0.0))
    assert [one.status for one in results] == ["unchanged", "unchanged"]
    assert results[0].to_dict() == results[1].to_dict()
    assert set(results[0].to_dict()["sentences"][0]) == {"start", "end", "text", "score", "kept"}


def test_a_call_leaves_copies_out(tiny):
    """`compress(..., distinct=Distinct())` and `compress_pairs` do it; documents of two queries do not meet."""
    results = tiny.compress("Who built it?", [TOLD, TOLD], policy=Threshold(0.0), distinct=Distinct())
    assert [one.reason for one in results] == ["nothing_cut", "nothing_new"]
    assert results[0].policy == "Threshold(0.0), Distinct()"
    pairs = [("Who built it?", TOLD), ("When?", TOLD), ("When?", TOLD)]
    results = tiny.compress_pairs(pairs, policy=Threshold(0.0), distinct=Distinct())
    assert [one.reason for one in results] == ["nothing_cut", "nothing_cut", "nothing_new"]
    assert results[2].sentences[0].copy_of == (1, 0)
    assert pickle.loads(pickle.dumps(results)) == results


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (LONG, LONG.replace("300", "400")),
        (LONG, LONG.replace("pounds", "dollars")),
        (LONG, LONG.replace("sold", "never sold")),
        (LONG, LONG.replace("sold", "almost sold")),
        (LONG.replace("sold", "almost sold"), LONG),
        (LONG, LONG.replace("Ann Lee", "Eve Lee")),
        (LONG, LONG.replace("After", "Before")),
        (LONG, LONG.replace("winter", "summer")),
        (LONG, LONG.replace("council of Leeds", "council of York")),
        (LONG, LONG.replace("300 pounds", "300 %")),
        (LONG, LONG.replace(".", "?")),
        (LONG, LONG.replace("winter", "Winter")),
        (f"{LONG[:-1]} and a buyer paid a seller.", f"{LONG[:-1]} and a seller paid a buyer."),
        (f"{LONG[:-1]} ✅.", f"{LONG[:-1]} ❌."),
        ("水车于1842年由安·李在利兹的河边用石头建成。", "水车于1843年由安·李在利兹的河边用石头建成。"),
        ("水车于1842年由安·李在利兹的河边用石头建成。", "水车不是1842年由安·李在利兹的河边用石头建成。"),
        ("Sales at Acme rose by -3 percent in the year 2021.", "Sales at Acme rose by 3 percent in the year 2021."),
        ("The train to Leeds leaves at 9:30 on Monday.", "The train to Leeds leaves at 9:30 on Friday."),
    ],
)
def test_what_differs_in_a_number_a_name_a_date_or_a_turn_is_no_copy(better, worse):
    """Numbers, signs, names, dates, negations and words that turn a statement keep a sentence, however alike."""
    assert gone(run([better, worse], Distinct(similarity=0.3))[1]) == []


@pytest.mark.parametrize(
    "worse",
    [
        LONG.replace("After a", "**After** a"),
        LONG.replace(" in that year", " in  that\nyear"),
        LONG.replace("300", "３００"),
        LONG.replace("the old mill", "old mill"),
        LONG.replace("Ann Lee", "“Ann Lee”"),
    ],
)
def test_what_differs_in_marks_and_little_words_is_a_copy(worse):
    """Emphasis, white space, wide forms, quotes and little words do not make a sentence new."""
    assert gone(run([LONG, worse])[1]) != []


def test_a_similarity_of_one_asks_for_the_same_words():
    """What is nearly the same stays where only the same is a copy."""
    nearly = LONG.replace("the old mill", "old mill")
    assert gone(run([LONG, nearly], Distinct(similarity=1.0))[1]) == []
    assert gone(run([LONG, LONG], Distinct(similarity=1.0))[1]) == [LONG]


def test_a_copy_says_no_word_that_stays_nowhere():
    """A sentence with a word more is no copy of the one without, though one with a word less may be one."""
    richer = LONG.replace("a baker", "a young baker")
    assert gone(run([LONG, richer])[1]) == []
    assert gone(run([richer, LONG])[1]) == [LONG]


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("# Leeds\n\nTickets to the Abbey Tower cost 5 euros.", "# York\n\nTickets to the Abbey Tower cost 5 euros."),
        ("Ann went to Leeds. She was born there in 1842.", "Eve went to York. She was born there in 1842."),
        ("Leeds:\n\n| Who | Euro |\n|---|--:|\n| Adult | 5 |", "York:\n\n| Who | Euro |\n|---|--:|\n| Adult | 5 |"),
        ("Fares in Leeds are these.\n\n- Adult: 5 euros\n", "Fares in York are these.\n\n- Adult: 5 euros\n"),
        ("Prices in Leeds. Adults pay 5 euros on weekdays.", "Prices in York. Adults pay 5 euros on weekdays."),
        ('[{"city": "Leeds", "adult": 5}]', '[{"city": "York", "adult": 5}]'),
        ("Ann zog nach Leeds. Er wurde dort im Mai geboren.", "Eva zog nach York. Er wurde dort im Mai geboren."),
        ("安は東京に住む。これは一八四二年に川に建てた。", "李は大阪に住む。これは一八四二年に川に建てた。"),
        ("Ann: the mill in Leeds is sold, Bob.\n", "Eve: the mill in Leeds is sold, Bob.\n"),
    ],
)  # fmt: skip
def test_the_same_words_of_something_else_are_no_copy(better, worse):
    """Under another heading, of another speaker, of another table or list, behind another name nothing goes."""
    before, after = run([better, worse])
    assert gone(after) == []
    assert (before.text, after.text) == (better, worse)


def test_what_leans_on_a_copy_is_one_as_well():
    """Rows, list items and sentences with a pronoun go where what they hang on is the same."""
    page = f"{TOLD} She sold it.\n\n- Adult: 5\n- Child: 3\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    first, second = run([page, f"Rain came to York in May.\n\n{page}"])
    assert first.text == page
    assert second.text.strip() == "Rain came to York in May."


def test_a_chunk_that_begins_in_the_middle_is_recognised():
    """What leans on nothing of its own document is a copy, where the run it begins is known to be one."""
    chunk = f"It was wet. {TOLD} She sold it."
    assert run([f"Spring came. {chunk}", f"{chunk} Nobody was asked."])[1].text == "Nobody was asked."


def test_what_a_kept_sentence_points_back_at_stays():
    """A sentence that opens with a pronoun keeps the sentence before it, copy or not."""
    second = run([TOLD, f"{TOLD} It burned down twice in York."])[1]
    assert (gone(second), second.status) == ([], "unchanged")


def test_a_unit_that_was_cut_stands_for_nothing():
    """Only what stays of the better document makes a copy."""
    first = scored(f"{TOLD} Rain came to York.").choose([False, True])
    assert gone(run([first, f"Nobody was asked in York. {TOLD}"])[1]) == []


def test_the_better_document_may_be_the_one_that_ranks_higher():
    """By ranking a later document keeps its copy, and one without a ranking score is behind all others."""
    documents = [scored(TOLD), scored(TOLD, ranking=0.2), scored(TOLD, ranking=0.7)]
    assert [one.reason for one in run(documents)] == ["nothing_cut", "nothing_new", "nothing_new"]
    results = run(documents, Distinct(by_ranking=True))
    assert [one.reason for one in results] == ["nothing_new", "nothing_new", "nothing_cut"]
    assert {one.sentences[0].copy_of for one in results[:2]} == {(2, 0)}


PIECES = (TOLD, LONG, "It was.", "# Leeds\n", "- Ann\n", "| a |\n", "\n\n", "\ud800", "水车。")
SOURCE = "Rain came. It stayed. Then the sun was out, and all was well. Nobody was asked. They went home. So it was."


def place(start: int, end: int) -> tuple[str, SourcePlace]:
    return SOURCE[start:end], SourcePlace("page", start)


def test_overlapping_chunks_are_recognised_by_their_place():
    """At the same place of one source what no word could tell is a copy, in whichever order the chunks come."""
    (one, here), (other, there) = place(0, 62), place(22, len(SOURCE))
    assert gone(run([one, other])[1]) == []
    results = run([one, other], Distinct(places=(here, there)))
    assert gone(results[1]) == ["Then the sun was out, and all was well."]
    text = run([other, one], Distinct(places=(there, here)))[1].text
    assert text.rstrip() == "Rain came. It stayed. Then the sun was out, and all was well."  # it leans on what it has


def test_a_part_of_a_sentence_is_a_copy_at_its_place():
    """A chunk that begins in the middle of a sentence repeats its end."""
    (one, here), (other, there) = place(0, 62), place(44, len(SOURCE))
    assert gone(run([one, other], Distinct(places=(here, there)))[1]) == ["and all was well."]


def test_places_are_believed_where_the_text_is_the_same():
    """A wrong place makes no copy: other words there stay, and so does another source."""
    (one, here), (other, _) = place(0, 62), place(22, len(SOURCE))
    for wrong in (SourcePlace("page", 0), SourcePlace("page", 23), SourcePlace("other", 22), None):
        assert gone(run([one, other], Distinct(places=(here, wrong)))[1]) == []


def test_a_budget_pays_the_copy_that_stays_by_the_best_of_all_its_scores():
    """What was left out because it stands elsewhere does not go there for a lower score."""
    documents = [scored(f"{TOLD} ", 0.2), scored("Rain fell on York in May. ", 0.5), scored(TOLD, 0.9)]
    results = run(documents, budget=15)
    assert [one.status for one in results] == ["unchanged", "dropped", "dropped"]
    assert [one.reason for one in results] == ["nothing_cut", "nothing_passed", "nothing_new"]


def test_a_copy_of_what_a_budget_took_is_not_said_to_stand_there():
    """Where there is no room for either, neither points at the other."""
    results = run([TOLD, TOLD], budget=3)
    assert [(one.status, one.reason) for one in results] == [("dropped", "nothing_passed")] * 2
    assert results[1].sentences[0].copy_of is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(
    documents=st.lists(st.lists(st.sampled_from(PIECES)).map(" ".join), max_size=5),
    budget=st.none() | st.integers(0, 60),
    distinct=st.builds(Distinct, st.sampled_from([0.5, 0.8, 1.0]), st.booleans()),
)
def test_laws_hold_and_copies_point_at_what_stands_there(documents, budget, distinct):
    """Whatever comes in the laws hold; a copy is cut, what it points at is kept and says the same words."""
    results = run(documents, distinct, budget)
    for result in results:
        for unit in result.sentences:
            if unit.copy_of is None:
                continue
            other = results[unit.copy_of.document].sentences[unit.copy_of.unit]
            assert not unit.kept
            assert other.kept
            assert set(unit.text.lower().split()) - {"the", "-"} <= set(other.text.lower().split())


@pytest.mark.parametrize(
    "text",
    [f"{TOLD} ", "- x\n", "水", "1.1:1/1-"],
)
def test_time_is_linear(text):
    """Documents of one thing over and over take time in proportion to their length."""

    def work(document: str) -> None:
        distinguish([made[document], made[document]], Distinct())

    made = _Made()
    assert grows(work, text, 8_000) <= LINEAR


class _Made(dict[str, Scored]):
    """Scored documents, made when they are first asked for."""

    def __missing__(self, text: str) -> Scored:
        self[text] = scored(text)
        return self[text]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"similarity": 0.0}, ValueError),
        ({"similarity": 1.5}, ValueError),
        ({"similarity": "high"}, TypeError),
        ({"by_ranking": 1}, TypeError),
        ({"places": "page"}, TypeError),
        ({"places": [("page", -1)]}, ValueError),
        ({"places": [("page", 1.5)]}, TypeError),
        ({"places": [3]}, TypeError),
    ],
)
def test_senseless_settings_are_refused(arguments, error):
    """What is wrong is said, with the setting's name."""
    with pytest.raises(error, match=next(iter(arguments))):
        Distinct(**arguments)


def test_a_call_refuses_what_is_no_distinct_and_places_that_do_not_fit(tiny):
    """`distinct` is a `Distinct` or None; places are one a document."""
    with pytest.raises(TypeError, match="distinct must be a Distinct"):
        tiny.compress("q", ["a"], distinct=True)
    with pytest.raises(ValueError, match="1 for 2"):
        tiny.compress("q", ["a", "b"], distinct=Distinct(places=[None]))
