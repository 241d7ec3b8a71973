"""`catena init`, `migrate`, `serve`, `worker`, `inspect`."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import click

from app.cli.common import Context, command_options
from app.cli.passphrase import new_passphrase
from app.jobs.worker import Worker


@click.command()
@command_options
@click.option("--org", default="Unnamed organisation", show_default=True, help="Who answers for the archive.")
@click.option("--ask-passphrase", is_flag=True, help="Ask for the passphrase of the keys instead of making one.")
def init(context: Context, org: str, ask_passphrase: bool) -> None:
    """Make an archive: database, certificate authority, seal key, log key, first admin."""
    from app.wiring import init_archive

    settings = context.settings
    passphrase, kept_in = new_passphrase(settings, ask=ask_passphrase)
    try:
        result = init_archive(settings, org, passphrase)
    except BaseException:
        if kept_in is not None and not (settings.keys / "seal.key").exists():
            kept_in.unlink(missing_ok=True)
        raise
    document = {
        "archive": result.identity.as_json(),
        "data": str(settings.data),
        "admin": result.admin,
        "token": result.token,
        "passphrase_file": str(kept_in) if kept_in else None,
    }
    lines = [
        f"Archive {result.identity.id} of {result.identity.org} is ready in {settings.data}",
        f"First administrator: {result.admin}",
        f"Access token (shown once, keep it safe): {result.token}",
    ]
    if kept_in is not None:
        lines.append(f"Passphrase of the keys: in {kept_in}. Move it off this disk: who has both can sign as you.")
    context.show(document, "\n".join(lines))


@click.command()
@command_options
def migrate(context: Context) -> None:
    """Bring the database to the schema of this version."""
    from app.config import load_identity
    from app.db import Database
    from app.migrate import current_revision, upgrade

    load_identity(context.settings)
    db = Database(context.settings.database_url)
    before = current_revision(db)
    upgrade(db)
    after = current_revision(db)
    context.show({"before": before, "after": after}, f"schema {before} -> {after}" if before != after else "up to date")


@click.command()
@command_options
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8800, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(0, 64), help="Embedded worker threads.")
def serve(context: Context, host: str, port: int, workers: int) -> None:
    """Run the API with embedded workers until interrupted."""
    import uvicorn

    from app.api.app import create_app
    from app.wiring import make_worker

    services = context.services
    services.archive.seal_key()  # a wrong passphrase must stop us now, not at the first upload
    services.checkpoint()
    staff = [make_worker(services) for _ in range(workers)]
    threads = [_start(worker) for worker in staff]
    context.say(f"Catena serves {services.archive.identity.org} on http://{host}:{port} (Ctrl-C stops)")
    try:
        uvicorn.run(create_app(services), host=host, port=port, log_level="warning", access_log=False)
    finally:
        for worker in staff:
            worker.stop()
        for thread in threads:
            thread.join(timeout=30)


def _start(worker: Worker) -> threading.Thread:
    thread = threading.Thread(target=worker.run, name="catena-worker", daemon=True)
    thread.start()
    return thread


@click.command()
@command_options
@click.option("--concurrency", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option("--drain", is_flag=True, help="End when nothing is left to do.")
def worker(context: Context, concurrency: int, drain: bool) -> None:
    """Run background work on its own, beside or apart from the server."""
    from app.wiring import make_worker

    staff = [make_worker(context.services) for _ in range(concurrency)]

    def stop(_signal: int, _frame: FrameType | None) -> None:
        for one in staff:
            one.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    targets = [one.drain if drain else one.run for one in staff]
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@click.command("inspect")
@command_options
@click.argument("file", type=click.Path(path_type=Path))
def inspect_command(context: Context, file: Path) -> None:
    """Show what a file says about itself, without an archive."""
    from app.analysis.service import examine
    from app.errors import InvalidInputError

    if not file.is_file():
        raise InvalidInputError("no_such_file", f"{file} is not a file")
    findings = examine(file, file.name)
    if findings.record is None:
        failure = findings.failure
        raise InvalidInputError(failure.code if failure else "analysis_failed", failure.detail if failure else "")
    record = json.loads(findings.record)
    if context.as_json:
        sys.stdout.write(json.dumps(record, ensure_ascii=False, indent=1) + "\n")
        return
    click.echo(_readable(record))


def _readable(record: dict[str, object]) -> str:
    lines = []
    for group, facts in record.items():
        if group in {"raw", "v"} or not isinstance(facts, dict):
            continue
        shown = [line for name, fact in facts.items() if (line := _fact_line(name, fact)) is not None]
        if shown:
            lines += [group, *shown]
    findings = record.get("findings")
    for finding in findings if isinstance(findings, list) else []:
        lines.append(f"finding [{finding['severity']}] {finding['code']}: {finding['text']}")
    return "\n".join(lines)


def _fact_line(name: str, fact: object) -> str | None:
    if isinstance(fact, dict) and "certainty" in fact:
        if fact.get("value") is None:
            return None
        unit = f" {fact['unit']}" if fact.get("unit") else ""
        return f"  {name}: {fact['value']}{unit}  ({fact['certainty']}; {fact.get('source')})"
    return f"  {name}: {fact}" if isinstance(fact, (str, int, float)) else None


COMMANDS = (init, migrate, serve, worker, inspect_command)
