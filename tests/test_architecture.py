"""The structure, read from the source: who imports whom, and what every file has to keep to."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "trio_mpu"
MAINS = ("calibrate_main", "producer_main", "server_main")

# The pure core: given the same arguments, the same answer.
CORE = {
    "allan",
    "average",
    "backlog",
    "board",
    "calibration",
    "chipspec",
    "chronicle",
    "dies",
    "errors",
    "formats",
    "frames",
    "layout",
    "metrics",
    "pace",
    "positions",
    "registers",
    "report",
    "rest",
    "routes",
    "shape",
    "shortcut",
    "sample",
    "scan",
    "selftest",
    "settings",
    "snapshot",
    "sse",
    "timeline",
}
# All that the core may import from elsewhere: nothing here does I/O, waits or looks at a clock.
PURE = {
    "abc",
    "argparse",
    "collections",
    "collections.abc",
    "contextlib",
    "csv",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "itertools",
    "json",
    "math",
    "re",
    "statistics",
    "struct",
    "typing",
    "urllib.parse",
}
DEVICES = {
    *(
        "buses",
        "capture",
        "device",
        "i2c",
        "iio",
        "mpu6050",
        "polling",
        "replay",
        "simulator",
        "specs",
    ),
    "sysfs",
}
# Who must not import whom: each side of the system knows only its neighbour.
FORBIDDEN = (
    ({"http"}, {"ring"}),
    ({"hub"}, {"http"}),
    ({"hub"}, {"ring"}),
    ({"server", "http"}, DEVICES),
    ({"producer"}, {"http"}),
    ({"supervisor"}, {"http", "hub", "ring", "server", "worker"}),
)
MAX_LINES = 300
MAX_MAIN_LINES = 40


class Tree:
    """The project's source below a root folder."""

    def __init__(self, root: Path) -> None:
        self.text = {path.stem: path.read_text() for path in sorted((root / PACKAGE).glob("*.py"))}
        self.mains = {name: (root / f"{name}.py").read_text() for name in MAINS}
        self.ast = {
            name: ast.parse(text, name) for name, text in {**self.text, **self.mains}.items()
        }
        names = {name: set(imported(tree)) for name, tree in self.ast.items()}
        self.inner = {name: set(self._inner(modules)) - {name} for name, modules in names.items()}
        self.outer = {
            name: {module for module in modules if module.partition(".")[0] != PACKAGE}
            for name, modules in names.items()
        }

    def _inner(self, modules: set[str]) -> Iterator[str]:
        for module in modules:
            package, _, name = module.partition(".")
            if package == PACKAGE and name.partition(".")[0] in self.text:
                yield name.partition(".")[0]
            elif package in MAINS:
                yield package

    def faults(self) -> list[str]:
        """All that is not as it should be."""
        return [
            *self.cycles(),
            *self.impurities(),
            *self.forbidden(),
            *self.overlong(),
            *self.undocumented(),
        ]

    def cycles(self) -> Iterator[str]:
        """Modules that import themselves, directly or through others."""
        for name in self.inner:
            reached, todo = set[str](), [name]
            while todo:
                new = self.inner[todo.pop()] - reached
                reached |= new
                todo += new
            if name in reached:
                yield f"{name} imports itself through others"

    def impurities(self) -> Iterator[str]:
        """What in the core isn't pure."""
        for name in sorted(CORE & self.text.keys()):
            for module in sorted(self.outer[name] - PURE):
                yield f"core {name} imports {module}"
            for module in sorted(self.inner[name] - CORE):
                yield f"core {name} imports shell {module}"
            for node in ast.walk(self.ast[name]):
                match node:
                    case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                        yield f"core {name} is async in line {node.lineno}"
                    case ast.Call(func=ast.Name(id="open" | "print" | "input" | "__import__")):
                        yield f"core {name} does I/O in line {node.lineno}"

    def forbidden(self) -> Iterator[str]:
        """Imports against the arrows."""
        for importers, targets in FORBIDDEN:
            for name in sorted(importers & self.inner.keys()):
                for target in sorted(self.inner[name] & targets):
                    yield f"{name} imports {target}"
        for name in sorted(self.inner):
            for main in sorted(self.inner[name] & set(MAINS)):
                yield f"{name} imports the main {main}"

    def overlong(self) -> Iterator[str]:
        """Files that nobody can take in at once."""
        for texts, limit in ((self.text, MAX_LINES), (self.mains, MAX_MAIN_LINES)):
            for name, text in texts.items():
                if (lines := len(text.splitlines())) > limit:
                    yield f"{name} has {lines} lines"

    def undocumented(self) -> Iterator[str]:
        """Modules and public names without a docstring."""
        for name, tree in self.ast.items():
            for path, node in public(tree, name):
                if not ast.get_docstring(node):
                    yield f"{path} has no docstring"


