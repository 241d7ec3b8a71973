"""The verifier as one Python file, put together from the package's own modules, verbatim.

The file is for the day when nobody can install the package any more, and for whoever wants to read one file from top
to bottom. It holds no code of its own but a small importer. The same modules give the same bytes, so that anybody can
build it again and compare its SHA-256 with the one of a bundle.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

from evidence_store.verify.version import VERSION

START = "evidence_store.verify.__main__"
PACKAGE = "evidence_store"
DATA = ("evidence_store/verify/findings.json",)

_ROOT = Path(__file__).resolve().parents[2]
_HEAD = '''\
#!/usr/bin/env python3
# catena_verify.py, version {version}: verifies an evidence bundle offline.
#
#     python3 catena_verify.py BUNDLE [--trust FILE] [--tsa FILE] [--policy FILE] [--html FILE] [--json]
#
# Needs Python 3.11 or newer and the packages "cryptography" and "asn1crypto"; no network, no database, no private key.
# Licence: Apache-2.0.
#
# Below is a small importer, and then the files of Catena that it imports, each verbatim, a file after those that it
# needs. With their SHA-256:
#
{listing}
#
# NEVER RUN A PROGRAM OUT OF A BUNDLE THAT YOU DISTRUST. Get this file from elsewhere, or compare its own SHA-256 with
# the one that the makers of Catena publish for this version.

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    del sys.path[0]  # nothing that lies beside this file is ever imported
if sys.version_info < (3, 11):
    sys.stderr.write("catena_verify.py needs Python 3.11 or newer\\n")
    sys.exit(2)

from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

SOURCES = {{}}


class Importer(MetaPathFinder, Loader):
    """Finds modules in SOURCES, before any that are installed."""

    def find_spec(self, name, path=None, target=None):
        for file in (name.replace(".", "/") + end for end in ("/__init__.py", ".py")):
            if file in SOURCES:
                spec = ModuleSpec(name, self, origin=file, is_package=file.endswith("/__init__.py"))
                spec.has_location = True
                return spec
        return None

    def exec_module(self, module):
        file = module.__spec__.origin
        exec(compile(self.get_data(file), "catena_verify.py/" + file, "exec"), module.__dict__)

    def get_data(self, path):
        return SOURCES[path.replace("\\\\", "/")][1:].encode()  # without the line end after the quotes


'''
_TAIL = """\
if __name__ == "__main__":
    sys.meta_path.insert(0, Importer())
    try:
        import asn1crypto, cryptography
    except ImportError as missing:
        sys.stderr.write(f"catena_verify.py needs the packages cryptography and asn1crypto: {missing}\\n")
        sys.exit(2)
    from evidence_store.verify.__main__ import main

    sys.exit(main())
"""


@cache
def single_file() -> bytes:
    """The verifier in one file (UTF-8).

    Raises:
        ValueError: a module holds what would end its own quotes.
    """
    files = [(path, (_ROOT / path).read_text("utf-8")) for path in (*DATA, *map(_path_of, modules()))]
    listing = "\n".join(f"# {hashlib.sha256(text.encode()).hexdigest()}  {path}" for path, text in files)
    parts = [_HEAD.format(version=VERSION, listing=listing)]
    for path, text in files:
        if "'''" in text or not text.endswith("\n") or "\r" in text or "\0" in text:
            raise ValueError(f"{path} cannot stand between quotes")
        parts.append(f"# {path}\nSOURCES[\"{path}\"] = r'''\n{text}'''\n\n\n")
    return "".join([*parts, _TAIL]).encode()


def tool_digest() -> str:
    """SHA-256 of the single file, hex."""
    return hashlib.sha256(single_file()).hexdigest()


def modules() -> list[str]:
    """Every module of the package that the verifier imports, itself and packages included, after those it needs."""
    ordered: list[str] = []

    def visit(name: str) -> None:
        if name not in seen:
            seen.add(name)
            for needed in _imports(name):
                visit(needed)
            ordered.append(name)

    seen: set[str] = set()
    visit(START)
    return ordered


def _imports(name: str) -> list[str]:
    """The modules of the package that a module's source names, and the packages that they lie in, sorted."""
    found = {name.rpartition(".")[0]}
    for node in ast.walk(ast.parse((_ROOT / _path_of(name)).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return sorted(each for each in found if each.split(".")[0] == PACKAGE and (_ROOT / _path_of(each)).is_file())


def _path_of(name: str) -> str:
    """Path of a module's source, below the folder that the package lies in."""
    place = name.replace(".", "/")
    package = f"{place}/__init__.py"
    return package if (_ROOT / package).is_file() else f"{place}.py"
