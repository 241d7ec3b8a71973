"""Entry point: one line and an exit code for everything foreseeable, never a traceback."""

from __future__ import annotations

import io
import logging
import sys
from importlib import import_module

import click

from app.cli.common import BAD_INPUT, exit_code_of, print_json, printable
from app.errors import CatenaError
from app.version import version
from evidence_store.errors import EvidenceStoreError

# Where each command is written; a module is loaded when its command is asked for.
_HOMES = {
    "adjudicate": "evidence",
    "audit": "audit",
    "bundles": "bundles",
    "cases": "evidence",
    "cluster": "evidence",
    "disclose": "disclosures",
    "disclosures": "disclosures",
    "entry": "entry",
    "export": "export",
    "import": "bundles",
    "ingest": "ingest",
    "incident": "incident",
    "init": "archive",
    "inspect": "inspect",
    "items": "evidence",
    "jobs": "jobs",
    "keys": "keys",
    "link": "law",
    "log": "log",
    "match": "evidence",
    "migrate": "archive",
    "pattern": "patterns",
    "provisions": "law",
    "redact": "redact",
    "redactions": "redact",
    "release": "patterns",
    "renew": "renew",
    "review": "law",
    "rules": "law",
    "serve": "archive",
    "sun": "sun",
    "tokens": "people",
    "tsa": "tsa",
    "users": "people",
    "verification": "verification",
    "verify": "verify",
    "witness": "witness",
    "worker": "worker",
}


class _Commands(click.Group):
    """Loads commands as they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        del ctx
        return sorted(_HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, if there is one."""
        del ctx
        if cmd_name not in _HOMES:
            return None
        commands: tuple[click.Command, ...] = import_module(f"app.cli.{_HOMES[cmd_name]}").COMMANDS
        return next(command for command in commands if command.name == cmd_name)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version(), prog_name="catena")
def cli() -> None:
    """Catena: an open humanitarian-law evidence archive with chain of custody.

    Exit codes: 0 all well; 1 a check found errors; 2 bad usage or input; 3 the environment failed.
    """


def main(arguments: list[str] | None = None) -> int:
    """Run a command line.

    Returns:
        The exit code.
    """
    given = sys.argv[1:] if arguments is None else arguments
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no failure
    try:
        result = cli.main(args=given, prog_name="catena", standalone_mode=False)
    except click.exceptions.Abort:
        return _refuse(given, "stopped", "stopped before it was done", BAD_INPUT)
    except click.ClickException as error:
        error.show()
        return _refuse(given, "usage", error.format_message(), BAD_INPUT, shown=True)
    except (CatenaError, EvidenceStoreError) as error:
        return _refuse(given, error.code, error.detail, exit_code_of(error))
    except OSError as error:
        detail = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        return _refuse(given, "environment", detail, exit_code_of(error))
    return result if isinstance(result, int) else 0


def _refuse(given: list[str], code: str, detail: str, exit_code: int, *, shown: bool = False) -> int:
    """Say what failed: one line on stderr, and with `--json` the one document on stdout."""
    if not shown:
        click.echo(printable(f"catena: {code}: {detail}"), err=True)
    if "--json" in given:
        print_json({"error": {"code": code, "detail": detail}})
    return exit_code


def run() -> None:
    """The installed `catena` command."""
    sys.exit(main())


if __name__ == "__main__":
    run()
