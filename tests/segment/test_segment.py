"""Laws, cases and time bounds of the segmenter."""

# ruff: noqa: E501, RUF005 - cases are tables, one row a line, however long

import pickle
import subprocess
import sys

import pytest
from growth import LINEAR, grows, seconds
from hypothesis import given, settings
from hypothesis import strategies as st
from slices import part

from secateurs.result.span import Span
from secateurs.segment import check_tiling, get_segmenter, segment
from secateurs.segment.blocks import is_heading
from secateurs.segment.prose import detect_language

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates and NUL too
MARKS = st.lists(
    st.sampled_from(
        [
            "a",
            "Dr",
            "B",
            "word",
            "他",
            "行く",
            "1",
            ".",
            "!",
            "?",
            "。",
            "……",
            '"',
            "“",
            "”",
            "「",
            "」",
            "(",
            ")",
            "[1]",
        ]
        + [
            "'",
            "`",
            "```",
            "~~~",
            "#",
            "# ",
            "- ",
            "1. ",
            "|",
            "|-|",
            "\n",
            "\r\n",
            "\n\n",
            " ",
            "\t",
            "\xa0",
        ]
        + [
            "\u2028",
            "\ufeff",
            "\x00",
            "\ud800",
            "🙂",
            "===",
            "---",
            "，",
            "》",
            "（一）",
            ":",
            "@.@",
            "etc.",
            "和",
        ]
    ),
    max_size=60,
).map("".join)


def parts(text: str, language: str | None = None) -> list[str]:
    """Cut a text into the strings of its spans."""
    return [text[start:end] for start, end in segment(text, language=language)]


@settings(max_examples=300, deadline=None)
@given(text=ANY_TEXT | MARKS, name=st.sampled_from(["auto", "en", "zh", "ja", "de", "lines", "clauses"]))
def test_spans_tile_any_text(text: str, name: str) -> None:
    """Every named segmenter tiles every text, and twice the same."""
    segmenter = get_segmenter(name)
    spans = segmenter(text)
    assert check_tiling(spans, text) == spans == segmenter(text)
    assert "".join(text[start:end] for start, end in spans) == text


@settings(max_examples=200, deadline=None)
@given(text=ANY_TEXT | MARKS)
def test_white_space_belongs_to_the_line_before(text: str) -> None:
    """No span but the first begins with a line break, and none is white space alone if any is not."""
    spans = parts(text)
    assert not any(span[0] in "\n\r" for span in spans[1:])
    if len(spans) > 1:
        assert all(span.strip() for span in spans)


PROSE = [
    ["Sentence one. ", "Sentence two."],
    ["It ends here.\n", "Next line."],
    ["no final stop"],
    ["Dr. Smith came. ", "He left."],
    ["Mr. and Mrs. Smith vs. Jones et al. were heard. ", "Then they left."],
    ["Use e.g. this one, i.e. the first. ", "Good."],
    ["It is 3.14 and v1.2.3 now. ", "Yes."],
    ["The U.S. Army came. ", "We left."],
    ["I was born in the U.S. ", "He was too."],
    ["A book by J. K. Rowling. ", "George W. Bush read it."],
    ["See Fig. 2 now. ", "No. 5 is fine."],
    ["It is approx. 5 days, cf. p. 3 there. ", "On Jan. 5 he left."],
    ["At 5 p.m. on Monday he left."],
    ["Wait... what is it?"],
    ["Wait... ", "What is it?"],
    ["See example.com/a?b=c. ", "Next one."],
    ["Write to a.b@c.com. ", "Or https://a.b/c.d?e=f!g. ", "Then wait."],
    ['He said "yes." ', "Then he left."],
    ["He said “yes.” ", "Then he left."],
    ["“Go!” she cried. ", "“Stop.” ", "“No?” he said."],
    ["He said “I came. I saw.” and left. ", "Then rain."],
    ["(In brackets.) ", "Next one."],
    ["It (born c. 1950. In Rome.) was. ", "Next one."],
    ["It ended. ", "iPhone is next. ", "3 men came."],
    ["It ended.[12] ", "Next one.[a][b] ", "Last one."],
    ["This is the end.", "Next one begins."],  # a lost space
    ["Use System.Windows.Forms or Node.js now. ", "Yes."],
    ["The spaced word . ", "Next one . ", "And 3 @.@ 5 men ."],
    ["He jumped 5 feet (1.74 m). ", "He also ran at 125 mph (201 km / h). ", "It rained."],
    ["Yahoo! was big. ", "We like Yahoo! as it is."],
    ["Item 6. Selected data. ", "Note that."],
    ["**Bold.** ", "Next. ", "_Slanted._ ", "Last."],
    ["One.\xa0", "Two here."],
    ["\ufeffHi there. ", "You."],
    ["A\ud800b came. ", "Cats left."],
    ["A\x00b came. ", "Cats left."],
    ["One 🙂 came. ", "👩‍👩‍👧 Two left."],
    ["One line\r\nand on. ", "Two.\r\n\r\n", "Three."],
    ["One line.\u2028", "Two."],
    ["  \n Lead. ", "Tail. \n "],
    ["Wow!!! ", "Really?! ", "Yes. !!!"],
]


