"""Writes what `sam deploy` uploads: one folder per function, and our own layer code beside them."""

import compileall
import contextlib
import hashlib
import json
import py_compile
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local.template import Code, LocalTemplate
from local.tools import Tools

_BOOTSTRAP = """#!/bin/sh
# AWS's own runtime client, as its container images run it.
export PYTHONPATH={path}
exec {python} -m awslambdaric "$_HANDLER"
"""
_NEVER_PACKED = shutil.ignore_patterns(
    "__pycache__", "*.pyc", ".DS_Store", "requirements.*", "Dockerfile", "tests"
)


class Packages:
    """Everything that one deployment is made of.

    Args:
        template: What is deployed.
        tools: Where the functions' interpreter is.
        folder: Where to write; `build/` below it is made anew each time.

    Attributes:
        fingerprint: Hash of all that is deployed: with an equal one, a deployment would change nothing.
    """

    def __init__(self, template: LocalTemplate, tools: Tools, folder: Path) -> None:
        self._template = template
        self._tools = tools
        self._folder = folder
        self._layer_folders: dict[Path, Path] = {}
        self.fingerprint = self._fingerprint()

    def _fingerprint(self) -> str:
        digest = hashlib.sha256()
        document = {"template": self._template.document, "machines": self._template.machines}
        digest.update(json.dumps(document, sort_keys=True).encode())
        for logical_id, code in sorted(self._template.functions.items()):
            digest.update(f"{logical_id}\0{self._bootstrap(code)}\0".encode())
            for source, target in code.copies:
                digest.update(f"{target}\0{_hash_of(source)}\0".encode())
        return digest.hexdigest()[:32]

    @property
    def has_layers(self) -> bool:
        """Whether the layers' code is where the deployed functions look for it."""
        return all(
            self._layer_folder(layer).exists()
            for code in self._template.functions.values()
            for layer in code.layers
        )

    def write(self) -> Path:
        """Write template, definitions and packages.

        Returns:
            Path of the local template, ready for `sam deploy`.
        """
        build = self._folder / "build"
        shutil.rmtree(build, ignore_errors=True)
        build.mkdir(parents=True)
        resources = self._template.document["Resources"]
        for logical_id, definition in self._template.machines.items():
            file = build / f"{logical_id}.asl.json"
            file.write_text(json.dumps(definition, indent=2))
            resources[logical_id]["Properties"]["DefinitionUri"] = file.name
        for logical_id, code in self._template.functions.items():
            self._write_function(build / logical_id, code)
            resources[logical_id]["Properties"]["CodeUri"] = logical_id
        path = build / "template.json"
        path.write_text(json.dumps(self._template.document, indent=2))
        return path

    def _write_function(self, folder: Path, code: Code) -> None:
        folder.mkdir()
        for source, target in code.copies:
            _copy(source, folder / target)
        _compile(folder)
        bootstrap = folder / "bootstrap"
        bootstrap.write_text(self._bootstrap(code))
        bootstrap.chmod(0o755)
        for layer in code.layers:
            done = self._layer_folder(layer)
            if not done.exists():
                done.parent.mkdir(parents=True, exist_ok=True)
                unfinished = Path(tempfile.mkdtemp(dir=done.parent, prefix="unfinished-"))
                _copy(layer, unfinished)
                _compile(unfinished)
                with contextlib.suppress(OSError):  # another instance was faster
                    unfinished.rename(done)

    def _bootstrap(self, code: Code) -> str:
        """The program that the emulator starts; its PYTHONPATH is the function's whole world, as on AWS."""
        path = [*map(self._layer_folder, code.layers), *code.requirements]
        return _BOOTSTRAP.format(
            path='"$LAMBDA_TASK_ROOT"' + "".join(f":{shlex.quote(str(part))}" for part in path),
            python=shlex.quote(str(self._tools.lambda_python)),
        )

    def _layer_folder(self, layer: Path) -> Path:
        if layer not in self._layer_folders:
            name = f"{layer.name}-{_hash_of(layer)[:12]}"
            self._layer_folders[layer] = self._tools.code / name
        return self._layer_folders[layer]


def _files(source: Path) -> Iterator[Path]:
    """Yield the files of a folder that are packed, in a fixed order."""
    ignored = _NEVER_PACKED(str(source), [entry.name for entry in source.iterdir()])
    for entry in sorted(source.iterdir()):
        if entry.name in ignored:
            continue
        if entry.is_dir():
            yield from _files(entry)
        else:
            yield entry


def _hash_of(source: Path) -> str:
    digest = hashlib.sha256()
    for file in [source] if source.is_file() else _files(source):
        digest.update(f"{file.relative_to(source.parent)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=_NEVER_PACKED, dirs_exist_ok=True)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target / source.name)


def _compile(folder: Path) -> None:
    """Compile to bytecode that needs no look at times, which zip files don't keep; cold starts read it."""
    compileall.compile_dir(folder, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
