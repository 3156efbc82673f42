"""Where sentences end: kinds of faults, each with its neighbours and the true ends beside it."""

# ruff: noqa: E501 - cases are tables, one row a line, however long

from __future__ import annotations

from itertools import pairwise

import pytest
from growth import LINEAR, grows, seconds
from hypothesis import given, settings
from hypothesis import strategies as st
from slices import part
from test_segment import ANY_TEXT, MARKS

from secateurs.segment.prose import add_prose, sentence_ends
from secateurs.segment.prose.inline import inline
from secateurs.segment.prose.languages import language_of
from secateurs.segment.units import LONGEST, Builder


def sentences(text: str, language: str | None = None) -> list[str]:
    """Cut a run of prose into its sentences."""
    ends = [0, *sentence_ends(text, 0, len(text), language), len(text)]
    return [text[start:end] for start, end in pairwise(ends)]


def units(text: str, language: str | None = None) -> list[str]:
    """Cut a paragraph into the strings of its units."""
    build = Builder(text)
    add_prose(build, len(text), (), language)
    return [text[unit.start : unit.end] for unit in build.units()]


ONE = {  # one sentence each
    "time and day": [
        "The meeting is at 9 a.m. Monday.",
        "The store opens at 9 a.m. Monday through Friday.",
        "The call is at 3 p.m. EST on Tuesday.",
        "It starts at 8 p.m. Saturday in the hall.",
        "Doors open at 7 p.m. Tues. and close late.",
        "It airs at 9 p.m. Eastern Time on Fox.",
        "It begins at 6 p.m. March 3 in Rome.",
        "The webinar (2 p.m. CET) is free.",
        "Mass is at 11 a.m. Christmas Day.",
        "Office hours are 9 a.m. - 5 p.m. Mon. - Fri. at the desk.",
        "The show is at 8 p.m. Sat. and Sun. in town.",
    ],
    "before a sign": [
        "Trying to get back to Com. & Adm. through the most direct path in the dark.",
        "It rose by approx. $5 a share.",
        "Use approx. ~5 ml of it.",
        "See Sec. + App. for details.",
        "The price is est. €40 now.",
        "It is max. +5 °C and min. -3 °C there.",
        "Mfg. & Sales Co. is here.",
        "The U.S. & Canada agreed.",
        "It costs i.e. $5, e.g. €5 or ~10.",
        "Team A vs. #2 is on.",
    ],
    "before a number": [
        "See Fig. 3, Tab. 2 and Eq. 5.",
        "See Figs. 3 and 4, Tab. II and App. B.",
        "See Vol. 3, Iss. 2, No. 5, pp. 3-5 of it.",
        "It is version No. 5 now.",
        "See Art. 5, Sect. 4, Chap. 3, Para. 2 and Nos. 5-7.",
        "The Bldg. 5 entrance is near Elm St. here.",
        "Capt. Lee and Lt. Gov. Smith live at 5 Main St. Apt. 3 in town.",
    ],
    "before a small letter": [
        "Use temp. sensors, incl. spares.",
        "The avg. speed and max. load matter.",
        "It is 5 ft. tall and 10 in. wide.",
        "Take 2 tbsp. oil and wait 5 min. more.",
        "The Dept. of State and the Univ. of Oxford agreed.",
        "Open Mon. to Fri. and Sat. at noon.",
        "It is from Jan. to Mar. and on Oct. or Nov. days.",
    ],
    "names and initials": [
        "The U.S. Navy and the U.K. government met.",
        "Prof. Li and Dr. Smith met Mr. J. R. Brown.",
        "Smith et al. (2020) found it.",
        "He got a Ph.D. in physics from MIT.",
        "He was in the U.S. Senate and the U.N. Council.",
        "Yahoo! was big and Jeopardy! is fun.",
        "The Hon. Judge Lee and the Rev. Dr. King came.",
    ],
    "German": [
        "Ich habe am 3. Juni Geburtstag.",
        "Und nun die Wettervorhersage für morgen Mittwoch, den 15. Mai.",
        "Jonas ist Fan vom 1. FC Köln, und du?",
        "Dies ist nun der 17. Versuch.",
        "Die 5. Strafkammer sah es als erwiesen an.",
        "Friedrich II. war der Sohn von Heinrich.",
        "Am 1. und 2. Mai ist zu.",
        "Im 19. und 20. Jahrhundert war das so.",
        "Papst Johannes Paul II. reiste gern.",
        "Das kostet ca. 5 Euro bzw. mehr, z. B. hier.",
        "Er wohnt in der Nr. 5, d. h. im Haus mit Garten usw. und so fort.",
        "Vgl. Müller, S. 5 ff. und Abb. 3 dort.",
        "Hr. Müller und Fr. Dr. Schmidt kamen gem. Absatz 3.",
        "Sein 2. Buch war gut.",
        "Ihr 3. Kind kam.",
        "Er ist 1. Vorsitzender des Vereins.",
        "Die 25. Auflage erscheint bald.",
    ],
    "other languages": [
        "Den 5. maj rejste han og hun til byen.",
        "M. Dupont est venu avec Mme. Durand dans la ville.",
        "El Sr. López y la Sra. García son de la ciudad.",
        "Il sig. Rossi e la dott.ssa Bianchi sono nella città di Roma, art. 5 della legge.",
        "Москва, ул. Ленина, д. 5, г. Тула.",
    ],
    "versions and files": [
        "Use v1.2.3 of Node.js or .NET 4.5 today.",
        "Edit config.yaml and run a.sh, b.py and c.Test today.",
        "The path /var/log/a.B/c is full.",
        "It is 3.5 m. wide and weighs 1,000.5 kg.",
    ],
    "links and code": [
        "See [the docs](/learn/a.B. C/d?e=F!) first.",
        "See [Is it? Yes!](/x/y) for more.",
        "Use `a. B` and ``c. `D` e`` here.",
        "It is **very. Bold. Indeed** here.",
        "It is *one. Two* and __three. Four__ here.",
        "Read https://a.b/C.D?e=F!G for more.",
        "See <https://a.b/c.D> or <b>one. Two</b> here.",
        'See ![alt. Text](img.png "A. B") here.',
        "The [![badge. X](a.svg)](b.html) is shown.",
        "The formula $x. Y = 3$ holds.",
        "欢迎阅读[《为什么？》](/docs/blog)了解更多。",
        "在执行 `ALTER SEQUENCE ... RESTART` 之前要小心。",
    ],
    "quotations": [
        "He said “I came. I saw.” and left.",
        "“Really?” she asked.",
        "“我走了……”他说。",
        "“你好吗？！”小明高兴地问道。",
        "“真的吗？”她笑着问道，“不会吧。”",
        "「行くよ。」と彼は言った。",
        "《你好。再见。》是一本书。",
        "有苹果、香蕉……等等。",
        "这是2.2版，不是3.5版，也不是第1.2节。",
        "他用了Dr. Smith的方法。",
    ],
}


