"""Which states and commands can end with which of ``storycast.errors``, as the source has it.

Followed are names, from a function's handler or a command through all that it refers to; a method counts where its
class was reached and something that was reached speaks of a method of that name. That finds at least what can be
raised, and a little more.
"""

import ast
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"storycast": ROOT / "layers/storycast/storycast", "cli": ROOT / "cli", "review": ROOT / "review"}
ERRORS = "storycast.errors"

Node = tuple[str, str]
"""A module, and what is defined or assigned at its top level; of a class ``Class.method``."""


def leaves() -> dict[str, str]:
    """Return the leaf classes of the tree, each with what it says of itself."""
    classes = [node for node in _tree(ERRORS).body if isinstance(node, ast.ClassDef)]
    inner = {base.id for node in classes for base in node.bases if isinstance(base, ast.Name)}
    return {
        node.name: " ".join((ast.get_docstring(node) or "").split()) for node in classes if node.name not in inner
    }


def states() -> dict[str, list[str]]:
    """Return the states of all machines that can end with each error: by their function, or as a Fail state."""
    found: dict[str, list[str]] = {}
    for machine in sorted((ROOT / "statemachine").glob("*.asl.json")):
        for name, state in _states(json.loads(machine.read_text())):
            for error in sorted(_of_state(state)):
                known = found.setdefault(error, [])
                if name not in known:
                    known.append(name)
    return found


def commands() -> dict[str, list[str]]:
    """Return the commands that can end with each error, besides those that a run which they follow ends with."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "cli/commands").glob("[a-z]*.py")):
        for error in sorted(_reached(f"cli.commands.{path.stem}")):
            found.setdefault(error, []).append(path.stem.replace("_", "-"))
    return found


def _states(machine: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    inside = machine.get("States")
    for name, state in inside.items() if isinstance(inside, dict) else ():
        yield name, state
        yield from _states(state.get("ItemProcessor", {}))


def _of_state(state: Mapping[str, object]) -> set[str]:
    if state["Type"] == "Fail":
        return {str(state["Error"])}
    parameters = state.get("Parameters")
    arn = parameters.get("FunctionName", "") if isinstance(parameters, dict) else ""
    if not arn:
        return set()
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in arn[2:-1])
    return _reached(f"functions.{words.strip('_').removesuffix('_function_arn')}.app")


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text())


def _path(module: str) -> Path:
    head, *rest = module.split(".")
    base = PACKAGES.get(head, ROOT / head).joinpath(*rest)
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _reached(module: str) -> set[str]:
    """Return the errors that something in a module can raise."""
    todo: list[Node] = [(module, name) for name in _defined(module) if "." not in name]
    seen: set[Node] = set(todo)
    found: set[str] = set()
    spoken: set[str] = set()
    waiting: dict[str, list[Node]] = {}
    while todo:
        node = todo.pop()
        names, attributes = _referred(node)
        found |= {there[1] for there in names if there[0] == ERRORS}
        new = {there for there in names if there[0] != ERRORS}
        for method in _methods(*node):
            name = method[1].rpartition(".")[2]
            if name.startswith("__") or name in spoken or _is_called_from_outside(*node):
                new.add(method)
            else:
                waiting.setdefault(name, []).append(method)
        for name in attributes - spoken:
            new.update(waiting.pop(name, ()))
        spoken |= attributes
        todo += new - seen
        seen |= new
    return found & set(leaves())


@cache
def _defined(module: str) -> dict[str, ast.stmt]:
    """Return what stands at the top level of a module, by name; imports are none of it."""
    found: dict[str, ast.stmt] = {}
    for node in _tree(module).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
            methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
            if isinstance(node, ast.ClassDef):
                found |= {f"{node.name}.{one.name}": one for one in methods}
        elif isinstance(node, ast.Assign):
            found |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
    return found


def _methods(module: str, name: str) -> list[Node]:
    return [(module, one) for one in _defined(module) if one.startswith(f"{name}.")]


def _is_called_from_outside(module: str, name: str) -> bool:
    """Whether a class is one of the standard library's files, whose methods are called from there."""
    found = _defined(module)[name]
    bases = found.bases if isinstance(found, ast.ClassDef) else []
    return any(ast.unparse(base).startswith("io.") for base in bases)


@cache
def _referred(node: Node) -> tuple[frozenset[Node], frozenset[str]]:
    """Return what a definition refers to, but for what it catches and what it tells types by; and attributes."""
    module, name = node
    within = _defined(module)[name]
    known = _imported_by(module) | _imported(within) | {own: (module, own) for own in _defined(module)}
    found: set[Node | None] = set()
    attributes = set()
    for part in _spoken(within):
        if isinstance(part, ast.Name) and part.id in known:
            found.add(_settled(*known[part.id]))
        elif isinstance(part, ast.Attribute):
            owner = known.get(part.value.id) if isinstance(part.value, ast.Name) else None
            if owner is None or _settled(*owner):
                attributes.add(part.attr)
            else:  # a module that was imported by name
                found.add(_settled(".".join(owner), part.attr))
    return frozenset(one for one in found if one and one != node), frozenset(attributes)


def _settled(module: str, name: str) -> Node | None:
    """Return where something is defined, through modules that pass it on; None where that is not ours."""
    if module.partition(".")[0] not in (*PACKAGES, "functions") or not _path(module).is_file():
        return None
    if module == ERRORS or name in _defined(module):
        return module, name
    passed_on = _imported_by(module).get(name)
    return _settled(*passed_on) if passed_on else None


_NOT_RAISED = {(ast.ExceptHandler, "type"), (ast.ClassDef, "bases"), (ast.Dict, "keys")}
"""Where an error's class stands for something else than being raised; a table by class is one of words."""


def _only_names(node: ast.AST) -> bool:
    """Whether a class in it is looked at, or called by its name, and not made."""
    if isinstance(node, ast.Attribute):
        return node.attr == "__name__"
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Name) and called.id in ("isinstance", "issubclass", "suppress")


def _is_method(node: ast.AST, within: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and isinstance(within, ast.ClassDef)


@cache
def _imported_by(module: str) -> dict[str, Node]:
    return _imported(_tree(module))


def _imported(tree: ast.AST) -> dict[str, Node]:
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _spoken(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but methods, which are reached by themselves, and what names errors without raising them."""
    if _only_names(node):
        return
    yield node
    for field, value in ast.iter_fields(node):
        if (type(node), field) in _NOT_RAISED or field in ("annotation", "returns"):
            continue
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, ast.AST) and not _is_method(inner, within=node):
                yield from _spoken(inner)
