"""Every address: first the anonymous caller, then the wrong role, then the wrong case."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from sqlmodel import col, select

from app.access import denials as user_denials
from app.access.service import Access
from app.api.denials import MOST_IN_WINDOW, TokenDenials
from app.api.failures import Failures
from app.api.gate import MAX_JSON_BYTES, is_public
from app.custody.models import EventRow
from app.errors import EnvironmentFailedError
from tests.apis import Api, opened, refused

PUBLIC = {
    "/",
    "/docs",
    "/healthz",
    "/readyz",
    "/api/v1/healthz",
    "/api/v1/readyz",
    "/api/v1/openapi.json",
    "/api/v1/keys",
    *(
        f"{place}/{name}"
        for place in ("/api/v1/log", "/log")
        for name in ("checkpoint", "checkpoint.cosigned", "vkey", "witnesses", "tile/{path:path}")
    ),
}
LINK = {"provision": "ap1-art62", "direction": "supports", "rationale": "seen"}


@dataclass(frozen=True)
class Scene:
    """An archive with one item, link and export in T1."""

    api: Api
    item: str
    link: str
    export: str

    def path(self, template: str) -> str:
        """A template's path, filled in."""
        return template.format(item=self.item, link=self.link, export=self.export)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with opened(tmp_path_factory.mktemp("access"), "sqlite") as api:
        item = api.deposit(b"an item in T1")["item"]["id"]
        link = api.post("ana", f"/items/{item}/links", json=LINK).json()["id"]
        export = api.post("leo", "/exports", json={"items": [item], "purpose": "test"})
        assert export.status_code == 201, export.text
        yield Scene(api, item, link, export.json()["id"])


