"""Which line breaks end a sentence: wrapped prose stays whole, lines that stand for themselves do not melt."""

# ruff: noqa: E501 - cases are tables, one row a line, however long

from __future__ import annotations

import textwrap

import pytest
from growth import LINEAR, grows
from hypothesis import given, settings
from hypothesis import strategies as st

from secateurs.segment.prose import add_prose
from secateurs.segment.prose.lines import goes_on, is_wrapped, runs
from secateurs.segment.units import Builder


def units(text: str) -> list[str]:
    """Cut a paragraph into the strings of its units."""
    build = Builder(text)
    add_prose(build, len(text), (), None)
    return [text[unit.start : unit.end] for unit in build.units()]


ENGLISH = (
    "The mill, which stands beside the river that runs through the town of Skerran, was built by Ann Lee in the year"
    " 1842 and burned down twice before it was sold. Nobody knows why; the books of the Parish were lost in the same"
    " fire. Since then Bob Ray has had a shop beside the Church, where he sells bread, and flour from the new mill."
)
GERMAN = (
    "Die Mühle, die am Fluss neben der Stadt steht, wurde im Jahr 1842 von Anna Lehmann gebaut und brannte zweimal"
    " nieder, bevor sie verkauft wurde. Niemand weiß, warum; die Bücher der Gemeinde gingen im selben Feuer verloren."
    " Seitdem hat Robert Rau einen Laden neben der Kirche, wo er Brot verkauft und Mehl aus der neuen Mühle."
)
CHINESE = "磨坊位于流经小镇的河边，由安娜于一八四二年修建，在出售之前曾两次被烧毁。没有人知道原因；教区的账册也在同一场大火中遗失了。从那以后，鲍勃在教堂旁边开了一家小店，出售面包以及新磨坊磨制的面粉，镇上的居民经常光顾这家小店。"
JAPANESE = "水車小屋は町を流れる川のそばに立っており、千八百四十二年にアンナによって建てられ、売却される前に二度焼失した。理由は誰も知らない。それ以来、ボブは教会の隣に店を構え、パンと新しい水車小屋の小麦粉を売っている。"


@pytest.mark.parametrize("width", [45, 60, 72, 80, 100])
@pytest.mark.parametrize("text", [ENGLISH, GERMAN], ids=["en", "de"])
def test_wrapped_prose_is_cut_like_prose(text: str, width: int) -> None:
    """Whatever the column, the sentences of wrapped prose are those of the same text in one line."""
    wrapped = textwrap.fill(text, width)
    assert [unit.replace("\n", " ") for unit in units(wrapped)] == units(text)
    assert len(units(text)) == 3


@pytest.mark.parametrize("width", [22, 28, 36, 40])
@pytest.mark.parametrize("text", [CHINESE, JAPANESE], ids=["zh", "ja"])
def test_wrapped_ideographs_are_cut_like_prose(text: str, width: int) -> None:
    """Chinese and Japanese may break in mid-word; the sentences are those of the same text in one line."""
    wrapped = "\n".join(text[at : at + width] for at in range(0, len(text), width))
    assert [unit.replace("\n", "") for unit in units(wrapped)] == units(text)
    assert len(units(text)) == 3


@pytest.mark.parametrize("ragged", [[70, 64, 72, 58, 66, 71], [80, 62, 77, 59, 74]])
def test_proportional_type_breaks_at_no_column(ragged: list[int]) -> None:
    """Lines of a PDF, set in proportional type, differ in width; the sentences stay whole."""
    words, lines, line = ENGLISH.split(), [], ""
    for word in words:
        if len(line) + len(word) + 1 > ragged[len(lines) % len(ragged)]:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    wrapped = "\n".join([*lines, line])
    assert [unit.replace("\n", " ") for unit in units(wrapped)] == units(ENGLISH)


ONE = [  # a sentence goes on over these line breaks
    "This is a long sentence that was hard wrapped at\nsome column by an Editor.",
    "The mill is by the river, in the\nTown of Skerran.",
    "They came to the mill, the river and\nAnn Lee.",
    "When implementing a new client library, please follow the\n[guidelines on writing libraries](/docs/x).",
    "There is also a version of the\n`PowerShell.AddScript` method that takes a second parameter.",
    "For projects built by GDS, see the [Service\nToolkit][].",
    "Call `load_the_settings(key,\nOther)` first.",
    "It reacts with O\n2 and is gone.",
    "Acetone ((CH\n3)\n2CO) is used.",
    "In addition, as\nMr. Reinhold left, it was sold.",
    "It was $32 million in 2019 and\n$77 million in 2018.",
    "市政府探索实行年薪制、协议工资制和有条件的兼职兼薪等多种薪酬方\n式，激发实验区的活力和动力。",
    "多种薪酬方\n式，激发活力。",
    "本条例规定的行政处罚，由城市绿化行政主管\n部门负责实施。",
    "如果你期望配置多张证书，例如同时支持使用 ECC 和 RSA\n的密钥交换算法，那么可以这样。",
    "利用现有的文本序列，\n*自监督学习*（self-supervised learning）\n已被广泛用于预训练文本表示。",
    "通常有两种策略和\n方法。",
]


@pytest.mark.parametrize("text", ONE)
def test_a_sentence_goes_on_over_a_line_break(text: str) -> None:
    """A break before a small letter, behind a comma or an article, or inside a link or code ends no sentence."""
    assert units(text) == [text]


