"""The tables and the code of the documentation, for the tests that hold it to the programs."""

import re


def table(page: str, heading: str) -> list[dict[str, str]]:
    """Return the rows of the first table below a heading, by the names of its columns."""
    _, found, section = page.partition(f"# {heading}\n")
    assert found, f"there is no heading {heading!r}"
    first = tables(section)[:1]
    assert first, f"there is no table below {heading!r}"
    return first[0]


def tables(page: str) -> list[list[dict[str, str]]]:
    """Return the rows of each table, by the names of its columns."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        head, _, *rows = (_cells(line) for line in block.splitlines())
        found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found


def messages(page: str) -> list[str]:
    """Return what all columns `message` quote."""
    rows = [row["message"] for rows in tables(page) for row in rows if "message" in row]
    assert all(re.fullmatch("`[^`]+`", row) for row in rows), rows
    return [row.strip("`") for row in rows]


def code_blocks(page: str, language: str) -> list[str]:
    """Return the code of each block that is marked with this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
