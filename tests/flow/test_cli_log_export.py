"""`catena log export`: the published log, as an administrator makes it and as a web server hands it out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from evidence_store.log import merkle
from evidence_store.log.note import open_checkpoint, parse_vkey
from evidence_store.log.tiles import bundles_for_size, parse_entry_bundle, tile_path
from tests.commands import Cli
from tests.mirrors import files, verified


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A plain web server over a folder; it knows nothing of logs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def vkey(cli: Cli) -> str:
    return str(cli.json("keys", "list")["log"]).strip().splitlines()[0]


def test_unknown_people_export_nothing(cli: Cli, tmp_path: Path) -> None:
    cli("log", "export", tmp_path / "m", "--as", "nobody", code=2).refused("unknown_user")
    cli("users", "disable", "lena")
    cli("log", "export", tmp_path / "m", "--as", "lena", code=2).refused("user_disabled")
    assert not (tmp_path / "m").exists()


def test_exported_folder_is_a_whole_log_and_says_what_it_is(cli: Cli, tmp_path: Path) -> None:
    done = cli.json("log", "export", tmp_path / "m")
    assert done["size"] == done["new_entries"] == int(cli.one("SELECT size FROM log_head"))
    assert verified(tmp_path / "m", vkey(cli)).size == done["size"]
    assert (tmp_path / "m" / "log.vkey").read_text().splitlines()[0] == vkey(cli)
    readme = (tmp_path / "m" / "README.txt").read_text(encoding="utf-8")
    assert "Archive of the Tests" in readme
    assert vkey(cli).split("+")[0] in readme
    again = cli.json("log", "export", tmp_path / "m")
    assert (again["new_entries"], again["files"]) == (0, 0), "publishing adds nothing to the log"
    cli("cases", "create", "T2")
    told = cli("log", "export", tmp_path / "m")
    assert f"{tmp_path / 'm'}: " in told.out
    assert "log export: " in told.err


def test_latest_needs_no_key(cli: Cli, tmp_path: Path) -> None:
    (cli.data / "passphrase").rename(tmp_path / "put away")
    cli("log", "export", tmp_path / "m", code=3).refused("passphrase_missing", 3)
    assert cli.json("log", "export", tmp_path / "m", "--latest")["size"] > 0
    verified(tmp_path / "m", vkey(cli))


def test_published_files_hold_none_of_the_evidence(cli: Cli, tmp_path: Path) -> None:
    cli("log", "export", tmp_path / "m")
    words = [cli.one("SELECT id FROM item LIMIT 1"), cli.one("SELECT sha256 FROM item LIMIT 1"), "a.jpg", "lena", "T1"]
    binary = [bytes.fromhex(words[1])]
    everything = b"".join(content for _, _, content in files(tmp_path / "m").values())
    assert not [word for word in [*(word.encode() for word in words[:4]), *binary] if word in everything]


def test_any_web_server_hands_the_log_out(cli: Cli, tmp_path: Path) -> None:
    cli("log", "export", tmp_path / "m")
    with served(tmp_path / "m") as url, httpx.Client(base_url=url) as client:
        checkpoint = open_checkpoint(client.get("/checkpoint").raise_for_status().content, parse_vkey(vkey(cli)))
        nodes: dict[tuple[int, int], bytes] = {}
        index = 0
        for bundle in bundles_for_size(checkpoint.size):
            path = tile_path(bundle.level, bundle.index, bundle.width)
            for entry in parse_entry_bundle(client.get(f"/{path}").raise_for_status().content):
                made = merkle.nodes_completed_by(index, merkle.leaf_hash(entry), lambda *at: nodes[at])
                nodes.update({(level, at): value for level, at, value in made})
                index += 1
        assert merkle.root_at(checkpoint.size, lambda *at: nodes[at]) == checkpoint.root


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda folder: (folder / "letter").write_text("mine"), "mirror_not_empty"),
        (lambda folder: (folder / "checkpoint").write_text("no checkpoint"), "mirror_damaged"),
    ],
)
def test_folder_of_something_else_is_refused_in_one_line(cli: Cli, tmp_path: Path, make: object, code: str) -> None:
    (tmp_path / "m").mkdir()
    assert callable(make)
    make(tmp_path / "m")
    before = files(tmp_path / "m")
    ran = cli("log", "export", tmp_path / "m", "--json", code=2)
    assert ran.json["error"]["code"] == code
    assert files(tmp_path / "m") == before


def test_a_file_in_place_of_the_folder_is_bad_usage(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "m").write_text("a file")
    assert cli("log", "export", tmp_path / "m", code=2).out == ""
    assert (tmp_path / "m").read_text() == "a file"
