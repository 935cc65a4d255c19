"""Runs every module of this folder, one after the other: one JSON line a figure on standard output.

A figure is `{"bench", "value", "unit", "baseline", "ratio"}`; `ratio` is `value` over `baseline`. Each module runs in a
process of its own, so that none warms up or fills the memory of the next, and without the caller's AWS configuration:
a figure does not depend on it. Names given are run alone: `python -m bench policy_scale`; what follows one name with a
dash is an option of that one: `python -m bench cost --accounts 300`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path


def main() -> int:
    folder = Path(__file__).parent
    known = sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    names, options = split(sys.argv[1:])
    if unknown := set(names) - set(known):
        print(f"no such bench: {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    if options and len(names) != 1:
        print(f"{options[0]}: options are for one bench alone: python -m bench NAME {options[0]} …", file=sys.stderr)
        return 2
    clean = environment(os.environ)
    commands = [[sys.executable, "-m", f"bench.{name}", *options] for name in names or known]
    codes = [subprocess.run(each, cwd=folder.parent, env=clean).returncode for each in commands]
    return 1 if any(codes) else 0


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of benchmarks, and the options after them."""
    names = list(takewhile(lambda each: not each.startswith("-"), arguments))
    return names, list(arguments[len(names) :])


def environment(callers: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, of which nothing is left that says which AWS to call, how, or as whom."""
    kept = {name: value for name, value in callers.items() if not name.startswith("AWS_")}
    return kept | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


if __name__ == "__main__":
    sys.exit(main())