def imported(tree: ast.AST) -> Iterator[str]:
    """The full names of all that is imported, wherever in the file; of `from a import b` both a
    and a.b, since b may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = f"{PACKAGE}.{module}".rstrip(".")
            yield module
            if module.partition(".")[0] == PACKAGE:
                yield from (f"{module}.{alias.name}" for alias in node.names)


Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public(node: Documented, path: str) -> Iterator[tuple[str, Documented]]:
    """The node and the public classes, functions and methods directly within it."""
    yield path, node
    if isinstance(node, ast.Module | ast.ClassDef):
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
                not child.name.startswith("_")
            ):
                yield from public(child, f"{path}.{child.name}")


def test_the_structure_is_as_it_is_meant_to_be() -> None:
    """No cycle, a pure core, no import against the arrows, no file too long, none unexplained."""
    assert Tree(ROOT).faults() == []


def test_every_room_of_the_core_is_there() -> None:
    """A file that is renamed doesn't slip out of the rules."""
    tree = Tree(ROOT)
    assert tree.text.keys() >= CORE
    for importers, targets in FORBIDDEN:
        assert tree.text.keys() >= importers | targets


def test_everything_of_the_house_is_in_use() -> None:
    """No file that no program reaches."""
    tree = Tree(ROOT)
    reached, todo = set[str](), list(MAINS)
    while todo:
        new = tree.inner[todo.pop()] - reached
        reached |= new
        todo += new
    assert tree.text.keys() - reached == {"__init__"}


# -- does the checker see what it should? -------------------------------------------------------

SOUND = {
    "__init__": '"""It."""',
    "errors": '"""It."""\n',
    "sample": '"""It."""\nimport re\nfrom trio_mpu.errors import UsageError\n',
    "device": '"""It."""\nimport trio\nfrom trio_mpu import sample\n',
    "ring": '"""It."""\nimport mmap\nfrom trio_mpu.sample import Sample\n',
    "hub": '"""It."""\nfrom trio_mpu import sample\n',
    "http": '"""It."""\nfrom trio_mpu.hub import Hub\n',
    "server": '"""It."""\nfrom trio_mpu.http import serve\nfrom trio_mpu import ring\n',
    "producer": '"""It."""\nfrom trio_mpu import device, ring\n',
}


def small_house(root: Path, **additions: str) -> Tree:
    """A small project of this structure, with something added to some files."""
    (root / PACKAGE).mkdir(exist_ok=True)
    for name, text in SOUND.items():
        (root / PACKAGE / f"{name}.py").write_text(text + "\n" + additions.get(name, ""))
    for name in MAINS:
        text = f'"""It."""\nfrom {PACKAGE}.{name.partition("_")[0]} import run\n'
        (root / f"{name}.py").write_text(text + additions.get(name, ""))
    return Tree(root)


def test_a_sound_house_has_no_faults(tmp_path: Path) -> None:
    """The checker is content with what is right."""
    tree = small_house(tmp_path)
    assert tree.faults() == []
    assert tree.inner["producer"] == {"device", "ring"}
    assert tree.outer["ring"] == {"mmap"}


@pytest.mark.parametrize(
    ("name", "addition", "fault"),
    [
        ("sample", "import trio", "core sample imports trio"),
        ("sample", "import os.path", "core sample imports os.path"),
        ("sample", "from time import monotonic", "core sample imports time"),
        ("sample", "from urllib import request", "core sample imports urllib"),
        ("sample", "def _f():\n    import socket", "core sample imports socket"),
        ("sample", "from trio_mpu.ring import x", "core sample imports shell ring"),
        ("errors", "if 0:\n    from trio_mpu import device", "core errors imports shell device"),
        ("errors", "from . import device", "core errors imports shell device"),
        ("errors", "from .device import x", "core errors imports shell device"),
        ("sample", "async def _f(): pass", "core sample is async in line 5"),
        ("sample", "_x = open('/etc/passwd')", "core sample does I/O in line 5"),
        ("errors", "from trio_mpu import sample", "errors imports itself through others"),
        ("device", "import trio_mpu.producer", "producer imports itself through others"),
        ("http", "from trio_mpu.ring import RingReader", "http imports ring"),
        ("hub", "from trio_mpu import http", "hub imports http"),
        ("server", "from trio_mpu import device", "server imports device"),
        ("producer", "import trio_mpu.http", "producer imports http"),
        ("ring", "import producer_main", "ring imports the main producer_main"),
        ("server_main", "from producer_main import main", "server_main imports the main producer"),
        ("hub", "\n" * 300, "hub has 303 lines"),
        ("server_main", "\n" * 40, "server_main has 42 lines"),
        ("hub", "def f(): pass", "hub.f has no docstring"),
        ("hub", "async def f(): pass", "hub.f has no docstring"),
        ("hub", "class C:\n    'It.'\n    def f(self): pass", "hub.C.f has no docstring"),
        ("hub", "class C:\n    def _f(self): pass", "hub.C has no docstring"),
    ],
)
def test_each_kind_of_fault_is_seen(tmp_path: Path, name: str, addition: str, fault: str) -> None:
    """A house with one fault is found to have it."""
    found = small_house(tmp_path, **{name: addition}).faults()
    assert any(each.startswith(fault) for each in found), found
