"""`catena verify`: nothing of the archive is loaded for it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import click

from app.cli.common import print_json
from app.errors import InvalidInputError

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("path", type=FILE, required=False)
@click.option("--trust", type=FILE, default=None, help="The archive's certificates and log keys, as you know them.")
@click.option("--tsa", type=FILE, default=None, help="Roots of the time-stamping authorities that you trust.")
@click.option("--policy", type=FILE, default=None, help="Witnesses that you trust, and how many must have co-signed.")
@click.option("--opening", type=FILE, default=None, help="What was disclosed later of what this bundle keeps back.")
@click.option("--html", type=FILE, default=None, help="Write the report as a page to this new file, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@click.option("--write-tool", type=FILE, default=None, metavar="FILE", help="Write this verifier as one Python file.")
@click.option("--tool-digest", is_flag=True, help="Print the SHA-256 of that file.")
@click.option("--data", type=FILE, default=None, hidden=True)
def verify(
    path: Path | None,
    trust: Path | None,
    tsa: Path | None,
    policy: Path | None,
    opening: Path | None,
    html: Path | None,
    as_json: bool,
    write_tool: Path | None,
    tool_digest: bool,
    data: Path | None,
) -> int:
    """Check a bundle offline: no archive, no database, no network."""
    del data  # taken because every command takes it; the verifier needs no archive
    if tool_digest or write_tool is not None:
        if path is not None:
            raise InvalidInputError("bad_usage", "--write-tool and --tool-digest check no bundle")
        return _tool(write_tool, as_json=as_json)
    from evidence_store.verify.__main__ import main

    if path is None:
        raise InvalidInputError("bad_usage", "name the bundle to check")
    arguments: list[str] = []
    for option, value in (
        ("--trust", trust),
        ("--tsa", tsa),
        ("--policy", policy),
        ("--opening", opening),
        ("--html", html),
    ):
        if value is not None:
            arguments += [option, str(value)]
    if as_json:
        arguments.append("--json")
    return main([*arguments, "--", str(path)])


def _tool(target: Path | None, *, as_json: bool) -> int:
    """Write the single-file verifier where asked, and print its digest as `sha256sum` does."""
    from evidence_store.verify.single_file import single_file
    from evidence_store.verify.version import VERSION

    tool = single_file()
    if target is not None:
        try:
            with target.open("xb") as stream:
                stream.write(tool)
        except FileExistsError:
            raise InvalidInputError("file_exists", f"{target} exists and is never overwritten") from None
    digest = hashlib.sha256(tool).hexdigest()
    if as_json:
        print_json({"version": VERSION, "sha256": digest, "size": len(tool)})
    else:
        click.echo(f"{digest}  catena_verify.py")
    return 0


COMMANDS = (verify,)
