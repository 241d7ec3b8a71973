"""A NUL in a text, which PostgreSQL cannot be asked for: the same coded refusal on both databases."""

from __future__ import annotations

from tests.apis import Api, refused

NUL = "a%00b"
ABSENT = "0" * 64


def test_a_key_with_a_nul_is_refused_when_files_are_offered(api: Api) -> None:
    offered = {"files": [{"sha256": ABSENT, "name": "a"}, {"sha256": ABSENT, "name": "b", "key": "a\x00"}]}
    refused(api.post("ana", "/items/known?case=T1", json=offered), 422, "bad_deposit_key")
    offered["files"][1]["key"] = "a"
    told = api.post("ana", "/items/known?case=T1", json=offered).json()["files"]
    assert [one["state"] for one in told] == ["new", "new"]


def test_an_address_with_a_nul_is_that_of_nothing(api: Api) -> None:
    for path, code in [
        (f"/items/{NUL}", "unknown_item"),
        (f"/items/{NUL}/redactions", "unknown_item"),
        (f"/items?case={NUL}", "unknown_case"),
        (f"/cases/{NUL}", "unknown_case"),
        (f"/provisions/{NUL}", "unknown_provision"),
        (f"/provisions/{NUL}/signoffs", "unknown_provision"),
    ]:
        refused(api.get("adm", path), 404, code)
    refused(api.get("adm", f"/items?case=T1&cursor={NUL}"), 422, "bad_cursor")
