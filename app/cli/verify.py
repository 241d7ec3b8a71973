"""`catena verify`: nothing of the archive is loaded for it."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--trust", type=click.Path(path_type=Path), default=None, help="Certificates and log keys you trust.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@click.option("--data", type=click.Path(path_type=Path), default=None, hidden=True)
def verify(path: Path, trust: Path | None, as_json: bool, data: Path | None) -> int:
    """Check a bundle offline: no archive, no database, no network."""
    from evidence_store.verify.__main__ import main

    del data  # taken because every command takes it; the verifier needs no archive
    arguments = [str(path)]
    if trust is not None:
        arguments += ["--trust", str(trust)]
    if as_json:
        arguments.append("--json")
    return main(arguments)


COMMANDS = (verify,)
