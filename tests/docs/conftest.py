"""What the tests of the documentation share."""

import pytest


@pytest.fixture(autouse=True)
def _time_for_all_forms() -> None:
    """Leave the bound as it is: it is compared with what is written of it."""
