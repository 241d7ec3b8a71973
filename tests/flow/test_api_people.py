"""Cases, users, tokens, health and pages over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.api.described import METADATA_EXAMPLE
from app.api.gate import API, is_streamed
from app.api.health import _Confinement
from schemas.records.v1.media_metadata import MediaMetadata
from tests.apis import Api, refused


def test_who_opens_a_case_is_its_first_member(api: Api) -> None:
    answer = api.post("outsider", "/cases", json={"ref": "K-1.a", "title": "Кейс"})
    assert answer.status_code == 201
    case = answer.json()
    assert answer.headers["location"] == f"{API}/cases/{case['id']}"
    assert (case["ref"], case["title"]) == ("K-1.a", "Кейс")
    for name in (case["id"], "K-1.a"):
        assert api.get("outsider", f"/cases/{name}").json() == case
    refused(api.get("ana", "/cases/K-1.a"), 404, "unknown_case")
    refused(api.post("ana", "/cases", json={"ref": "K-1.a"}), 409, "case_exists")


def test_bad_cases_are_refused_with_a_code(lite: Api) -> None:
    for body, code in [
        ({"ref": ""}, "bad_case_ref"),
        ({"ref": "../x"}, "bad_case_ref"),
        ({"ref": "a b"}, "bad_case_ref"),
        ({"ref": "x" * 65}, "bad_case_ref"),
        ({"ref": "ok", "title": "t" * 301}, "text_too_long"),
        ({"ref": "ok", "title": "a\nb"}, "bad_text"),
    ]:
        refused(lite.post("ana", "/cases", json=body), 422, code)


def test_lists_are_read_page_by_page(lite: Api) -> None:
    for path, key in (("/users", "users"), ("/tokens", "tokens"), ("/cases", "cases")):
        whole = lite.get("adm", path).json()[key]
        assert len(whole) >= 2
        seen, cursor = [], ""
        while True:
            page = lite.get("adm", f"{path}?limit=1{cursor}").json()
            seen += page[key]
            if page["cursor"] is None:
                break
            cursor = f"&cursor={page['cursor']}"
        assert seen == whole


def test_user_with_token_can_work_until_disabled(api: Api) -> None:
    made = api.post("adm", "/users", json={"name": "eva", "role": "investigator", "display_name": "Eva"})
    assert made.status_code == 201
    token = api.post("adm", "/tokens", json={"user": "eva", "label": "phone"})
    assert token.headers["cache-control"] == "no-store"
    bearer = {"Authorization": f"Bearer {token.json()['token']}"}
    me = api.client.get(f"{API}/me", headers=bearer).json()
    assert (me["name"], me["role"]) == ("eva", "investigator")
    assert me["archive"] == api.services.archive.identity.as_json()
    listed = api.get("adm", "/tokens?user=eva").json()["tokens"]
    assert [one["label"] for one in listed] == ["phone"]
    assert "token" not in listed[0]
    assert api.post("adm", "/users/eva/disable").json()["disabled_at"] is not None
    refused(api.client.get(f"{API}/me", headers=bearer), 401, "user_disabled")


def test_bad_users_and_tokens_are_refused_with_a_code(lite: Api) -> None:
    for path, body, status, code in [
        ("/users", {"name": "Eva", "role": "legal"}, 422, "bad_user_name"),
        ("/users", {"name": "eva", "role": "god"}, 422, "unknown_role"),
        ("/users", {"name": "ana", "role": "legal"}, 409, "user_exists"),
        ("/users", {"name": "eva", "role": "legal", "display_name": "a\x00"}, 422, "bad_text"),
        ("/tokens", {"user": "nobody"}, 404, "unknown_user"),
        ("/tokens", {"user": "ana", "days": 0}, 422, "bad_expiry"),
        ("/tokens", {"user": "ana", "days": 10**12}, 422, "bad_expiry"),
        ("/users/nobody/disable", None, 404, "unknown_user"),
        ("/users/No%20Body/disable", None, 422, "invalid_request"),
    ]:
        refused(lite.post("adm", path, json=body), status, code)
    refused(lite.call("adm", "DELETE", "/tokens/none"), 404, "unknown_token")


def test_health_says_version_and_sandbox_to_anybody(lite: Api) -> None:
    for path in ("/healthz", f"{API}/healthz"):
        body = lite.client.get(path).json()
        assert body["ok"] is True
        assert re.fullmatch(r"\d+\.\d+\.\d+.*", body["version"])
        assert body["sandbox"]


def test_readiness_tells_what_fails_and_nothing_more(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("/readyz", f"{API}/readyz"):
        answer = api.client.get(path)
        assert answer.status_code == 200
        well = {"database": "ok", "blob_store": "ok", "disk": "ok", "keys": "ok", "sandbox": "ok"}
        assert answer.json() == {"ok": True, "checks": well}
    staging = api.services.archive.settings.blobs / "staging"
    staging.rmdir()
    answer = api.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {**well, "blob_store": "failed"}
    assert str(staging) not in answer.text


def test_server_that_lacks_the_confinement_it_demands_is_not_ready(lite: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking() -> list[str]:
        return ["landlock"]

    known = _Confinement()
    monkeypatch.setattr("app.api.health.shortcomings", lacking)
    monkeypatch.setattr("app.api.health._confinement", known)
    assert lite.client.get("/readyz").status_code == 200, "nothing was tried yet"
    known.measure()
    answer = lite.client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["sandbox"]) == (503, "failed")
    assert lite.client.get("/healthz").status_code == 200, "the process is alive, and takes deposits"


def test_metrics_count_requests_by_template_without_ids(lite: Api) -> None:
    item = lite.deposit(b"12345")["item"]["id"]
    lite.get("ana", f"/items/{item}")
    text = lite.get("adm", "/metrics").text
    assert re.search(
        r'catena_http_requests_total\{method="GET",route="/api/v1/items/\{item\}",status="200"\} \d+', text
    )
    assert "catena_jobs" in text
    assert re.search(r"catena_log_entries \d+", text)
    assert item not in text
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.]+', line), line


def test_pages_load_nothing_from_any_other_host_and_run_nothing(lite: Api) -> None:
    for path in ("/", "/docs"):
        answer = lite.client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert re.search(r'(src|href)="(?!/)', answer.text) is None
        assert "<script" not in answer.text
        assert "url(" not in answer.text
        assert "script-src" not in answer.headers["content-security-policy"]
    assert 'href="/docs"' in lite.client.get("/").text
    for path in ("/redoc", "/openapi.json"):
        assert lite.client.get(path, headers={"Authorization": f"Bearer {lite.tokens['ana']}"}).status_code == 404


def test_docs_name_every_address_of_the_interface(lite: Api) -> None:
    described = lite.client.get(f"{API}/openapi.json").json()
    page = lite.client.get("/docs").text
    assert len(described["paths"]) >= 35
    for path, methods in described["paths"].items():
        assert path.startswith(API)
        assert path in page
        for operation in methods.values():
            assert operation["description"]
            assert "4XX" in operation["responses"]


def test_openapi_gives_an_example_of_every_body(lite: Api) -> None:
    from app.api.pages import example_of

    described = lite.client.get(f"{API}/openapi.json").json()
    schemas = described["components"]["schemas"]
    for path, methods in described["paths"].items():
        for operation in methods.values():
            contents = [operation.get("requestBody", {}), *operation["responses"].values()]
            for content in contents:
                shown = content.get("content", {}).get("application/json")
                if shown is not None and shown.get("schema"):
                    assert example_of(shown["schema"], schemas) is not None, path


def _nodes(value: object) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(one)


def _has_example(value: object, described: dict[str, Any], seen: frozenset[str] = frozenset()) -> bool:
    """Whether an example stands in a part of the description, or in a schema that it refers to."""
    for node in _nodes(value):
        if "example" in node or "examples" in node:
            return True
        reference = node.get("$ref")
        if isinstance(reference, str) and reference not in seen:
            target = described["components"]["schemas"][reference.rpartition("/")[2]]
            if _has_example(target, described, seen | {reference}):
                return True
    return False


def test_openapi_is_sound_and_every_operation_has_text_example_and_answers(lite: Api) -> None:
    described = lite.client.get(f"{API}/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    for node in _nodes(described):
        if isinstance(node.get("$ref"), str):
            found: Any = described
            for step in node["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            assert isinstance(found, dict)
    names = [operation["operationId"] for methods in described["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["description"], where
            assert {"4XX", "5XX"} <= set(operation["responses"]), where
            good = {status: one for status, one in operation["responses"].items() if status.startswith("2")}
            assert good, where
            told = [one.get("content") or one.get("headers") for status, one in good.items() if status != "204"]
            assert all(told), where  # in the body, or all of it in the header
            asked = [operation.get("requestBody", {}), operation.get("parameters", [])]
            assert _has_example([asked, list(good.values())], described), where
            in_path = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
            assert in_path == {name.partition(":")[0] for name in re.findall(r"\{([^}]+)\}", path)}, where


def test_openapi_tells_of_bytes_ranges_and_what_goes_wrong_with_them(lite: Api) -> None:
    paths = lite.client.get(f"{API}/openapi.json").json()["paths"]
    for path, media_type in (
        ("/items/{item}/original", "application/octet-stream"),
        ("/items/{item}/preview", "image/jpeg"),
        ("/items/{item}/matches/{other}/picture.png", "image/png"),
        ("/exports/{export}/bundle", "application/vnd.etsi.asic-e+zip"),
    ):
        responses = paths[f"{API}{path}"]["get"]["responses"]
        for status in ("200", "206"):
            assert responses[status]["content"][media_type]["schema"]["format"] == "binary"
        assert "Content-Range" in responses["206"]["headers"]
        assert "application/problem+json" in responses["416"]["content"]


def test_every_body_that_is_a_file_is_streamed_and_not_held_to_the_size_of_a_json_body(lite: Api) -> None:
    paths = lite.client.get(f"{API}/openapi.json").json()["paths"]
    bodies = {
        path: set(operation["requestBody"]["content"])
        for path, operations in paths.items()
        for operation in operations.values()
        if "requestBody" in operation
    }
    files = {path for path, types in bodies.items() if types != {"application/json"}}
    assert {f"{API}/items", f"{API}/bundles"} <= files
    assert [path for path in files if not is_streamed(path)] == []


def test_the_example_of_a_metadata_record_is_one() -> None:
    MediaMetadata.model_validate(METADATA_EXAMPLE)
