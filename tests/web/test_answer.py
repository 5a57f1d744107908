"""The form of errors."""

import json

import pytest

from trio_mpu.web.answer import error_answer


@pytest.mark.parametrize("status", [400, 404, 405, 408, 413, 431, 501, 503, 505])
def test_an_error_is_json_with_its_reason(status: int) -> None:
    """One form for all; 503 says when to come back."""
    answer = error_answer(status, "why")
    assert answer.status == status
    word = "unavailable" if status == 503 else "error"
    assert json.loads(answer.body) == {"status": word, "reason": "why"}
    assert ("Retry-After" in dict(answer.headers)) == (status == 503)
    assert ("Allow" in dict(answer.headers)) == (status == 405)