@pytest.mark.parametrize("text", [text for kind in ONE.values() for text in kind])
def test_what_ends_no_sentence(text: str) -> None:
    """A full stop in an abbreviation, an ordinal, a time, a name, a link or a quotation ends no sentence."""
    assert sentences(text) == units(text) == [text]


TWO = [  # the true ends beside them
    ["He arrived at 6 p.m. ", "The bank was closed."],
    ["It opened at 9 a.m. ", "Monday was quiet."],
    ["It is at 3 p.m. EST. ", "Come early."],
    ["It rose. ", "$5 was the gain."],
    ["Open the app. ", "5 people use it."],
    ["It is in the app. ", "The rest is not."],
    ["He went in. ", "Then out."],
    ["I met Max. ", "He was nice."],
    ["Look at Fig. 3. ", "It is red."],
    ["He works at Foo Inc. ", "She does not."],
    ["I saw it in the U.S. ", "He did not."],
    ["He has a Ph.D. ", "She has none."],
    ["That was World War II. ", "Then came peace."],
    ["It was Henry VIII. ", "He had six wives."],
    ["The year was 1990. ", "It was hot."],
    ["He scored 10. ", "Nobody else did."],
    ["It is in the CF. ", "It is fast."],
    ["Er wurde 17. ", "Danach ging er weg und kam nicht zurück."],
    ["Das war 1990. ", "Die Mauer war weg."],
    ["Das war Friedrich II. ", "Er war König und nicht da."],
    ["Er mag Obst usw. ", "Sie mag das nicht."],
    ["Wir treffen uns am 3. Juni. ", "Danach gehen wir."],
    ["Er kam auf Platz 2. ", "Danach ging er."],
    ["Use v1.2.3. ", "Then run it."],
    ["Edit config.yaml. ", "Then run it."],
    ["I use Node.js. ", "You use .NET."],
    ["It ended. ", "iPhone is next."],
    ["i went home. ", "then i slept."],
    ["See https://a.b/c. ", "Then wait."],
    ["Use `a`. ", "Then `b`."],
    ["See [a](b). ", "Then go."],
    ["[Read more.](/a.B) ", "Then wait."],
    ["**Note.** ", "Then wait."],
    ["值为`null`。", "`x`是新的。"],
    ["这很重要。", "**注意事项**如下。"],
    ["1. 点击按钮。", "此时弹出窗口。"],
    ["Step 1. Click here. ", "Then wait."],
    ["他来了……", "她走了。"],
    ["好吗？！", "行。"],
    ["“好。”", "他笑了。"],
    ["曹操问：「可以吗？」", "许攸说：「可以。」"],
    ["这条不适用于已处理完毕的除外。”", "也就是说，可以。"],
    ["他来了![图](a.png)。", "她走了。"],
    ["这是English. ", "然后走了。"],
    ["He called it ``good''. ", "Then it was ``bad''."],
    ["The EMT`s work. ", "Then the EMT`s rest."],
    ["Wait... ", "What is it?"],
]


