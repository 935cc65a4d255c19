"""The rules that the layout stands for, read from the imports. The README says where things are."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOTS = {"lambda": ROOT / "lambda", "infra": ROOT / "infra", "cli": ROOT / "cli", "local": ROOT, "bench": ROOT}
MOST_FILES = 12


def modules() -> dict[str, Path]:
    """Every module of the sources, by its name."""
    found = {}
    for top, root in ROOTS.items():
        for path in (ROOT / top).rglob("*.py"):
            name = path.relative_to(root).with_suffix("").parts
            found[".".join(name[:-1] if name[-1] == "__init__" else name)] = path
    return found


MODULES = modules()


def imported(module: str) -> set[str]:
    """The modules of ours, or of the tests, that a module imports; wherever in it that is, and for types alone too."""
    names = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
    # `from package import module` imports the module; that the package is imported first makes no cycle.
    named = {name for name in names if name in MODULES or name.split(".")[0] == "tests"}
    return {name for name in named if not any(other.startswith(f"{name}.") for other in named)} - {module}


IMPORTS = {module: imported(module) for module in MODULES}


def arrows(prefix: str) -> set[tuple[str, str]]:
    """Which room of a package imports from which other."""
    found = set()
    for module, others in IMPORTS.items():
        for other in others:
            if module.startswith(f"{prefix}.") and other.startswith(f"{prefix}."):
                found.add(
                    (module.removeprefix(f"{prefix}.").split(".")[0], other.removeprefix(f"{prefix}.").split(".")[0])
                )
    return {(one, other) for one, other in found if one != other}


def test_there_is_something_to_read() -> None:
    assert len(MODULES) > 100
    assert "handshake_core.retry" in IMPORTS["handshake_acceptor.reconcile"]
    assert ("commands", "account") in arrows("handshakectl")


def test_no_module_imports_itself_by_way_of_others() -> None:
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as cycle:
        pytest.fail(f"an import cycle: {' -> '.join(cycle.args[1])}")


@pytest.mark.parametrize("package", ["handshake_acceptor_cdk", "handshakectl", "local"])
def test_no_room_imports_itself_by_way_of_others(package: str) -> None:
    graph: dict[str, set[str]] = {}
    for one, other in arrows(package):
        graph.setdefault(one, set()).add(other)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        pytest.fail(f"rooms that need each other: {' -> '.join(cycle.args[1])}")


@pytest.mark.parametrize("top", ROOTS)
def test_a_folder_has_at_most_twelve_files(top: str) -> None:
    folders = {path.parent for path in (ROOT / top).rglob("*.py")}
    counts = {str(folder.relative_to(ROOT)): len(list(folder.glob("*.py"))) for folder in folders}
    assert {name: count for name, count in counts.items() if count > MOST_FILES} == {}


def test_no_command_is_a_library_of_another() -> None:
    commands = {module for module in MODULES if module.startswith("handshakectl.commands.")}
    users = {(module, other) for module, others in IMPORTS.items() for other in others & commands}
    assert {other.rpartition(".")[2] for _, other in users} == {"options"}


def test_arrows_point_down() -> None:
    """Rooms of one line know nothing of each other."""
    lines = [{"stacks"}, {"functions", "events", "monitoring"}, {"settings"}, {"asset"}]
    rank = {room: number for number, line in enumerate(lines) for room in line}
    wrong = {(a, b) for a, b in arrows("handshake_acceptor_cdk") if a in rank and b in rank and rank[a] >= rank[b]}
    assert wrong == set()


def test_benchmarks_and_tests_do_not_import_each_other() -> None:
    assert {
        module for module, others in IMPORTS.items() if any(each.split(".")[0] == "tests" for each in others)
    } == set()
    texts = {path: path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py")}
    imports = {path: ast.walk(ast.parse(text)) for path, text in texts.items() if "bench" in text}
    assert [
        path
        for path, nodes in imports.items()
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "bench"
    ] == []


def test_what_is_deployed_knows_nothing_of_the_tools() -> None:
    ours = {"handshake_core", "handshake_acceptor", "handshake_relay"}
    for module, others in IMPORTS.items():
        if module.split(".")[0] in ours:
            assert {other.split(".")[0] for other in others} <= ours, module
