"""`catena init`, `migrate`, `serve`."""

from __future__ import annotations

from contextlib import closing

import click

from app.cli.common import Context, command_options, print_json
from app.cli.passphrase import new_passphrase
from app.cli.serving import give_back_memory, listen, run_until_stopped, url_of
from app.cli.staff import working


@click.command()
@command_options
@click.option("--org", default="Unnamed organisation", show_default=True, help="Who answers for the archive.")
@click.option("--ask-passphrase", is_flag=True, help="Ask for the passphrase of the keys instead of making one.")
def init(context: Context, org: str, ask_passphrase: bool) -> None:
    """Make an archive: database, certificate authority, seal key, log key, first admin."""
    from app.wiring import init_archive, require_new

    settings = context.settings
    require_new(settings)  # a second passphrase file would lock the archive that is there
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
    """Bring the database to the schema of this version, and the log to what this version wants it to tell."""
    from app.config import load_identity
    from app.db import Database
    from app.migrate import current_revision, upgrade

    load_identity(context.settings)
    settings = context.settings
    with closing(Database(settings.database_url, settings.database_connections)) as db:
        before = current_revision(db)
        upgrade(db)
        after = current_revision(db)
    introduced = context.services.keyring.ensure_introduced()
    lines = [f"schema {before} -> {after}"] if before != after else []
    lines += ["the log now tells of the archive's keys"] if introduced else []
    document = {"before": before, "after": after, "keys_introduced": introduced}
    context.show(document, "\n".join(lines) or "up to date")


@click.command()
@command_options
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8800, show_default=True, type=click.IntRange(0, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(0, 64), help="Embedded worker threads.")
def serve(context: Context, host: str, port: int, workers: int) -> None:
    """Run the API with embedded workers until interrupted."""
    from app.api.app import create_app
    from app.api.server import server_config
    from app.attendants import attendants
    from app.wiring import make_worker

    services = context.services
    services.archive.seal_key()  # a wrong passphrase must stop us now, not at the first upload
    services.checkpoint()
    services.exports.recover()
    config = server_config(create_app(services))
    give_back_memory()
    with (
        listen(host, port) as listener,
        working([*attendants(services), *(make_worker(services) for _ in range(workers))]),
    ):
        url = url_of(host, listener)
        if context.as_json:
            print_json({"url": url, "archive": services.archive.identity.as_json()})
        context.say(f"Catena serves {services.archive.identity.org} on {url} (Ctrl-C stops)")
        run_until_stopped(config, listener, context.say)


COMMANDS = (init, migrate, serve)