LINES = [  # each line stands for itself
    "I love you\nYou love me\nHappy days",
    "Shall I compare thee to a summer day\nThou art more lovely and more mild\nRough winds do shake the buds of May\nAnd summer is a short while here",
    "Ann Lee\n12 Mill Lane\nOxford OX1 2AB\nUnited Kingdom",
    "A Short Title\nThis is the first sentence of a long paragraph that follows the title.",
    "Work piled up today, and I kept rambling about it.\nNext spring I am planning a trip to Japan.\nSushi is my favourite.",
    "四川泡菜，从起水到救水\n坛子要带水槽、没裂的。",
    "加班与调休管理细则\n加班须事先在系统申请并批准。",
    "修水库修出一座“没有主人”的大墓\n今年四月，石门水库除险加固。",
    "第六条 租金与押金\n首年月租金 18,000 元。",
    "**模式识别**\n寻找重复的用户问题。",
    "瑞***a 已用 3 个月\n电量剩 30%，很好。\n吴***明 已用 11 天\n一次推过去，就是会残一点。",
    "【公告】今年起保障住宿\n详阅第二点。",
    "jim 09:09: lol\nyuki 09:12: ok then",
    "Gifts and hospitality, in short\nFrom suppliers: you may keep things\nMeals: fine",
    "Milk and bread\nButter\nEggs",
    "to operate our sites; or\nAttract new executives, generally from overseas.",
    "床前明月光\n疑是地上霜\n举头望明月\n低头思故乡",
]


@pytest.mark.parametrize("text", LINES, ids=lambda text: text[:20])
def test_lines_that_stand_for_themselves_do_not_melt(text: str) -> None:
    """Verse, addresses, titles and short paragraphs of a line each are a unit a line."""
    assert units(text) == text.splitlines(keepends=True)


TORN = [
    ("第十二条 探索实行年薪制、协议工资制和有条件的兼职兼薪等多种薪酬方", "式，激发实验区的活力和动力。"),
    ("第三十三条 本条例规定的行政处罚，由城市绿化行政主管", "部门负责实施。"),
    ("责任单位、责任人应当对古树名木定期检查、复壮和病虫害", "防治。"),
    ("第三十条 禁止砍伐或者迁移古树名木。因特殊需要迁移古", "树名木的，按照法定程序审批。"),
    ("逾期未完成附属绿化工程的，责令限期完成，逾期未完成的，", "处绿化建设预算费用一倍以上三倍以下罚款。"),
    ("市绿化行政主管部门应当建立档案，落实养护责任单位，加强监", "督和技术指导。"),
]


@pytest.mark.parametrize(("before", "line"), TORN)
def test_a_law_torn_by_a_blank_line_goes_on(before: str, line: str) -> None:
    """A line of Chinese that ends in mid-sentence goes on behind a blank line; a paragraph that holds both says so."""
    assert goes_on(before, line)
    assert units(f"{before}\n\n{line}")[-1].endswith(f"{before[-5:]}\n\n{line}")


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("云岭乳业一季度净利下滑两成，低温奶成唯一亮色", "本报记者 沈棠 昆明报道"),
        ("2002年7月1日 施行", "第一条 为了巩固行政区域界线。"),
        ("对承诺的解释应按普通消费者的通常认知进行", "消费者权益保护典型案例"),
        ("每次制作前需要确定计划做几份，一份正好够 1 个人食用", "总量："),
        ("他来了，她走了。然后下雨了。", "天晴了。"),
        ("煮出来的粥是甜的，可以通过控制桂圆的数量控制甜度", "如果您发现有问题，请提出。"),
        ("The mill was built by Ann Lee in the year that was", "known to all."),
        ("", "天晴了。"),
        ("他来了", ""),
    ],
)
def test_other_paragraphs_end(before: str, line: str) -> None:
    """A title, an article, a finished sentence and two passages that were put together end where they end."""
    assert not goes_on(before, line)
    text = f"{before}\n\n{line}"
    if before and line:
        assert units(text)[0] == f"{before}\n\n"[: len(units(text)[0])]


@settings(max_examples=300, deadline=None)
@given(
    lines=st.lists(
        st.sampled_from(
            [
                "word",
                "Word on",
                "他，",
                "式，好。",
                "the",
                "Key: x",
                "12:01 x",
                "  x",
                "a.",
                "`x",
                "y`",
                "**a",
                "b**",
                "",
                "[a",
                "b](c)",
            ]
        ),
        min_size=1,
        max_size=12,
    )
)
def test_runs_are_the_lines(lines: list[str]) -> None:
    """Whatever is joined, the runs are the lines, none lost; the same whatever they are told of."""
    kept = [line + "\n" for line in lines]
    for wrapped in (True, False):
        assert "".join(runs(kept, wrapped=wrapped)) == "".join(kept)
    assert is_wrapped(kept) in (True, False)


@pytest.mark.parametrize(
    "bomb",
    ["a\n", "的\n", "的，\n", "a the\n", "[a\n", "**a\n", "`a\n", "a,\n", "\n", "> a\n", "A b\nc d\n"],
    ids=ascii,
)
def test_time_is_linear(bomb: str) -> None:
    """Twice the lines take about twice the time."""
    assert grows(units, bomb, 24_000) <= LINEAR