@pytest.mark.parametrize("expected", PROSE, ids=lambda spans: spans[0].strip()[:30])
def test_prose(expected: list[str]) -> None:
    """A full stop ends a sentence unless an abbreviation, a number, an address or a quotation explains it."""
    assert parts("".join(expected)) == expected


SCRIPTS = [
    ["他来了。", "她走了！", "好吗？", "好；行，可以。"],
    ["他说：“你好。”", "然后走了。"],
    [
        "他说：“" + "今天天气很好，我们出去走走吧，不要老是坐在家里看书了，那样对身体不好，你说是不是呢。",
        "明天也许会下雨，所以我们最好今天就去，不然又要等到下个星期才能有这么好的机会了，大家都会失望。”",
        "她笑了。",
    ],
    ["他写了《你好。》一书。", "很好。"],
    ['他说："你好。"', "她走了。", '"好！"', "他说。"],
    ["有苹果、香蕉……等等。", "他走了……", "她没走。"],
    ["（见第三章。）", "下一句。"],
    ["目前是2.2版。", "用Visual Basic .NET写的。", "Mac OS X也行。"],
    ["彼は「行く。」と言った。", "そして去った。"],
    ["Привет. ", "Как дела?"],
    ["नमस्ते। ", "आप कैसे हैं?"],
    ["مرحبا. ", "كيف حالك؟ ", "بخير."],
    ["안녕하세요. ", "반갑습니다!"],
    ["สวัสดีครับ วันนี้อากาศดี\n\n", "ไปกันเถอะ"],
    ["This is English. ", "It ends.\n\n", "这是中文。", "结束了。\n\n", "これは日本語です。", "終わり。"],
]


@pytest.mark.parametrize("expected", SCRIPTS, ids=lambda spans: spans[0].strip()[:10])
def test_scripts(expected: list[str]) -> None:
    """Each script's own marks end sentences, the closing quotation mark stays, mixed documents split right."""
    assert parts("".join(expected)) == expected


BLOCKS = [
    ["```py\na = 1. B\n\nc\n```\n", "After it. ", "Two."],
    ["Before.\n", "~~~\nopen fence. To the end\n\n# x\n```\n- y"],
    ["| a | b |\n", "|---|---|\n", "| 1. X | 2. Y |\n\n", "After."],
    ["|a|b|\n", "|c. D|d|\n", "After."],
    ["# Title. Of it\n", "Text one. ", "Text two."],
    ["Title. Of it\n===\n", "Text one.\n\n", "Sub\n---\n", "Text two."],
    ["Intro:\n", "- one. And one\n  more\n", "* two\nin lower case\n", "  + nested\n\n", "Text."],
    ["1. One. Uno\n", "2. Two\n   still two\n", "3) Three\n\n", "Text."],
    ["• eins. Zwei\n", "①一。二\n", "（一）甲。乙\n", "二、丙。丁"],
    [
        "They saw it in the year that was known to all as number\n12. Then they left the long road and went on\nto town."
    ]
    and ["One para.\n\n", "Two para"],
    ["Text.\n\n", "---\n\n", "More text."],
]


