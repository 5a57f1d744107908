"""The messages of the code: what it logs and raises, found in its syntax trees.

`…` stands for what differs from one message to the next.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

from trio_mpu import errors

ROOT: Final = Path(__file__).parents[2]
LEVELS: Final = {"info", "warning", "error", "exception", "critical"}  # debug is for developers
# These end in an answer, or in the quiet close of a connection: the log has neither.
QUIET: Final = {"RequestError", "ClientGone"}
SENSOR_ERRORS: Final = {"DeviceError", "NoDevice", "NoSampleYet", "EndOfReplay"}
# argparse makes a usage error of its own kind.
ERRORS: Final = {name for name, _ in inspect.getmembers(errors, inspect.isclass)} - QUIET | {
    "ArgumentTypeError"
}


class Message(NamedTuple):
    """A text, the error or log level that has it, and the file, relative to the root."""

    text: str
    kind: str
    path: str


@cache
def all_messages() -> list[Message]:
    """What the programs can log, or end with."""
    paths = [*(ROOT / "trio_mpu").rglob("*.py"), *ROOT.glob("*_main.py")]
    return [message for path in sorted(paths) for message in _messages(path)]


def all_strings() -> Iterator[tuple[str, str]]:
    """Each string of the package with its file, whatever it is for; docstrings left out."""
    for path in sorted((ROOT / "trio_mpu").rglob("*.py")):
        where = str(path.relative_to(ROOT))
        tree = ast.parse(path.read_text("utf-8"))
        left_out: set[ast.AST] = set()
        for node in ast.walk(tree):
            match node:
                case ast.Expr(value=ast.Constant() as docstring):
                    left_out.add(docstring)
                case ast.JoinedStr(values=parts):
                    left_out.update(parts)
                    yield from ((text, where) for text in _texts(node, tree))
                case ast.Constant(value=str(text)) if node not in left_out:
                    yield text, where


def is_of_a_sensor(message: Message) -> bool:
    """Whether docs/sensors.md has it, not docs/operations.md; that has all of a calibration."""
    if "Calibration" in message.kind or is_of_an_import(message):
        return False
    return message.path.startswith("trio_mpu/sensors/") or message.kind in SENSOR_ERRORS


def is_of_an_import(message: Message) -> bool:
    """Whether docs/import.md has it."""
    return message.path.startswith("trio_mpu/importing/")


@cache
def pattern(row: str) -> re.Pattern[str]:
    """What fits a row's message, where `…` is anything."""
    return re.compile(".*".join(map(re.escape, row.split("…"))))


def _messages(path: Path) -> Iterator[Message]:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=kind) | ast.Attribute(attr=kind), args=[said, *_]) if (
                kind in ERRORS
            ):
                pass
            case ast.Raise(exc=ast.Call(func=ast.Name(id=kind), args=[said, *_])) if kind.islower():
                pass  # a class that a variable holds, or a function that makes an error
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log"), attr=kind), args=[said, *_]
            ) if kind in LEVELS:
                pass
            case _:
                continue
        for text in _texts(said, tree):
            if re.search("[A-Za-z]{3}", text):  # not just the text of another error
                yield Message(text, kind, str(path.relative_to(ROOT)))


def _texts(node: ast.expr, tree: ast.Module) -> list[str]:
    """The texts that an expression of this module can make."""
    match node:
        case ast.Constant(value=str(text)):
            return [re.sub(r"%[-+#0-9.]*[a-z]", "…", text)]
        case ast.JoinedStr(values=parts):
            return ["".join(each) for each in product(*(_texts(part, tree) for part in parts))]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [a + b for a in _texts(left, tree) for b in _texts(right, tree)]
        case ast.IfExp(body=body, orelse=other):
            return _texts(body, tree) + _texts(other, tree)
        case ast.Subscript(value=whole, slice=ast.Slice()):
            return _texts(whole, tree)
        case ast.Name(id=name):
            return _assigned(name, tree) or ["…"]
        case ast.Call(func=ast.Name(id=name)):
            return _returned(name, tree) or ["…"]
    return ["…"]


def _assigned(name: str, tree: ast.Module) -> list[str]:
    """The text of a constant of the module."""
    for node in tree.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value):
                if target == name:
                    return _texts(value, tree)
    return []


def _returned(name: str, tree: ast.Module) -> list[str]:
    """The texts that a function of the module returns."""
    functions = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name
    ]
    return [
        text
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Return) and node.value is not None
        for text in _texts(node.value, tree)
    ]
