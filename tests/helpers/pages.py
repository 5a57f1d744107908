"""The tables of the documentation, for the tests that hold it to the code."""

import re


def table(page: str, heading: str) -> list[dict[str, str]]:
    """Return the rows of the first table below a heading, by the names of its columns."""
    _, found, section = page.partition(f"# {heading}\n")
    assert found, f"there is no heading {heading!r}"
    lines = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert lines, f"there is no table below {heading!r}"
    head, _, *rows = (_cells(line) for line in lines[0].splitlines())
    return [dict(zip(head, row, strict=True)) for row in rows]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
