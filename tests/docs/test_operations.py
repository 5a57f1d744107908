"""docs/operations.md, held to the code: a row for each message that is not of a sensor."""

import re
from typing import Final

from tests.helpers.messages import ROOT, all_messages, is_of_a_sensor, is_of_an_import, pattern
from tests.helpers.pages import messages

TEXT: Final = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def found() -> set[str]:
    """The texts that belong into a table of this page, any of them."""
    return {
        message.text
        for message in all_messages()
        if not is_of_a_sensor(message) and not is_of_an_import(message)
    }


def test_each_message_has_a_row() -> None:
    """That says what it means, and what to do."""
    assert len(found()) > 70
    rows = [pattern(row) for row in messages(TEXT)]
    assert [text for text in sorted(found()) if not any(row.fullmatch(text) for row in rows)] == []


def test_each_row_is_a_message_of_the_code() -> None:
    """None is left of what was changed."""
    code = found()
    rows = messages(TEXT)
    assert [row for row in rows if not any(pattern(row).fullmatch(text) for text in code)] == []


def test_no_row_fits_anything() -> None:
    """Beside what differs it has a word of the message."""
    assert [row for row in messages(TEXT) if not re.search("[A-Za-z]{4}", row)] == []


def test_no_message_has_two_rows() -> None:
    """Each is looked up in one place."""
    rows = messages(TEXT)
    assert sorted(set(rows)) == sorted(rows)
