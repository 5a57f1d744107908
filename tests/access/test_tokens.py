"""Tokens, and the cookies that stand for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_mpu.access.cookie import (
    MAX_COOKIES,
    PREFIX,
    Cookie,
    cookie_of,
    cookies_of,
    removal,
    setting,
)
from trio_mpu.access.tokens import MAX_TOKEN, MAX_TOKENS, Token, parse_tokens
from trio_mpu.errors import UsageError

ALICE, BOB = "a" * 16, "Bob-._~+/0123456=="
FILE = f"# who may read\n\nalice {ALICE}\n  bob\t{BOB}  \n"


def refusal(text: str) -> str:
    """The line that says what is wrong."""
    with pytest.raises(UsageError) as caught:
        parse_tokens(text)
    return str(caught.value)


def test_a_file_has_a_name_and_a_token_a_line() -> None:
    """Comments, empty lines and spaces around are for people."""
    tokens = parse_tokens(FILE)
    assert len(tokens) == 2
    for name, text in (("alice", ALICE), ("bob", BOB)):
        token = tokens.find(text)
        assert token is not None
        assert token.name == name
        assert token in tokens
        assert text not in repr(token)
        assert token.cookie.value not in repr(token)
    for wrong in ("", "alice", ALICE[1:], ALICE + "a", ALICE.upper(), "ä" * 16, "\udcff"):
        assert tokens.find(wrong) is None
    assert not any(tokens.find(f"{number:016}") for number in range(2000))
    assert Token.of("carol", ALICE) not in tokens


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no token in it"),
        ("# alice secretsecretsecret", "there is no token in it"),
        ("\n" + ALICE, "line 2: give a name and a token"),
        (f"alice my {ALICE}", "line 1: give a name and a token"),
        (f"al:ice {ALICE}", "line 1: a name has up to 64 letters"),
        (f"{'a' * 65} {ALICE}", "line 1: a name has"),
        (f"alice {ALICE[1:]}", "line 1: the token has 15 characters; give 16 to 256"),
        (f"alice {'a' * (MAX_TOKEN + 1)}", "line 1: the token has 257 characters"),
        (f"alice {ALICE}!", "line 1: a token has letters, digits"),
        (f"alice ={ALICE}", "line 1: a token has letters, digits"),
        (f"alice {ALICE}\nalice {BOB}", "line 2: it has the name of line 1"),
        (f"alice {ALICE}\n\nbob {ALICE}", "line 3: it has the token of line 1"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_without_any_token(text: str, words: str) -> None:
    """It has the number of the line."""
    message = refusal(text)
    assert message.startswith(words)
    assert not any(word in message for word in text.split() if len(word) > 14)


def test_there_are_so_many_tokens_and_no_more() -> None:
    """Each request is compared with all of them."""
    lines = [f"n{number} {number:016}" for number in range(MAX_TOKENS + 1)]
    assert len(parse_tokens("\n".join(lines[1:]))) == MAX_TOKENS
    assert refusal("\n".join(lines)) == "it has 65 tokens, and 64 are the most"


@given(st.text())
def test_no_text_is_an_unforeseen_error(text: str) -> None:
    """Tokens, or one line that does not repeat what it read."""
    said = ""
    try:
        parse_tokens(text)
    except UsageError as error:
        said = str(error)
    assert said == "" or said.isprintable()


def test_a_cookie_stands_for_its_token_and_is_not_the_token() -> None:
    """It ends with the token, also if another one gets its name."""
    tokens = parse_tokens(FILE)
    cookie = cookie_of("alice", ALICE)
    assert ALICE not in "".join(cookie)
    assert cookie.value.startswith("alice.")
    assert tokens.find_cookie([Cookie("x", "y"), cookie]) == tokens.find(ALICE)
    assert tokens.find_cookie([]) is None
    assert tokens.find(cookie.value) is None
    for other in (f"alice {BOB}", f"bob {ALICE}"):
        assert parse_tokens(other).find_cookie([cookie]) is None


def test_tokens_have_cookies_of_different_names() -> None:
    """Two servers on one host must not overwrite each other's, since browsers ignore the port."""
    assert cookie_of("a", ALICE).name != cookie_of("a", BOB).name


def test_a_header_of_cookies_is_looked_through_up_to_a_bound() -> None:
    """Those of other programs are left out."""
    assert cookies_of("") == []
    assert cookies_of(f"x=1; {PREFIX}a=b.c=; y; {PREFIX}") == [
        Cookie(f"{PREFIX}a", "b.c="),
        Cookie(PREFIX, ""),
    ]
    many = "; ".join(f"{PREFIX}{number}=x" for number in range(MAX_COOKIES + 5))
    assert len(cookies_of(many)) == MAX_COOKIES


def test_a_browser_keeps_the_cookie_to_itself() -> None:
    """Scripts and other sites don't get it; it has no Path, so its folder is that of the form."""
    cookie = Cookie("n", "v")
    assert setting(cookie, secure=False) == "n=v; Max-Age=2592000; HttpOnly; SameSite=Strict"
    assert setting(cookie, secure=True) == setting(cookie, secure=False) + "; Secure"
    assert removal(cookie) == "n=; Max-Age=0; HttpOnly; SameSite=Strict"
