"""Random text over all of Unicode, for comparing tokenizers."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable

# Of scripts with and without spaces, with marks of every kind.
SENTENCES = (
    "The quick brown fox doesn't jump over 13 lazy dogs; it's 7:45 p.m., isn't it?",
    "Turn on the lights in the living room, and set the heating to 21.5 degrees.",
    "Schalte das Licht im Wohnzimmer aus! Größe, Straße, übermäßig, Käse.",
    "L\u2019été dernier, nous étions à la plage\u00a0; c\u2019était agréable, naïve café.",
    "¿Dónde está la biblioteca? El niño comió piñas y jugó mañana.",
    "Включи свет в гостиной, пожалуйста. Температура двадцать один градус, ёлка.",
    "Άναψε τα φώτα στο σαλόνι. Γρήγορη αλεπού, ΟΔΥΣΣΕΥΣ.",
    "打开客厅的灯,把温度调到二十一度。这家酒店的房间很干净,服务态度也不错。",
    "東京の天気はどうですか。リビングの電気を消してください。ガギグゲゴ",
    "거실 불을 켜 주세요. 온도를 이십일 도로 맞춰 줘.",
    "เปิดไฟในห้องนั่งเล่น อุณหภูมิยี่สิบเอ็ดองศา",
    "أشعل الضوء في غرفة المعيشة، من فضلك. ١٢٣ درجة",
    "הדלק את האור בסלון בבקשה, שָׁלוֹם.",
    "बैठक की बत्ती जलाओ, तापमान इक्कीस डिग्री करो। हिन्दी क्षेत्र",
    "Bật đèn phòng khách lên, đặt nhiệt độ hai mươi mốt độ. Tiếng Việt",
    "naïve cafe\u0301 \u2126 \ufb01n ① \uff12\uff11 \uff46ull \u3000 👩\u200d👩\u200d👧 🙂 #tag @user x=y_2 <b>",
    "def f(x):\n    return x**2 + 3\t# comment\n\n\nprint(f(10_000))",
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_NON_STARTERS = [p for p in range(0x110000) if unicodedata.combining(chr(p))]
_ODD = [0, 9, 10, 11, 12, 13, 0x85, 0xA0, 0xAD, 0x130, 0x345, 0x3A3, 0x1E9E, 0x2028, 0x200B, 0x200D, 0x302E, 0x3000]
_ODD += [0xFEFF, 0xFFFD, 0x1D165, 0x1D166, 0xE0001]
_SNIPPETS = [
    *SPECIAL,
    "[cls]",
    "[CLS",
    "[[SEP]]",
    " [MASK] ",
    "[MASK][MASK]",
    "##ing",
    "the",
    "running",
    "<mask>",
    " <mask>  ",
    "</s>",
    "▁",
    "CAFÉ",
    "  ",
]

_ALPHABETS: list[Callable[[random.Random], int]] = [
    lambda r: r.randrange(0x80),
    lambda r: r.randrange(0x370),
    lambda r: r.randrange(0x3400),
    lambda r: r.randrange(0x4E00, 0xA000),
    lambda r: r.randrange(0xAC00, 0xD7A4),
    lambda r: r.randrange(0x1100, 0x1200),
    lambda r: r.randrange(0xE000, 0x10000),
    lambda r: r.randrange(0x10000, 0x20000),
    lambda r: r.randrange(0x1F000, 0x20000),
    lambda r: r.randrange(0x20000, 0x30000),
    lambda r: r.randrange(0xE0000, 0x110000),
    lambda r: r.randrange(0x110000),
    lambda r: r.choice(_NON_STARTERS),
    lambda r: r.choice(_ODD),
]


def random_text(r: random.Random) -> str:
    """Text over one to three alphabets or all of them, up to 150 characters, some with snippets that look special."""
    alphabets = r.sample(_ALPHABETS, r.choice([1, 1, 2, 3, len(_ALPHABETS)]))
    parts = []
    for _ in range(r.choice([1, 3, 8, 20, 60, 150])):
        if r.random() < 0.06:
            parts.append(r.choice(_SNIPPETS))
        point = r.choice(alphabets)(r)
        if not 0xD800 <= point < 0xE000:  # surrogates are no text
            parts.append(chr(point))
    return "".join(parts)