@pytest.fixture(autouse=True)
def more_denials_than_people_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables below have the same few people denied again and again; each time must be recorded."""
    monkeypatch.setattr(user_denials, "MOST_IN_WINDOW", 10_000)


# method, path, body, roles that may, code for those outside the case
IN_CASE: list[tuple[str, str, Any, set[str], str]] = [
    ("GET", "/cases/T1", None, {"ana", "leo", "adm"}, "unknown_case"),
    ("GET", "/cases/T1/metadata.csv", None, {"ana", "leo", "adm"}, "unknown_case"),
    ("GET", "/items?case=T1", None, {"ana", "leo", "adm"}, "unknown_case"),
    ("GET", "/items/{item}", None, {"ana", "leo", "adm"}, "unknown_item"),
    ("GET", "/items/{item}/original", None, {"ana", "leo", "adm"}, "unknown_item"),
    ("GET", "/items/{item}/preview", None, {"ana", "leo", "adm"}, "unknown_item"),
    ("GET", "/items/{item}/metadata", None, {"ana", "leo", "adm"}, "unknown_item"),
    ("GET", "/items/{item}/aids", None, {"ana", "leo", "adm"}, "unknown_item"),
    ("GET", "/items/{item}/track", None, {"ana", "leo", "adm"}, "unknown_item"),
    ("GET", "/items/{item}/track.geojson", None, {"ana", "leo", "adm"}, "unknown_item"),
    ("GET", "/items/{item}/track.gpx", None, {"ana", "leo", "adm"}, "unknown_item"),
    ("GET", "/items/{item}/matches", None, {"ana", "leo", "adm"}, "unknown_item"),
    ("GET", "/items/{item}/custody", None, {"ana", "leo", "aud", "adm"}, "unknown_item"),
    ("GET", "/items/{item}/receipt", None, {"ana", "leo", "aud", "adm"}, "unknown_item"),
    ("GET", "/items/{item}/receipt.json", None, {"ana", "leo", "aud", "adm"}, "unknown_item"),
    ("GET", "/items/{item}/receipt.p7s", None, {"ana", "leo", "aud", "adm"}, "unknown_item"),
    ("GET", "/items/{item}/proof", None, {"ana", "leo", "aud", "adm"}, "unknown_item"),
    ("GET", "/jobs?item={item}", None, {"ana", "leo", "adm"}, "unknown_item"),
    ("GET", "/timestamps?subject=receipt:{item}", None, {"ana", "leo", "aud", "adm"}, "unknown_item"),
    ("GET", "/timestamps?subject=bundle:{export}", None, {"leo", "adm"}, "unknown_export"),
    ("GET", "/items/{item}/links", None, {"ana", "leo", "adm"}, "unknown_item"),
    ("POST", "/items/{item}/links", LINK, {"ana", "leo", "adm"}, "unknown_item"),
    ("GET", "/links/{link}", None, {"ana", "leo", "adm"}, "unknown_link"),
    ("POST", "/links/{link}/review", {"decision": "approve"}, {"leo", "adm"}, "unknown_link"),
    ("POST", "/cases/T1/members", {"user": "liz"}, {"ana", "adm"}, "unknown_case"),
    ("POST", "/exports", {"case": "T1"}, {"leo", "adm"}, "unknown_case"),
    ("POST", "/exports", {"items": ["{item}"]}, {"leo", "adm"}, "unknown_item"),
    ("GET", "/exports/{export}", None, {"leo", "adm"}, "unknown_export"),
    ("GET", "/exports/{export}/bundle", None, {"leo", "adm"}, "unknown_export"),
]
OUTSIDE_ANY_CASE: list[tuple[str, str, Any, set[str]]] = [
    ("GET", "/cases", None, {"ana", "leo", "adm"}),
    ("POST", "/cases", {"ref": "N-{who}"}, {"ana", "adm"}),
    ("GET", "/items", None, {"ana", "leo", "adm"}),
    ("GET", "/jobs", None, {"ana", "leo", "adm"}),
    ("GET", "/provisions", None, {"ana", "leo", "aud", "adm"}),
    ("GET", "/provisions/ap1-art62", None, {"ana", "leo", "aud", "adm"}),
    ("GET", "/sun?lat=48&lon=37&at=2024-06-21T12:00:00Z", None, {"ana", "leo", "aud", "adm"}),
    ("GET", "/exports", None, {"leo", "adm"}),
    ("GET", "/log/proof/inclusion?index=0&size=2", None, {"ana", "leo", "aud", "adm"}),
    ("GET", "/log/proof/consistency?old=1&new=2", None, {"ana", "leo", "aud", "adm"}),
    ("GET", "/audits", None, {"aud", "adm"}),
    ("GET", "/users", None, {"adm"}),
    ("POST", "/users", {"name": "n-{who}", "role": "legal"}, {"adm"}),
    ("POST", "/users/n-adm/disable", None, {"adm"}),
    ("GET", "/tokens", None, {"adm"}),
    ("POST", "/tokens", {"user": "ana"}, {"adm"}),
    ("GET", "/me", None, {"ana", "leo", "aud", "adm"}),
    ("GET", "/timestamps/authorities", None, {"ana", "leo", "aud", "adm"}),
    ("GET", "/timestamps?subject=checkpoint:1", None, {"ana", "leo", "aud", "adm"}),
    ("GET", "/metrics", None, {"aud", "adm"}),
]


def test_every_address_but_the_public_ones_needs_a_token(scene: Scene) -> None:
    app: Any = scene.api.client.app
    closed = 0
    for route in iter_route_contexts(app.routes):
        path, methods = str(route.path), route.methods or {"GET"}
        filled = path.replace("{path:path}", "0/000")
        for method in methods:
            if path in PUBLIC and method in {"GET", "HEAD"}:
                assert is_public(method, filled)
                continue
            closed += 1
            answer = scene.api.client.request(method, filled.replace("{", "").replace("}", ""))
            assert answer.status_code == 401
            assert method == "HEAD" or refused(answer, 401, "token_required")
            assert answer.headers["www-authenticate"] == 'Bearer realm="catena"'
    assert closed > 40


def test_unknown_addresses_say_nothing_to_the_anonymous_caller(scene: Scene) -> None:
    refused(scene.api.get(None, "/secrets"), 401, "token_required")
    refused(scene.api.get("ana", "/secrets"), 404, "not_found")
    refused(scene.api.call("ana", "PUT", "/cases"), 405, "method_not_allowed")
    refused(scene.api.post(None, "/log/checkpoint"), 401, "token_required")
    for sly in ("/log/tile/../../items", "/log/tile/..%2F..%2Fitems", "/log/tile//items", "//items"):
        assert scene.api.client.get(f"/api/v1{sly}").status_code in {401, 404}


def _filled(value: Any, scene: Scene, who: str) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {key: _filled(one, scene, who) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, scene, who) for one in value]
    return value.replace("{item}", scene.item).replace("{who}", who) if isinstance(value, str) else value


def _denials(scene: Scene) -> int:
    with scene.api.services.archive.db.read() as session:
        return len(session.exec(select(EventRow).where(EventRow.type == "access denied")).all())


@pytest.mark.parametrize(("method", "path", "body", "allowed", "code"), IN_CASE)
def test_who_may_do_what_in_a_case(
    scene: Scene,
    method: str,
    path: str,
    body: object,
    allowed: set[str],
    code: str,
) -> None:
    target = scene.path(path)
    refused(scene.api.call(None, method, target, json=body), 401, "token_required")
    for who in ("ana", "leo", "aud", "adm"):
        before = _denials(scene)
        answer = scene.api.call(who, method, target, json=_filled(body, scene, who))
        if who in allowed:
            assert answer.status_code in {200, 201, 404}, (who, answer.text)
            assert answer.status_code != 404 or answer.json()["code"] == "analysis_pending"
        else:
            refused(answer, 403, "not_allowed")
            assert _denials(scene) == before + 1
    before = _denials(scene)
    outside = "outsider" if "ana" in allowed else "outlaw"
    refused(scene.api.call(outside, method, target, json=_filled(body, scene, outside)), 404, code)
    assert _denials(scene) == before + 1


@pytest.mark.parametrize(("method", "path", "body", "allowed"), OUTSIDE_ANY_CASE)
def test_who_may_do_what_outside_any_case(
    scene: Scene,
    method: str,
    path: str,
    body: object,
    allowed: set[str],
) -> None:
    refused(scene.api.call(None, method, path, json=body), 401, "token_required")
    for who in ("ana", "leo", "aud", "adm"):
        answer = scene.api.call(who, method, path, json=_filled(body, scene, who))
        if who in allowed:
            assert answer.status_code in {200, 201}, (who, answer.text)
        else:
            refused(answer, 403, "not_allowed")


@pytest.mark.parametrize(
    ("who", "path", "status", "code"),
    [
        ("ana", "/audits", 403, "not_allowed"),
        ("leo", "/cases", 403, "not_allowed"),
        ("leo", "/cases/T1/members", 403, "not_allowed"),
        ("outsider", "/cases/T1/members", 404, "unknown_case"),
        ("aud", "/items/{item}/links", 403, "not_allowed"),
        ("outsider", "/items/{item}/links", 404, "unknown_item"),
        ("ana", "/links/{link}/review", 403, "not_allowed"),
        ("outlaw", "/links/{link}/review", 404, "unknown_link"),
        ("ana", "/exports", 403, "not_allowed"),
        ("leo", "/users", 403, "not_allowed"),
        ("leo", "/users/Not%20A%20Name/disable", 403, "not_allowed"),
        ("leo", "/tokens", 403, "not_allowed"),
        ("leo", "/items", 403, "not_allowed"),
    ],
)
def test_who_may_not_is_refused_and_recorded_before_the_body_is_looked_at(
    scene: Scene, who: str, path: str, status: int, code: str
) -> None:
    for body in (b'{"sample": 0, "colour": 1}', b"{", b""):
        before = _denials(scene)
        answer = scene.api.post(who, scene.path(path), content=body, headers={"Content-Type": "application/json"})
        refused(answer, status, code)
        assert _denials(scene) == before + 1


def test_callers_without_a_token_are_counted_by_status(scene: Scene) -> None:
    line = re.compile(r'catena_http_requests_total\{method="DELETE",route="\(none\)",status="401"\} (\d+)')

    def counted() -> int:
        found = line.search(scene.api.get("aud", "/metrics").text)
        return int(found[1]) if found else 0

    before = counted()
    refused(scene.api.call(None, "DELETE", "/tokens/x"), 401, "token_required")
    assert counted() == before + 1


def test_lists_show_only_what_one_may_see(scene: Scene) -> None:
    assert [case["ref"] for case in scene.api.get("outsider", "/cases").json()["cases"]] == ["T2"]
    assert scene.api.get("outsider", "/items").json()["items"] == []
    assert scene.item in {item["id"] for item in scene.api.get("leo", "/items").json()["items"]}
    assert scene.api.get("outlaw", "/exports").json()["exports"] == []
    assert scene.export in {export["id"] for export in scene.api.get("leo", "/exports").json()["exports"]}


def test_membership_that_ends_ends_access(lite: Api) -> None:
    item = lite.deposit(b"data")["item"]["id"]
    refused(lite.get("outsider", f"/items/{item}"), 404, "unknown_item")
    added = lite.post("ana", "/cases/T1/members", json={"user": "outsider"})
    assert added.status_code == 201
    assert added.json()["user"] == "outsider"
    assert lite.get("outsider", f"/items/{item}").status_code == 200
    assert lite.call("ana", "DELETE", "/cases/T1/members/outsider").status_code == 204
    refused(lite.get("outsider", f"/items/{item}"), 404, "unknown_item")
    refused(lite.call("ana", "DELETE", "/cases/T1/members/outsider"), 404, "not_a_member")
    refused(lite.call("ana", "DELETE", "/cases/T1/members/nobody"), 404, "unknown_user")


def test_token_that_was_revoked_or_has_expired_is_refused_and_recorded(tmp_path: Path) -> None:
    with opened(tmp_path, "sqlite") as api:
        made = api.post("adm", "/tokens", json={"user": "ana", "label": "laptop", "days": 1}).json()
        bearer = {"Authorization": f"Bearer {made['token']}"}
        assert api.client.get("/api/v1/me", headers=bearer).json()["name"] == "ana"
        assert api.call("adm", "DELETE", f"/tokens/{made['id']}").json()["revoked_at"] is not None
        revoked = api.client.get("/api/v1/me?secret=1", headers=bearer)
        refused(revoked, 401, "token_revoked")
        assert revoked.headers["www-authenticate"] == 'Bearer realm="catena", error="invalid_token"'
        event = _denied(api)[-1]
        assert event["details"]["reason"] == "token_revoked"
        assert event["details"]["attempted"] == "GET /api/v1/me"
        assert event["details"]["token"] == made["id"].replace("-", "")
        assert event["actor"]["auth"] == "none"
        assert made["token"].rpartition("_")[2] not in str(event)
    clock_ahead = api.services.archive.clock() + timedelta(days=31)
    with opened(tmp_path / "later", "sqlite") as api, pytest.MonkeyPatch.context() as patch:
        patch.setattr(api.services.archive.custody, "clock", lambda: clock_ahead)
        refused(api.get("ana", "/me"), 401, "token_expired")


def _denied(api: Api) -> list[dict[str, Any]]:
    import json

    with api.services.archive.db.read() as session:
        rows = select(EventRow).where(EventRow.type == "access denied").order_by(col(EventRow.leaf_index))
        return [json.loads(row.canonical) for row in session.exec(rows)]


@pytest.mark.parametrize(
    "header",
    [
        "Bearer nonsense",
        "Bearer catena_00000000000000000000000000000000_" + "0" * 64,
        "Bearer catena_zz_zz",
        "bearer catena__",
        "Bearer \xff\xfe",
    ],
)
def test_unknown_token_is_refused_and_recorded(scene: Scene, header: str) -> None:
    before = len(_denied(scene.api))
    answer = scene.api.client.get("/api/v1/items", headers={"Authorization": header.encode("latin-1")})
    refused(answer, 401, "token_invalid")
    assert len(_denied(scene.api)) == before + 1


@pytest.mark.parametrize("header", ["Basic YWRtOmFkbQ==", "Bearer", "Bearer  ", "", "catena_x_y"])
def test_header_without_a_bearer_token_is_refused(scene: Scene, header: str) -> None:
    refused(scene.api.client.get("/api/v1/items", headers={"Authorization": header}), 401, "token_required")


def test_two_authorization_headers_are_refused(scene: Scene) -> None:
    good = f"Bearer {scene.api.tokens['ana']}"
    twice = scene.api.client.get("/api/v1/me", headers=[("Authorization", good), ("Authorization", good)])
    refused(twice, 401, "token_required")


def test_flood_of_bad_tokens_fills_neither_the_log_nor_hides(lite: Api) -> None:
    now = 1000.0
    denials = TokenDenials(lite.services.archive, lambda: now)
    lite.client.app.state.denials = denials  # type: ignore[attr-defined]
    lite.client.app.state.failures = Failures(0, lambda: now)  # type: ignore[attr-defined] # as from many addresses
    for _ in range(MOST_IN_WINDOW + 7):
        refused(lite.client.get("/api/v1/me", headers={"Authorization": "Bearer guess"}), 401, "token_invalid")
    recorded = _denied(lite)
    assert len(recorded) == MOST_IN_WINDOW
    assert denials.left_out == 7
    assert "catena_denials_left_out 7" in lite.get("adm", "/metrics").text
    now += 60.0
    lite.client.get("/api/v1/me", headers={"Authorization": "Bearer guess"})
    assert _denied(lite)[-1]["details"]["left_out_before"] == 7
    assert denials.left_out == 0


def test_refusal_stands_when_it_cannot_be_recorded(lite: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise EnvironmentFailedError("database_busy", "the database is busy; try again")

    monkeypatch.setattr(lite.services.archive.custody, "record", busy)
    refused(lite.client.get("/api/v1/me", headers={"Authorization": "Bearer guess"}), 401, "token_invalid")


def test_the_body_is_not_read_before_the_token_is_known_to_be_good(scene: Scene) -> None:
    import asyncio

    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was asked for")

    async def send(message: Any) -> None:  # noqa: ANN401 - any ASGI message
        sent.append(message)

    for path in ("/api/v1/items", "/api/v1/match", "/api/v1/cases"):
        sent.clear()
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"case=T1",
            "headers": [(b"authorization", b"Bearer catena_bad"), (b"content-length", b"5")],
        }

        async def run(scope: dict[str, Any] = scope) -> None:
            await scene.api.client.app(scope, receive, send)

        asyncio.run(run())
        assert sent[0]["status"] == 401


def test_no_secret_reaches_the_server_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="catena"):
        made = scene.api.post("adm", "/tokens", json={"user": "ana", "label": "for the log"}).json()
        scene.api.get("ana", "/items?case=T1&note=witness-name")
        scene.api.client.get("/api/v1/me", headers={"Authorization": f"Bearer {made['token']}"})
    text = caplog.text
    assert "/api/v1/tokens" in text
    for secret in (made["token"], made["token"].rpartition("_")[2], scene.api.tokens["ana"], "witness-name"):
        assert secret not in text


def test_json_bodies_are_bounded(scene: Scene) -> None:
    big = b'{"ref": "' + b"x" * MAX_JSON_BYTES + b'"}'
    json_type = {"Content-Type": "application/json"}
    refused(scene.api.post("ana", "/cases", content=big, headers=json_type), 413, "too_large")
    status, body = scene.api.stream("ana", "/cases", [big[:600_000], big[600_000:]], json_type)
    assert (status, b'"too_large"' in body) == (413, True)
    status, body = scene.api.stream("ana", "/cases", [b"{", None], json_type)
    assert (status, b'"body_cut_off"' in body) == (400, True)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b'"x"', "body"),
        (b'{"title": "witness-name"}', "body.ref"),
        (b'{"ref": 7}', "body.ref"),
        (b'{"ref": "T3", "colour": "witness-name"}', "body.colour"),
        (b'{"ref": "\\ud800"}', "body.ref"),
        (b'{"ref": "' + b"witness-name" * 50 + b'"}', "body.ref"),
    ],
)
def test_bad_json_names_the_field_and_echoes_nothing(scene: Scene, body: bytes, field: str) -> None:
    answer = scene.api.post("ana", "/cases", content=body, headers={"Content-Type": "application/json"})
    problem = refused(answer, 422, "invalid_request")
    assert problem["errors"][0]["field"] == field
    assert "witness-name" not in answer.text


def test_json_nested_without_end_is_refused(scene: Scene) -> None:
    body = b"[" * 200_000
    answer = scene.api.post("ana", "/cases", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.json()["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/items/%00", "unknown_item"),
        ("/items/..%2F..%2Fetc", "not_found"),
        ("/items/00000000-0000-0000-0000-000000000000", "unknown_item"),
        ("/items/nonsense/original", "unknown_item"),
        ("/cases/%00", "unknown_case"),
        ("/cases/' OR 1=1", "unknown_case"),
        ("/links/%F0%9F%98%80", "unknown_link"),
        ("/exports/zz", "unknown_export"),
        ("/provisions/%00", "unknown_provision"),
    ],
)
def test_ids_that_cannot_be_are_simply_unknown(scene: Scene, path: str, code: str) -> None:
    refused(scene.api.get("adm", path), 404, code)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/items?limit=0", "invalid_request"),
        ("/items?limit=501", "invalid_request"),
        ("/items?limit=many", "invalid_request"),
        ("/items?cursor=%00", "bad_cursor"),
        ("/items?cursor=nonsense", "bad_cursor"),
        ("/cases?cursor=nonsense", "bad_cursor"),
        ("/items/{item}/custody?cursor=-1", "bad_cursor"),
        ("/items/{item}/custody?cursor=99999999999999999999", "bad_cursor"),
        ("/provisions?q=%00", "bad_text"),
        ("/log/proof/inclusion?index=5", "invalid_request"),
        ("/log/proof/inclusion?index=-1&size=2", "invalid_request"),
        ("/log/proof/inclusion?index=2&size=2", "tree_range"),
        ("/log/proof/consistency?old=0&new=2", "tree_range"),
        ("/log/proof/consistency?old=3&new=2", "tree_range"),
    ],
)
def test_bad_query_is_refused_with_a_code(scene: Scene, path: str, code: str) -> None:
    refused(scene.api.get("adm", scene.path(path)), 422, code)


def test_unforeseen_error_shows_no_traceback_and_is_logged_under_the_request_id(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Access) -> None:
        raise ZeroDivisionError("the witness is at 48.1, 37.6")

    monkeypatch.setattr(Access, "list_users", broken)
    answer = scene.api.get("adm", "/users")
    problem = refused(answer, 500, "internal")
    assert "witness" not in answer.text
    assert problem["instance"].rpartition(":")[2] in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_every_answer_carries_the_security_headers(scene: Scene) -> None:
    for answer in (
        scene.api.get("ana", "/items"),
        scene.api.get(None, "/items"),
        scene.api.client.get("/"),
        scene.api.client.get("/api/v1/log/checkpoint"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "server" not in answer.headers
