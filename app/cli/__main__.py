"""Entry point: one line and an exit code for everything foreseeable, never a traceback."""

from __future__ import annotations

import logging
import sys

import click

from app.api.version import version
from app.cli import archive, audit, evidence, export, ingest, law, log, people
from app.cli.common import BAD_INPUT, ENVIRONMENT
from app.errors import CatenaError
from evidence_store.errors import EvidenceStoreError

_ENVIRONMENTAL = frozenset({"storage_full", "storage_failed", "blob_missing"})


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version(), prog_name="catena")
def cli() -> None:
    """Catena: an open humanitarian-law evidence archive with chain of custody.

    Exit codes: 0 all well; 1 a check found errors; 2 bad usage or input; 3 the environment failed.
    """


for module in (archive, ingest, evidence, law, export, audit, log, people):
    for command in module.COMMANDS:
        cli.add_command(command)


def main(arguments: list[str] | None = None) -> int:
    """Run a command line.

    Returns:
        The exit code.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        result = cli.main(args=arguments, prog_name="catena", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        return BAD_INPUT
    except click.ClickException as error:
        error.show()
        return BAD_INPUT
    except CatenaError as error:
        click.echo(f"catena: {error.code}: {error.detail}", err=True)
        return ENVIRONMENT if error.status >= 500 else BAD_INPUT  # noqa: PLR2004 - HTTP server errors
    except EvidenceStoreError as error:
        click.echo(f"catena: {error.code}: {error.detail}", err=True)
        return ENVIRONMENT if error.code in _ENVIRONMENTAL else BAD_INPUT
    except OSError as error:
        click.echo(f"catena: environment: {error.strerror or error}", err=True)
        return ENVIRONMENT
    return result if isinstance(result, int) else 0


def run() -> None:
    """The installed `catena` command."""
    sys.exit(main())


if __name__ == "__main__":
    run()