@pytest.mark.parametrize("expected", TWO, ids=lambda parts: parts[0].strip())
def test_true_ends_stay(expected: list[str]) -> None:
    """A sentence ends where the next one begins, whatever stands before it."""
    assert sentences("".join(expected)) == expected


TAILS = [
    ["Done! 🎉 ", "Next one."],
    ["Done!🎉 ", "Next one."],
    ["Nice!! 👍🏽 ", "Next one."],
    ["Yes! ❤️ ", "Next one."],
    ["Wow!!! 😂😂😂 ", "Next one."],
    ["Great! 👨‍👩‍👧 ", "Next one."],
    ["Thanks! :) ", "See you."],
    ["It is fraying. :/ ", "I expected better."],
    ["走了！🎉 ", "下一句。"],
    ["🚀 Fast. ", "🔒 Safe."],  # an emoji a sentence: these lead
    ["Was it helpful? ", "👍 31 👎 2"],
    ["It ended.[1] ", "Next one."],
    ["It ended. [12] ", "Next one."],
    ["It ended.[^3] ", "Next one."],
    ["It ended.[2,3] ", "Next one."],
    ["It ended.[note 1] ", "Next one."],
    ["It ended.² ", "Next one."],
    ["他走了。[1]", "她没走。"],
    ["(It ended.) ", "Then it began."],
    ["He said “yes.” ", "Then he left."],
    ["（见上文。）", "下一句。"],
]


@pytest.mark.parametrize("expected", TAILS, ids=lambda parts: ascii("".join(parts)))
def test_what_stays_with_the_sentence_it_ends(expected: list[str]) -> None:
    """A closing quotation mark, a bracket, a footnote mark or an emoji stays with the sentence before it."""
    assert sentences("".join(expected)) == expected


def test_a_language_is_named_or_found() -> None:
    """A language that is given decides; else small words tell German and others from English."""
    assert sentences("Jonas kommt 3. Juni.", "de") == ["Jonas kommt 3. Juni."]
    assert [language_of(text) for text in ("Er kam in der Nacht.", "The die is cast.", "", "Über 5", "他来了。")] == [
        "de",
        "en",
        "en",
        "en",
        "zh",
    ]


