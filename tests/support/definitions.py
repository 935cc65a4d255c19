"""What a module defines, read from its text: for tests of what documents name."""

from __future__ import annotations

import ast


def defined(tree: ast.AST, prefix: str = "") -> set[str]:
    """Every name that a module or a class defines; those of a class with its name before them."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                found |= defined(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [each for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
            found |= {prefix + each.id for each in names}
    return found
