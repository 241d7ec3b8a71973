"""`catena witness`: an independent witness of other archives' logs, with its own keys and its own folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from app.cli.common import Context
from app.cli.passphrase import find_passphrase, new_passphrase
from app.cli.serving import listen, run_until_stopped, url_of
from app.config import load_settings
from app.errors import ConflictError, InvalidInputError
from evidence_store.log.cosignature import CosignerKey, format_cosigner_vkey
from evidence_store.log.policy import parse_log_vkey
from evidence_store.witness.folder import ALGORITHMS, WitnessFolder
from evidence_store.witness.witness import Witness

R = TypeVar("R")
_MAX_KEY_FILE = 65_536


@click.group()
def witness() -> None:
    """Witness the logs of others: sign only what continues what was signed before. Needs no archive."""


def _folder_options(function: Callable[..., R]) -> Callable[..., R]:
    @click.option(
        "--folder", type=click.Path(path_type=Path), required=True, help="Folder of this witness, apart from archives."
    )
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
    @wraps(function)
    def wrapper(*args: Any, folder: Path, as_json: bool, **kwargs: Any) -> R:  # noqa: ANN401
        return function(Context(folder, as_json, None), WitnessFolder(folder.resolve()), *args, **kwargs)

    return wrapper


@witness.command("init")
@_folder_options
@click.option("--name", required=True, metavar="NAME", help='Name of the witness, such as "ngo.example/witness".')
@click.option(
    "--algorithm", type=click.Choice(["both", *ALGORITHMS]), default="both", show_default=True, help="Which keys."
)
@click.option("--ask-passphrase", is_flag=True, help="Ask for the passphrase of the keys instead of making one.")
def witness_init(context: Context, folder: WitnessFolder, name: str, algorithm: str, ask_passphrase: bool) -> None:
    """Make a witness: keys, an empty list of logs, an empty state."""
    if folder.path.exists() and any(folder.path.iterdir()):
        raise ConflictError("folder_not_empty", f"{folder.path} is not empty; a witness gets a folder of its own")
    passphrase, kept_in = new_passphrase(load_settings(folder.path), ask=ask_passphrase)
    try:
        keys = folder.create(name, list(ALGORITHMS) if algorithm == "both" else [algorithm], passphrase)
    except BaseException:
        if kept_in is not None and not any(folder.path.glob("*.key")):
            kept_in.unlink(missing_ok=True)
        raise
    lines = [f"Witness {name} is ready in {folder.path}. Its keys, for the policies of the logs that it witnesses:"]
    lines += _vkeys(keys)
    if kept_in is not None:
        lines.append(f"Passphrase of the keys: in {kept_in}. Move it off this disk: who has both can sign as you.")
    context.show(
        {"name": name, "keys": _vkeys(keys), "passphrase_file": str(kept_in) if kept_in else None}, _text(lines)
    )


@witness.command("add-log")
@_folder_options
@click.argument("keys", metavar="KEY|FILE...", nargs=-1, required=True)
def witness_add_log(context: Context, folder: WitnessFolder, keys: tuple[str, ...]) -> None:
    """Witness a log from now on: its verifier keys, or files that hold them (an archive's keys/log.vkey)."""
    folder.public_keys()
    vkeys = [vkey for given in keys for vkey in _read_vkeys(given)]
    origins = list(dict.fromkeys(parse_log_vkey(vkey).name for vkey in vkeys))  # all or none
    for vkey in vkeys:
        folder.add_log(vkey)
    context.show({"logs": origins}, _text([f"witnesses {origin}" for origin in origins]))


def _read_vkeys(given: str) -> list[str]:
    path = Path(given)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_KEY_FILE)
    except (OSError, ValueError):  # no file: then it is a key, or named as none
        return [given]
    lines = data.decode("utf-8", "replace").splitlines()
    found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise InvalidInputError("vkey_form", f"{path} holds no verifier key")
    return found


@witness.command("show")
@_folder_options
def witness_show(context: Context, folder: WitnessFolder) -> None:
    """Keys, logs, the newest size that was co-signed of each, and proof against logs that forked."""
    keys, state = folder.public_keys(), folder.state.read()
    origins = sorted({key.name for key in folder.logs()})
    sizes = {origin: state[origin].size if origin in state else None for origin in origins}
    equivocations = folder.equivocations()
    lines = [*_vkeys(keys), ""]
    lines += [f"{origin}: {'nothing yet' if size is None else size}" for origin, size in sizes.items()] or ["no logs"]
    lines += [f"two roots for one size, proof: {folder.path / 'equivocations' / name}" for name in equivocations]
    document = {"keys": _vkeys(keys), "logs": [{"origin": o, "size": s} for o, s in sizes.items()]}
    context.show(document | {"equivocations": equivocations}, _text(lines))


@witness.command("serve")
@_folder_options
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8801, show_default=True, type=click.IntRange(0, 65535))
def witness_serve(context: Context, folder: WitnessFolder, host: str, port: int) -> None:
    """Answer logs that ask for co-signatures (C2SP tlog-witness) until interrupted; TLS is a proxy's work."""
    from app.api.server import server_config
    from app.api.witness_app import WitnessApp

    folder.state.read()  # a state that cannot be trusted, or a wrong passphrase, must stop us now
    folder.logs()
    cosigners = folder.cosigners(find_passphrase(load_settings(folder.path)))
    config = server_config(WitnessApp(Witness(folder, cosigners, lambda: int(time.time()))), lifespan="off")
    with listen(host, port) as listener:
        url = url_of(host, listener)
        if context.as_json:
            context.show({"url": url, "keys": _vkeys([one.key for one in cosigners])}, "")
        context.say(f"{cosigners[0].key.name} witnesses on {url} (Ctrl-C stops)")
        run_until_stopped(config, listener, context.say)


def _vkeys(keys: list[CosignerKey]) -> list[str]:
    return [format_cosigner_vkey(key.name, key.algorithm, key.public_key) for key in keys]


def _text(lines: list[str]) -> str:
    return "\n".join(lines)


COMMANDS = (witness,)
