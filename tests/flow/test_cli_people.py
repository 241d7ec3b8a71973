"""Users and tokens on the command line."""

from __future__ import annotations

from tests.commands import Cli


def test_users_are_added_listed_and_disabled(bare_cli: Cli) -> None:
    added = bare_cli.json("users", "add", "ana", "--role", "investigator", "--display-name", "Ана")
    assert added["token"].startswith("catena_")
    assert (added["name"], added["role"], added["display_name"]) == ("ana", "investigator", "Ана")
    listed = bare_cli.json("users", "list")["users"]
    assert [(user["name"], user["disabled_at"]) for user in listed] == [("admin", None), ("ana", None)]
    assert bare_cli("cases", "list", "--as", "ana").out == "(none)\n"
    assert bare_cli.json("users", "disable", "ana")["disabled_at"]
    bare_cli("users", "disable", "ana")
    bare_cli("cases", "list", "--as", "ana", code=2).refused("user_disabled")
    assert "ana" in bare_cli("users", "list").out
    assert bare_cli.json("audit")["ok"] is True


def test_users_that_cannot_be_are_refused(bare_cli: Cli) -> None:
    bare_cli("users", "add", "admin", "--role", "admin", code=2).refused("user_exists")
    for name in ("", "Ana", "a b", "../x", "x" * 65, "a\n"):
        bare_cli("users", "add", name, "--role", "legal", code=2).refused("bad_user_name")
    bare_cli("users", "add", "x", "--role", "legal", "--display-name", "a\x1b[31m", code=2).refused("bad_text")
    bare_cli("users", "disable", "nobody", code=2).refused("unknown_user")
    bare_cli("users", "disable", "admin", code=2).refused("last_admin")
    assert len(bare_cli.json("users", "list")["users"]) == 1


def test_tokens_are_made_listed_without_secrets_and_revoked(bare_cli: Cli) -> None:
    made = bare_cli.json("tokens", "create", "admin", "--label", "for the tests", "--days", "2")
    secret = made["token"].rsplit("_", 1)[1]
    listed = bare_cli("tokens", "list", "--json")
    assert secret not in listed.out
    assert secret not in bare_cli("tokens", "list").out
    assert [token["label"] for token in listed.json["tokens"]] == ["first token", "for the tests"]
    assert bare_cli.json("tokens", "list", "--user", "admin")["tokens"] == listed.json["tokens"]
    assert bare_cli.json("tokens", "revoke", made["id"])["revoked_at"]
    bare_cli("tokens", "revoke", made["id"])
    assert bare_cli.json("tokens", "list")["tokens"][1]["revoked_at"]
    bare_cli("tokens", "create", "nobody", code=2).refused("unknown_user")
    bare_cli("tokens", "revoke", "nothing", code=2).refused("unknown_token")
    bare_cli("tokens", "list", "--user", "nobody", code=2).refused("unknown_user")
    bare_cli("tokens", "create", "admin", "--label", "x" * 101, code=2).refused("text_too_long")
    assert bare_cli.json("audit")["ok"] is True


def test_only_an_admin_manages_people_and_every_attempt_is_recorded(cli: Cli) -> None:
    attempts = [
        ("users", "list"),
        ("users", "add", "x", "--role", "admin"),
        ("users", "disable", "admin"),
        ("tokens", "list"),
        ("tokens", "create", "admin"),
        ("tokens", "revoke", "x"),
    ]
    for attempt in attempts:
        cli(*attempt, "--as", "lena", code=2).refused("not_allowed")
    assert cli.one("SELECT count(*) FROM custody_event WHERE type = 'access denied'") == str(len(attempts))


def test_quotas_are_shown_and_decided(bare_cli: Cli) -> None:
    bare_cli.json("users", "add", "ana", "--role", "investigator")
    nothing = {"items": 0, "bytes": 0, "promised": 0, "max_bytes": None, "decided": False}
    assert bare_cli.json("users", "quota", "ana") == nothing
    assert bare_cli.json("users", "quota", "ana", "--gib", "2")["max_bytes"] == 2 * 1024**3
    assert bare_cli.json("users", "quota", "ana", "--bytes", "0") == nothing | {"max_bytes": 0, "decided": True}
    assert "0 bytes of 0 bytes" in bare_cli("users", "list").out
    assert bare_cli.json("users", "quota", "ana", "--none") == nothing | {"decided": True}
    assert bare_cli.json("users", "list")["users"][1]["quota"] == nothing | {"decided": True}
    bare_cli("users", "quota", "nobody", code=2).refused("unknown_user")
    bare_cli("users", "quota", "ana", "--as", "ana", code=2).refused("not_allowed")
    bare_cli("users", "quota", "admin", "--bytes", "1", "--as", "ana", code=2).refused("not_allowed")
    for wrong in (("--bytes", "1", "--none"), ("--bytes", "-1"), ("--gib", "9000000000")):
        bare_cli("users", "quota", "ana", *wrong, code=2)
    assert bare_cli.json("users", "quota", "ana")["decided"] is True
    assert bare_cli.json("audit")["ok"] is True