@pytest.mark.parametrize("expected", BLOCKS, ids=lambda spans: spans[0].strip()[:12])
def test_blocks_stay_whole(expected: list[str]) -> None:
    """Fences, table rows, list items, rules and headings are one span each; a blank line always ends a sentence."""
    assert parts("".join(expected)) == expected


LINES = [
    [
        "This is a long sentence that was hard wrapped at\nsome column by an Editor who liked columns and\nEmacs. ",
        "It goes on and on until the end of this\nparagraph.",
    ],
    ["A long line that breaks in the middle of\nits only sentence, in Rome,\nItaly, and in\nlower case."],
    ["I love you\n", "You love me\n", "Happy days"],
    ["Name: Bob\n", "Age: 5\n", "city: Rome"],
    ["12:01 server started\n", "12:02 Worker joined\n", "12:03 Worker left"],
    ["A Short Title\n", "This is the first sentence of a long paragraph that follows the title. ", "Two."],
    [
        "今天我们学习了很多新的知识，老师讲得很好，大\n家都很高兴，也都认真地做了笔记，并且在课后积\n极地讨论。",
        "很好。",
    ],
    ["It reacts with O\n2 and is gone. ", "Two."],
]


@pytest.mark.parametrize("expected", LINES, ids=lambda spans: spans[0].strip()[:20])
def test_line_breaks(expected: list[str]) -> None:
    """A newline is white space in hard-wrapped prose and ends a sentence between short unfinished lines."""
    assert parts("".join(expected)) == expected


def test_four_lines_are_four_sentences() -> None:
    """One sentence a line comes back a line at a time, each with its newline."""
    lines = [
        "Work deadlines piled up today, and I kept rambling about budget spreadsheets to my roommate.\n",
        "Next spring I'm planning a trip to Japan so I can wander Kyoto's markets and taste every dish I find.\n",
        "Sushi is honestly my favourite—I want to grab a counter seat until I'm smiling through soy sauce.\n",
        "Later I remembered to water the plants and pay the electricity bill before finally getting some sleep.\n",
    ]
    assert parts("".join(lines)) == lines
    assert parts("\n" + "".join(lines)) == ["\n" + lines[0], *lines[1:]]


def test_degenerate_texts() -> None:
    """The empty text has no span; a text without a word has one."""
    assert segment("") == []
    for text in (" ", "\n\n", "!!!", "…", "。。。", "```", "---\n", "\ud800", "\x00"):
        assert segment(text) == [Span(0, len(text))]


def test_language_is_an_option() -> None:
    """A fixed language brings its own abbreviations."""
    assert parts("Er kam z. B. heute. Gut.", "de") == ["Er kam z. B. heute. ", "Gut."]


@pytest.mark.parametrize(
    ("text", "language"),
    [("", "en"), ("Hello", "en"), ("Ça va à l’école", "en"), ("你好，世界", "zh"), ("用Python写的代码", "zh"), ("これは漢字です", "ja"),
     ("这本书叫「の」，很有名，很多人都喜欢它", "zh"), ("안녕하세요", "ko"), ("Привет", "ru"), ("مرحبا", "ar"), ("नमस्ते", "hi"),
     ("สวัสดี", "th"), ("Γειά σου", "el"), ("שלום", "he"), ("He said привет to all of them", "en"), ("的" * 10**6, "zh")],
)  # fmt: skip
def test_language_follows_the_script(text: str, language: str) -> None:
    """The script that prevails names the language."""
    assert detect_language(text) == language


def test_headings_are_told() -> None:
    """ATX and setext headings are headings, with or without white space behind; nothing else is."""
    assert all(map(is_heading, ["# A", "###### A b\n\n", "  ## A", "A\n===\n", "A b\n---", "#"]))
    assert not any(
        map(is_heading, ["", " ", "A", "#hashtag", "####### A", "A\nB", "- a\n---", "---", "```\n# a\n```"])
    )


