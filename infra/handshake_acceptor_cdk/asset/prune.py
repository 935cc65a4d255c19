"""What the functions do not carry of their dependencies: what never runs, and what of botocore's models is not called.

A service's model is documentation and operations of no use here, but for a hundredth, and botocore reads all of it at
every start. A client of a pruned model can make no other call.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from handshake_acceptor_cdk.asset.build_failed import BuildFailed

# By folder, all that stays of it.
_KEPT: Final = {
    "aws_lambda_powertools": (
        *("__init__.py", "exceptions", "logging", "metrics", "package_logger.py", "shared", "tracing"),
        *("utilities", "warnings"),
    ),
    "aws_lambda_powertools/utilities": ("__init__.py", "jmespath_utils", "typing"),
}
# What would run only in a browser, on Windows, in somebody's build, or with a package that is not here.
_DROPPED: Final = (
    "bin",
    "botocore/stub.py",
    "dateutil/rrule.py",
    "dateutil/tz/win.py",
    "dateutil/tzwin.py",
    "dateutil/zoneinfo",
    "fastjsonschema/__main__.py",
    "tenacity/tornadoweb.py",
    "urllib3/contrib/emscripten",
    "urllib3/contrib/socks.py",
)
# What pip writes about this installation of a wheel, which nothing reads; licences and METADATA stay.
_PIP_NOTES: Final = ("RECORD", "INSTALLER", "REQUESTED")

_MODIFIED: Final = (
    "This botocore was changed for handshake-acceptor: data/ holds only the models, operations and endpoints that its\n"
    "function uses, without documentation, and docs/ no longer writes texts for help().\n"
)
"""What its licence asks for."""

_DATA: Final = "botocore/data"
_DOCS: Final = "botocore/docs"
_DOCSTRING: Final = '''"""In place of what writes help() texts from a model's documentation, which is not here."""


class LazyLoadedDocstring(str):
    """No text, whatever it would be made of."""

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)


ClientMethodDocstring = PaginatorDocstring = WaiterDocstring = LazyLoadedDocstring
'''


def prune(folder: Path, services: Collection[str], operations: Collection[str]) -> None:
    """Takes out of an installation what functions that call only these never need. Raises `BuildFailed`."""
    for name in _DROPPED:
        _remove(_there(folder / name))
    for name, kept in _KEPT.items():
        for each in kept:
            _there(folder / name / each)
        _keep(folder / name, kept)
    for notes in folder.glob("*.dist-info"):
        for name in _PIP_NOTES:
            (notes / name).unlink(missing_ok=True)
    for notes in folder.glob("botocore-*.dist-info"):
        (notes / "MODIFIED").write_text(_MODIFIED)
    _silence_help(folder / _DOCS)
    data = folder / _DATA
    _keep(data, (*services, *(path.name for path in data.glob("*.json"))))
    _prune_endpoints(data / "endpoints.json", services)
    missing = set(operations)
    for service in services:
        # botocore takes the newest model of those that a service has.
        newest = max(_there(data / service).iterdir())
        _keep(data / service, (newest.name,))
        _keep(newest, ("endpoint-rule-set-1.json.gz", "service-2.json.gz"))
        missing -= _prune_model(newest / "service-2.json.gz", operations)
    if missing:
        raise BuildFailed(f"no service has an operation {', '.join(sorted(missing))}")


def _silence_help(docs: Path) -> None:
    """Takes out what turns models into texts for people: botocore loads it at every start, an HTML parser included."""
    for name in ("__init__.py", "docstring.py", "utils.py"):
        _there(docs / name)
    _keep(docs, ("utils.py",))  # which some of botocore's handlers are made with
    (docs / "__init__.py").write_text("")
    (docs / "docstring.py").write_text(_DOCSTRING)


def _prune_model(path: Path, operations: Collection[str]) -> set[str]:
    """Leaves some of a model's operations, all if none is named, and what they refer to, without documentation.

    Its packed file becomes a plain one. Gives the names of the operations left.
    """
    model = json.loads(gzip.decompress(path.read_bytes()))
    if operations:
        model["operations"] = {name: each for name, each in model["operations"].items() if name in operations}
    shapes = model["shapes"]
    used: set[str] = set()
    waiting = list(_shapes_in(model["operations"]))
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting += _shapes_in(shapes[name])
    model["shapes"] = {name: shape for name, shape in shapes.items() if name in used}
    _write(path.with_suffix(""), _undocumented(model))
    path.unlink()
    return set(model["operations"])


def _prune_endpoints(path: Path, services: Collection[str]) -> None:
    """Leaves the endpoints of some services, in every partition."""
    endpoints = json.loads(path.read_bytes())
    for partition in endpoints["partitions"]:
        partition["services"] = {name: each for name, each in partition["services"].items() if name in services}
    _write(path, endpoints)


def _shapes_in(value: Any) -> Iterator[str]:
    """The names of the shapes that a part of a model refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("shape"), str):
            yield value["shape"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _shapes_in(each)


def _undocumented(value: Any) -> Any:
    """The same without texts for people. (A member may be named `documentation` too, but is an object.)"""
    if isinstance(value, dict):
        return {
            key: _undocumented(each)
            for key, each in value.items()
            if not (key == "documentation" and isinstance(each, str))
        }
    return [_undocumented(each) for each in value] if isinstance(value, list) else value


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")), "utf-8")


def _there(path: Path) -> Path:
    if not path.exists():
        raise BuildFailed(f"a dependency has no {path.name} any more, in {path.parent.name}")
    return path


def _keep(folder: Path, names: Collection[str]) -> None:
    for path in folder.iterdir():
        if path.name not in names:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
