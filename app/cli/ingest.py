"""`catena ingest`: files, folders and collections into a case, in process or through a server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import click

from app.cli.common import Context, command_options
from app.cli.destination import Wish, destination
from app.cli.outcome import Outcome
from app.cli.source_options import source_options
from app.cli.stopping import stoppable
from app.errors import InvalidInputError
from app.evidence.service import check_case_ref
from app.intake.collections.reading import Kind
from app.intake.collections.unpacking import clear_left_over
from schemas.records.v1.source import SourceContext

REMOTE_JOBS, LOCAL_JOBS = 4, 8


@click.command()
@command_options
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--case", "case_ref", required=True, metavar="REF", help="Case reference; made if you may.")
@click.option("--recursive", is_flag=True, help="Go into folders.")
@click.option("--hidden", is_flag=True, help="Take hidden files of folders too.")
@click.option("--collection", "kind", type=click.Choice(get_args(Kind)), default="auto", help="What the folder is.")
@click.option("--manifest", type=click.Path(path_type=Path), default=None, help="Table (CSV, JSON) about the files.")
@source_options
@click.option("--server", default=None, metavar="URL", help="Send to a server; token in CATENA_TOKEN.")
@click.option("--receipts", type=click.Path(path_type=Path), default=None, help="Folder for receipts.")
@click.option("--jobs", type=click.IntRange(1, 64), default=None, help="Files in hand at once.")
@click.option("--again", is_flag=True, help="Make a second item of what the case holds already.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--watch", is_flag=True, help="Go on taking what comes into the folder, until Ctrl-C.")
@click.option("--no-analysis", is_flag=True, help="Leave the analysis to a worker.")
def ingest(
    context: Context,
    paths: tuple[Path, ...],
    case_ref: str,
    recursive: bool,
    hidden: bool,
    kind: Kind,
    manifest: Path | None,
    server: str | None,
    receipts: Path | None,
    jobs: int | None,
    again: bool,
    dry_run: bool,
    watch: bool,
    no_analysis: bool,
    source: SourceContext,
) -> int:
    """Take files into a case: hash, store, seal, log, then analyse and compare.

    What the case holds already is skipped, and recorded as offered again. Stopped or killed, the same command goes on.
    """
    check_case_ref(case_ref)
    if watch and dry_run:
        raise InvalidInputError("bad_options", "--watch and --dry-run do not go together")
    if watch and (manifest is not None or kind not in {"auto", "folder"}):
        raise InvalidInputError("bad_options", "--watch takes plain folders")
    at_once = jobs or min(os.cpu_count() or 1, LOCAL_JOBS if server is None else REMOTE_JOBS)
    wish = Wish(
        paths, case_ref, source, "folder" if watch else kind, manifest, recursive, hidden, server, receipts, at_once,
        again=again, analyse=not no_analysis, dry_run=dry_run, watch=watch,
    )  # fmt: skip
    wish.check()
    if watch:
        from app.cli.watching import watch_folders

        with stoppable(context.say) as stop:
            return _told(context, watch_folders(context, wish, stop))
    clear_left_over()
    with wish.read(context) as found:
        if not found.entries and not found.problems:
            for one in found.left_out:
                context.say(f"ingest: left out: {one.path}: {one.code}: {one.detail}")
            raise InvalidInputError("nothing_to_ingest", "no files there")
        with stoppable(context.say) as stop, destination(context, wish, stop) as place:
            return place.forecast(found) if dry_run else _told(context, place.take_all(found))


def _told(context: Context, outcome: Outcome) -> int:
    outcome.show(context)
    return outcome.exit_code


COMMANDS = (ingest,)
