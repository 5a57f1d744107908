"""What every file has to keep to, beyond the imports that pyproject.toml's contracts allow."""

import ast
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = "trio_mpu"
MAINS = ("producer_main.py", "server_main.py")

# The first line of a file of the pure core: given the same arguments, it gives the same answer.
MARK = "# Pure: no I/O, no clock, no waiting.\n"
# All that the core may import from elsewhere: nothing here does I/O, waits or looks at a clock.
PURE = {
    *(
        "abc",
        "argparse",
        "array",
        "bisect",
        "collections",
        "collections.abc",
        "contextlib",
        "csv",
        "dataclasses",
    ),
    *("decimal", "enum", "fractions", "functools", "hashlib", "hmac", "ipaddress", "itertools"),
    *("json", "math"),
    *("operator", "re", "statistics", "struct", "typing", "urllib.parse", "zlib"),
    "prometheus_client.metrics_core",
}
MAX_LINES = 300
MAX_MAIN_LINES = 40


def sources(root: Path) -> dict[str, str]:
    """The text of every file of the product, by its path below `root`."""
    paths = [*(root / PACKAGE).rglob("*.py"), *(root / name for name in MAINS)]
    return {str(path.relative_to(root)): path.read_text() for path in sorted(paths)}


def faults(files: dict[str, str]) -> list[str]:
    """Everything in these files that is not as it should be."""
    core = {path for path, text in files.items() if text.startswith(MARK)}
    found = []
    for path, text in files.items():
        tree = ast.parse(text, path)
        limit = MAX_MAIN_LINES if path in MAINS else MAX_LINES
        if (lines := len(text.splitlines())) > limit:
            found.append(f"{path} has {lines} lines")
        found += [
            f"{name} has no docstring" for name, node in public(tree, path) if not documented(node)
        ]
        if path in core:
            found += impurities(tree, path, core)
    return found


def impurities(tree: ast.Module, path: str, core: set[str]) -> Iterator[str]:
    """What in a file of the core isn't pure."""
    for module in sorted(imported(tree)):
        if module.partition(".")[0] == PACKAGE:
            if f"{module.replace('.', '/')}.py" not in core:
                yield f"{path} imports {module}, which is not marked as pure"
        elif module not in PURE:
            yield f"{path} imports {module}"
    for node in ast.walk(tree):
        match node:
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                yield f"{path} is async in line {node.lineno}"
            case ast.Call(func=ast.Name(id="open" | "print" | "input" | "__import__")):
                yield f"{path} does I/O in line {node.lineno}"


def imported(tree: ast.Module) -> Iterator[str]:
    """The full names of all modules that are imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            folder = ROOT.joinpath(*module.split("."))
            # `from package import module`, or `from module import name`
            if module.partition(".")[0] == PACKAGE and folder.is_dir():
                yield from (f"{module}.{alias.name}" for alias in node.names)
            else:
                yield module


Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def documented(node: Documented) -> bool:
    """Whether there is a docstring."""
    return bool(ast.get_docstring(node))


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
    """A pure core, no file too long, none unexplained."""
    assert faults(sources(ROOT)) == []


def test_the_core_has_not_lost_its_marks() -> None:
    """A file that loses its mark would slip out of the rules and of the coverage gate."""
    assert sum(text.startswith(MARK) for text in sources(ROOT).values()) >= 28


def test_every_file_is_reached_by_a_program() -> None:
    """No file that no program imports, directly or through others."""
    graph = grimp.build_graph(PACKAGE)
    reached = set[str]()
    todo = {name for main in MAINS for name in imported(ast.parse((ROOT / main).read_text()))}
    todo &= graph.modules
    while todo:
        reached |= todo
        todo = {
            name for each in todo for name in graph.find_modules_directly_imported_by(each)
        } - reached
    packages = {name for name in graph.modules if graph.find_children(name)}
    assert graph.modules - packages - reached == set()


# -- does the checker see what it should? -------------------------------------------------------

SOUND = {
    "trio_mpu/sample.py": f'{MARK}"""It."""\nimport re\nfrom trio_mpu.errors import UsageError\n',
    "trio_mpu/errors.py": f'{MARK}"""It."""\n',
    "trio_mpu/device.py": '"""It."""\nimport trio\nfrom trio_mpu import sample\n',
    "server_main.py": '"""It."""\nfrom trio_mpu.http import serve\n',
}


@pytest.mark.parametrize(
    ("path", "addition", "fault"),
    [
        ("trio_mpu/device.py", "", ""),
        ("trio_mpu/sample.py", "import trio", "imports trio"),
        ("trio_mpu/sample.py", "import os.path", "imports os.path"),
        ("trio_mpu/sample.py", "from time import monotonic", "imports time"),
        ("trio_mpu/sample.py", "from urllib import request", "imports urllib"),
        ("trio_mpu/sample.py", "def _f():\n    import socket", "imports socket"),
        ("trio_mpu/sample.py", "from trio_mpu.ring import x", "imports trio_mpu.ring, which is"),
        ("trio_mpu/sample.py", "from trio_mpu import device", "imports trio_mpu.device, which is"),
        ("trio_mpu/sample.py", "async def _f(): pass", "is async in line 5"),
        ("trio_mpu/sample.py", "_x = open('/etc/passwd')", "does I/O in line 5"),
        ("trio_mpu/device.py", "\n" * 300, "has 303 lines"),
        ("server_main.py", "\n" * 40, "has 42 lines"),
        ("trio_mpu/device.py", "def f(): pass", ".f has no docstring"),
        ("trio_mpu/device.py", "async def f(): pass", ".f has no docstring"),
        ("trio_mpu/device.py", "class C:\n    'It.'\n    def f(self): pass", ".C.f has no docstr"),
        ("trio_mpu/device.py", "class C:\n    def _f(self): pass", ".C has no docstring"),
    ],
)
def test_each_kind_of_fault_is_seen(path: str, addition: str, fault: str) -> None:
    """A house with one fault is found to have it; a sound one is found to have none."""
    found = faults({**SOUND, path: SOUND[path] + addition})
    assert len(found) == bool(fault)
    assert all(
        each.startswith(f"{path}{fault}" if fault[0] == "." else f"{path} {fault}")
        for each in found
    )