INLINE = st.lists(
    st.sampled_from(
        ["a", "word. Next", "`", "``", "**", "*", "_", "[", "](", "](/a.B c)", ")", "!", "<b>", "</b>", "<a href='x. Y'>",
         "https://a.b/c.D", " ", "\n", ". ", "! ", "。", "“", "”", "(", "$", "\\", "~~", "🎉", "他"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(text=INLINE | ANY_TEXT | MARKS)
def test_nothing_whole_is_torn(text: str) -> None:
    """Ends ascend inside the text, each sentence has a word, and none lies strictly inside a link, code or emphasis."""
    ends = list(sentence_ends(text, 0, len(text), "en"))
    assert ends == sorted(set(ends))
    assert all(0 < end < len(text) for end in ends)
    whole = inline(text).whole
    assert not any(start < end < stop for end in ends for start, stop in whole)
    pieces = [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]
    assert len(pieces) == 1 or all(any(char.isalnum() for char in piece) for piece in pieces)


@settings(max_examples=300, deadline=None)
@given(text=INLINE | ANY_TEXT | MARKS, before=st.sampled_from(["", "x\n", "> "]))
def test_prose_tiles_its_paragraph(text: str, before: str) -> None:
    """The units of a paragraph tile it, whatever stands in it; its end and its offset do not matter."""
    build = Builder(before + text + "\n\nrest")
    if before:
        build.add(len(before), "heading")
    add_prose(build, len(before) + len(text), (), None, kind="markup")
    build.add(len(build.text), "prose")
    found = build.units()
    assert "".join(build.text[unit.start : unit.end] for unit in found) == build.text
    assert all(one.end == other.start for one, other in pairwise(found))
    assert {unit.kind for unit in found} <= {"heading", "markup", "prose"}


def test_a_part_of_a_text_is_cut_like_the_text() -> None:
    """Ends are positions in the text, and what stands outside the part does not count."""
    text = "Dr. X. One. Two. Three."
    assert list(sentence_ends(text, 7, 17, "en")) == [12]


def test_marks_of_a_quote_are_indentation() -> None:
    """A sentence of a block quote goes on over its marks; those before a sentence belong to it."""
    text = "> The mill was built by\n> Ann Lee. It burned\n> down.\n> Nobody knows."
    assert units(text) == ["> The mill was built by\n> Ann Lee. ", "It burned\n> down.\n", "> Nobody knows."]
    assert units("> > One. Two.\n> > Three.") == ["> > One. ", "Two.\n", "> > Three."]


def test_frames_and_kinds_are_handed_on() -> None:
    """Every sentence has the kind and the frame that were asked for."""
    build = Builder("- One. Two.")
    mark = build.add(2, "mark")
    add_prose(build, len(build.text), (mark,), None, kind="item")
    assert [(unit.kind, unit.frame) for unit in build.units()] == [("mark", ()), ("item", (0,)), ("item", (0,))]


def test_no_unit_is_too_long() -> None:
    """A sentence longer than a unit may be is cut at its white space; one of code stays or goes as one."""
    build = Builder("word " * 3000)
    add_prose(build, len(build.text), (), None)
    assert all(unit.end - unit.start <= LONGEST for unit in build.units())
    assert len(build.units()) > 3
    code = "`" + "word " * 1500 + "x`"
    build = Builder(code)
    add_prose(build, len(code), (), None)
    found = build.units()
    assert all(unit.end - unit.start <= LONGEST for unit in found)
    assert all(0 in unit.frame or unit is found[0] for unit in found)
    assert found[0].frame == tuple(range(1, len(found)))
    assert units("a" * 10_000) == ["a" * 10_000]


BOMBS = [
    "[", "](", "](a", "[a](", "[![", "![a](b)", "`", "`a", "``", "* a", "*a", "**a", "**a. ", "_a", "~~", "<b>", "</b>", "<a ",
    "<!--", "$", "$a", "$a$", "\\", "\\(", "\\[a", "http://", "www.", "🎉", "! 🎉", ". [1]", ":) ", "“。", "他说", "”他说", "a.m. ",
    "9 a.m. M", "3. Juni ", "der 3. J", "z. B. ", "II. w", "> a\n", "> ", "a. B\n", "Dr. ", "…A", "… A", "a.b.c.d. ", "e.g. $",
]  # fmt: skip


@pytest.mark.sliced
@pytest.mark.parametrize("bomb", BOMBS, ids=ascii)
@pytest.mark.parametrize("language", [None, "de"])
def test_time_is_linear(bomb: str, language: str | None) -> None:
    """Twice the text takes about twice the time, whatever repeats."""
    work = lambda text: units(text, language)  # noqa: E731 - one expression
    assert grows(work, bomb, part(24_000, 2)) <= LINEAR
    text = bomb * (part(60_000, 2) // len(bomb))
    assert seconds(lambda: work(text), 2, most=1.2) <= 1.2