def test_segmenters_resolve_and_pickle() -> None:
    """Names, codes, None and callables give segmenters; ours survive pickling."""
    text = "One. Two\n\n三。四"
    assert get_segmenter() is get_segmenter("auto") is segment
    for name in (None, "auto", "en", "zh-Hant", "pt_BR", "lines", "clauses"):
        segmenter = pickle.loads(pickle.dumps(get_segmenter(name)))
        assert check_tiling(segmenter(text), text)
    own = lambda text: [(0, len(text))]  # noqa: E731 - a user's lambda is the case
    assert get_segmenter(own) is own
    assert get_segmenter("lines")("a. b\n\n c\r\nd") == [(0, 7), (7, 10), (10, 11)]


def test_unknown_segmenters_are_refused() -> None:
    """An unknown name lists the choices; what is no callable is a TypeError."""
    with pytest.raises(ValueError, match=r"'klingon'.*'auto', 'lines', 'clauses'.*\ben\b.*\bzh\b"):
        get_segmenter("klingon")
    with pytest.raises(ValueError, match="xx"):
        segment("a", language="xx")
    with pytest.raises(TypeError, match="int"):
        get_segmenter(3)  # type: ignore[arg-type]  # the wrong type is the case


@pytest.mark.parametrize(
    "spans",
    [[], [(0, 2)], [(0, 4)], [(1, 3)], [(0, 1), (2, 3)], [(0, 2), (1, 3)], [(0, 0), (0, 3)], [(0, 3), (3, 3)], [(0, -1)],
     [(0.0, 3.0)], [(0, 1, 3)], [3], ["ab"], [(None, 3)]],
)  # fmt: skip
def test_spans_that_do_not_tile_are_refused(spans: list[tuple[int, int]]) -> None:
    """A gap, an overlap, an empty span, a wrong end or no pair is a ValueError that says so."""
    with pytest.raises(ValueError, match=r"segmenter.*expected.*;"):
        check_tiling(spans, "abc")


def test_spans_that_tile_pass() -> None:
    """Good spans come back as Span."""
    spans = check_tiling(iter([(0, 1), (1, 3)]), "abc")
    assert spans == [Span(0, 1), Span(1, 3)]
    assert all(isinstance(span, Span) for span in spans)


BOMBS = [
    "“",
    "«",
    "‘",
    '"',
    "`",
    "((((",
    "[",
    ". ",
    "Dr. ",
    "--\n",
    "!)",
    "。",
    "。“",
    '."',
    '. "',
    "a",
    " ",
    "\n",
    "的",
    "|\n",
]
BOMBS += [
    "- a\n ",
    "```a\n",
    "1. a\n",
    "12. a\n",
    "a\n=\n",
    "a. ",
    "(a. ",
    "ab.Ab ",
    "[1]",
    "http://a.b/c?d=e. ",
    "\ud800",
    "…",
    "*",
]


@pytest.mark.sliced
@pytest.mark.parametrize("bomb", BOMBS, ids=ascii)
def test_time_is_linear(bomb: str) -> None:
    """Twice the text takes about twice the time, and a megabyte a few seconds, whatever repeats."""
    size = part(100_000)  # characters
    assert grows(segment, bomb, size) <= LINEAR
    text = bomb * (size // len(bomb))
    many = len(segment(text)) + text.count("\n") > 1_000  # a unit, a line, a block of Markdown cost some microseconds
    most = 0.1 + (2.0 if many else 0.6) * size / 100_000  # three times what a slow machine needs
    assert seconds(lambda: segment(text), 2, most=most) <= most


def test_a_megabyte_of_prose_is_quick() -> None:
    """Ordinary text, in lines or in one, passes at more than a million characters in two seconds."""
    text = "The quick fox jumped over Dr. Smith in 3.14 days! Was it “ok”? It was (as ever) fine.\n" * 12_000
    line = text.replace("\n", " ")
    assert seconds(lambda: segment(text), 2, most=2) <= 2
    assert seconds(lambda: segment(line), 2, most=2) <= 2


def test_a_long_paragraph_is_cut_like_a_short_one() -> None:
    """The windows that long paragraphs are read in leave no trace."""
    sentence = (
        "The U.S. Army met Dr. Smith at 3.14 p.m. on the road (e.g. a street) to “J. K. Rowling. Or so.” in town. "
    )
    assert parts(sentence * 500) == [sentence] * 500


def test_import_is_light() -> None:
    """The module loads neither torch nor numpy."""
    code = "import secateurs.segment, sys; print({'torch', 'numpy', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
