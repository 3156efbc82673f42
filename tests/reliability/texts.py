"""Texts that break text tools, in tables by what is bad about them; shared by the tests of this folder.

The lists follow what others' issue trackers tell of splitters, tokenizers and offsets.
"""

from __future__ import annotations

QUERY = "Who built the mill?"
TEXT = "The mill was built in 1842 by Ann Lee. It burned down twice, and nobody knows why. The Moon causes tides."

EMPTY = [
    "",
    " ",
    "\n\n",
    "\t",
    "\u3000",
    "\u2028",
    "\r\n",
    "a",
    "!",
    "!!!",
    "...",
    "。",
    "\x00",
    "\u200b",
    "\ufeff",
    "\ud800",
]

# One character or one short pattern for ever: 100,000 characters of each.
RUNS = [
    *("a", "A", "_", "的", "1", " ", "\n", "\r\n", "\u3000", "\u2028", " \n", "--\n", "-- \n", "\u0301", "ʰ", "ß"),
    *(
        "\ufdfa",
        "\u1100",
        "ก",
        "🙂",
        "\u200b",
        "\u200d",
        "\u202e",
        "\U000e0041",
        "\ufe0f",
        "\x00",
        "\ud800",
        "ヿ",
        "Aa",
    ),
]

# What splitters have been quadratic, or worse, on.
BOMBS = [
    *("“", "”", "‘", "«", "„", "「", '"', "'", "`", "```\n", "~~~\n", "((((", "[[", "))))", "【", "《", "<", "&"),
    *(
        ". ",
        ".",
        "!",
        "? ",
        "…",
        "。",
        "...",
        ". . ",
        "!)",
        '."',
        '. "',
        "Dr. ",
        "e.g. ",
        "A. ",
        "a.B",
        "1. ",
        "1.1.1 ",
    ),
    *(
        "..[111 111 ",
        '<iframe src="',
        "<!--",
        "</",
        "http://a.b/c?d=e&",
        "a@b.c ",
        "@.@",
        "$1.00 ",
        "1,000 ",
        "a, ",
        "，",
    ),
    *(
        "# \n",
        "# a\n",
        "- ",
        "- a\n",
        "1) a\n",
        "| a ",
        "|\n",
        "|-|\n",
        "a\n=\n",
        "a\n\n",
        "k: v\n",
        "a\n ",
        "\\",
        "*_",
        "--",
    ),
    *(
        "Yahoo! is ",
        "p. 3 ",
        "item 1. ",
        "U.S. ",
        "H2\n2 ",
        "fall ill. P",
        "\t ",
        "\x85",
        "'s ",
        "’",
        "etc. A",
        "word.Next ",
    ),
]

UNICODE = [
    *("？……", "Wait… ok", "ﬃ ﬁ", "ヿ", "½①", "\ufdfa", "e\u0301cole", "\u1112\u1161\u11ab\u1100\u1173\u11af"),
    *("Z\u0351\u036b\u0343a\u0363\u0349l\u0348g\u0352o\u0321", "Ｆｕｌｌ　ｗｉｄｔｈ．", "a\u00a0b"),
    *("a\u2028b\u2029c", "a\r\nb\rc\n"),
    *("a\x00b", "a\x10b", "\ufeffa", "👩\u200d👩\u200d👧\u200d👦 came.", "𝔘𝔫𝔦code 😀a😀"),
    *("a\u202eb\u202cc", "wo\u200brd"),
    *("ภาษาไทยไม่มีช่องว่าง", "ພາສາລາວ", "می\u200cخواهم", "עברית. and English.", "क्\u200dष", "İstanbul ıI"),
    *("ǅ ŉ ΐ", "a\u0338>"),
    *("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "1\ufe0f\u20e3"),
    *("\U0010ffff\ufffe", "\u0600١٢"),
]  # fmt: skip

SURROGATES = ["a\ud800b", "\udc00\ud800", "\ud800", "\udfff.", "Ann\udc80 Lee. It\ud83d burned.", "\ud83d\ude00"]

SPECIAL = [
    *("<s>", "</s>", "<pad>", "<unk>", "<mask>", "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]", "</s></s>", "<s></s>"),
    *(
        "<|endoftext|>",
        "<|padding|>",
        "<|im_start|>",
        "＜/s＞",
        "［SEP］",
        "< /s >",
        "[ SEP ]",
        "</S>",
        "[sep]",
        "▁</s>",
    ),
    *(
        "<0x0A>",
        "<|fim_prefix|>",
        "<｜begin▁of▁sentence｜>",
        "<</s>/s>",
        "</s",
        "[SE[SEP]P]",
        "<bos>",
        "<eos>",
        "[unused1]",
    ),
]
