"""From the C2PA library's reports to the record's group; nothing in a report is trusted to have its form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.analysis.probes.c2pa import C2paRead, TrustTexts
from app.analysis.probes.readings import clean
from schemas.records.v1.c2pa_facts import (
    C2paAction,
    C2paFacts,
    C2paIngredient,
    C2paSigner,
    C2paStatus,
    C2paTimeStamp,
    Outcome,
)

_MAX_STATUSES, _MAX_ACTIONS, _MAX_INGREDIENTS, _MAX_DEPTH = 120, 60, 60, 8
_MAX_TEXT = 300
# The one failure that is about the trust list and not about the file.
UNTRUSTED = "signingCredential.untrusted"
_OUTCOMES: tuple[Outcome, ...] = ("success", "informational", "failure")
_ACTIVE = "active manifest"
_LEGACY = "legacy"  # how the library words that it did not look for the authority of a first-version claim


def facts_of(read: C2paRead, trust: TrustTexts, place: str | None) -> C2paFacts:
    """The group for a manifest store that the library read."""
    store = read.store
    manifests = _dict(store.get("manifests"))
    label = _text(store.get("active_manifest"))
    active = _dict(manifests.get(label or ""))
    statuses = _statuses(store, manifests)
    ingredients = list(_ingredients(manifests, active, statuses, 0, {label}))
    actions = [_action(one) for one in _actions(active)]
    failures = list(
        dict.fromkeys(_named(one) for one in statuses if one.outcome == "failure" and one.code != UNTRUSTED)
    )
    state, reasons = _verdict(read, failures)
    return C2paFacts(
        state=state,  # type: ignore[arg-type]  # one of the three words of `_verdict`
        reasons=tuple(reasons[:20]),
        place=place,
        tool=read.tool,
        library_state=_text(read.state),
        trust_list=trust.sha256,
        remote_url=_text(read.remote_url),
        manifest=label,
        manifests=len(manifests),
        title=_text(active.get("title")),
        generator=_generator(active),
        signer=_signer(read, label),
        time_stamp=_time_stamp(read, label, statuses),
        actions=tuple(actions[:_MAX_ACTIONS]),
        source_types=tuple(dict.fromkeys(one for manifest in manifests.values() for one in _source_types(manifest)))[
            :20
        ],
        ingredients=tuple(ingredients[:_MAX_INGREDIENTS]),
        statuses=tuple(statuses[:_MAX_STATUSES]),
        omitted=sum(
            max(0, len(found) - most)
            for found, most in (
                (statuses, _MAX_STATUSES),
                (actions, _MAX_ACTIONS),
                (ingredients, _MAX_INGREDIENTS),
            )
        ),
    )


def _verdict(read: C2paRead, failures: list[str]) -> tuple[str, list[str]]:
    """State and reasons. Stricter than the library: a failure that a claim admits of an ingredient counts."""
    if failures:
        return "invalid", failures
    if read.state == "Trusted":
        return "valid_trusted", ["the signature is valid and the signer is on the trust list"]
    if read.state == "Valid":
        return "valid_untrusted", ["the signature is valid, the signer is not on a trust list"]
    return "invalid", [f"the library calls the manifest {read.state}"]


def _named(status: C2paStatus) -> str:
    return status.code if status.about == _ACTIVE else f"{status.code} (ingredient {status.about})"


def _statuses(store: dict[str, Any], manifests: dict[str, Any]) -> list[C2paStatus]:
    """Failures first, so that they are never what is left out."""
    results = _dict(store.get("validation_results"))
    found = list(_of_results(_dict(results.get("activeManifest")), _ACTIVE))
    titles = _titles(manifests)
    for delta in _list(results.get("ingredientDeltas")):
        address = _text(_dict(delta).get("ingredientAssertionURI")) or ""
        found += _of_results(_dict(_dict(delta).get("validationDeltas")), titles.get(address, address or "?"))
    for manifest in manifests.values():
        for ingredient in map(_dict, _list(_dict(manifest).get("ingredients"))):
            found += _admitted(ingredient)
    unique = list(dict.fromkeys(found))
    return sorted(unique, key=lambda status: _OUTCOMES[::-1].index(status.outcome))


def _of_results(results: dict[str, Any], about: str) -> Iterator[C2paStatus]:
    for outcome in _OUTCOMES:
        for status in map(_dict, _list(results.get(outcome))):
            yield C2paStatus(
                outcome=outcome,
                code=_text(status.get("code")) or "?",
                about=about,
                explanation=_text(status.get("explanation")),
            )


def _admitted(ingredient: dict[str, Any]) -> Iterator[C2paStatus]:
    """What the claim recorded of an ingredient when it was added, failures alone (C2PA 2.2, section 18.16)."""
    about = _text(ingredient.get("title")) or "?"
    recorded = _dict(_dict(ingredient.get("validation_results")).get("activeManifest")).get("failure")
    for status in map(_dict, [*_list(ingredient.get("validation_status")), *_list(recorded)]):
        yield C2paStatus(
            outcome="failure",
            code=_text(status.get("code")) or "?",
            about=about,
            by="claim",
            explanation=_text(status.get("explanation")),
        )


def _titles(manifests: dict[str, Any]) -> dict[str, str]:
    """Ingredient titles by the address of their assertion."""
    titles: dict[str, str] = {}
    for label, manifest in manifests.items():
        for ingredient in map(_dict, _list(_dict(manifest).get("ingredients"))):
            name = _text(ingredient.get("label"))
            if name:
                titles[f"self#jumbf=/c2pa/{label}/c2pa.assertions/{name}"] = _text(ingredient.get("title")) or name
    return titles


def _ingredients(
    manifests: dict[str, Any],
    manifest: dict[str, Any],
    statuses: list[C2paStatus],
    depth: int,
    seen: set[str | None],
) -> Iterator[C2paIngredient]:
    """In reading order; a manifest that names itself among its ingredients is not entered twice."""
    for ingredient in map(_dict, _list(manifest.get("ingredients"))):
        title = _text(ingredient.get("title")) or "?"
        label = _text(ingredient.get("active_manifest"))
        inner = _dict(manifests.get(label or ""))
        yield C2paIngredient(
            depth=depth,
            title=title,
            format=_text(ingredient.get("format")),
            relationship=_text(ingredient.get("relationship")),
            manifest=label,
            generator=_generator(inner),
            failures=tuple(
                dict.fromkeys(one.code for one in statuses if one.outcome == "failure" and one.about == title)
            )[:20],
        )
        if inner and label not in seen and depth < _MAX_DEPTH and len(seen) < _MAX_INGREDIENTS:
            seen.add(label)
            yield from _ingredients(manifests, inner, statuses, depth + 1, seen)


def _assertions(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for assertion in map(_dict, _list(manifest.get("assertions"))):
        if (_text(assertion.get("label")) or "").startswith("c2pa.actions"):
            yield _dict(assertion.get("data"))


def _actions(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for data in _assertions(manifest):
        yield from map(_dict, _list(data.get("actions")))


def _action(action: dict[str, Any]) -> C2paAction:
    return C2paAction(
        action=_text(action.get("action")) or "?",
        when=_text(action.get("when")),
        agent=_name(action.get("softwareAgent")),
        source_type=_text(action.get("digitalSourceType")),
    )


def _source_types(manifest: object) -> Iterator[str]:
    for action in _actions(_dict(manifest)):
        source_type = _text(action.get("digitalSourceType"))
        if source_type:
            yield source_type


def _generator(manifest: dict[str, Any]) -> str | None:
    named = [_name(info) for info in _list(manifest.get("claim_generator_info"))]
    return _text("; ".join(name for name in named if name)) or _text(manifest.get("claim_generator"))


def _name(agent: object) -> str | None:
    """A program as text, or as an object with name and version."""
    if isinstance(agent, dict):
        parts = (_text(agent.get("name")), _text(agent.get("version")))
        return " ".join(part for part in parts if part) or None
    return _text(agent)


def _signature(read: C2paRead, label: str | None) -> dict[str, Any]:
    listed = map(_dict, _list(read.details.get("manifests")))
    return next((_dict(one.get("signature")) for one in listed if one.get("label") == label), {})


def _signer(read: C2paRead, label: str | None) -> C2paSigner:
    signature = _signature(read, label)
    certificate = _dict(signature.get("certificateInfo"))
    validity = _dict(certificate.get("validity"))
    return C2paSigner(
        subject=_x500(certificate.get("subject")),
        issuer=_x500(certificate.get("issuer")),
        serial=_text(certificate.get("serialNumber")),
        algorithm=_text(signature.get("algorithm")),
        not_before=_text(validity.get("notBefore")),
        not_after=_text(validity.get("notAfter")),
    )


def _time_stamp(read: C2paRead, label: str | None, statuses: list[C2paStatus]) -> C2paTimeStamp:
    info = _dict(_signature(read, label).get("timeStampInfo"))
    about = {one.code: one.explanation or "" for one in statuses if one.about == _ACTIVE}
    authority = _x500(_dict(info.get("certificateInfo")).get("subject"))
    if "timeStamp.validated" not in about:
        failed = any(code.startswith("timeStamp.") for code in about) or bool(info)
        return C2paTimeStamp(state="failed" if failed else "absent", authority=authority)
    trusted = "timeStamp.trusted" in about and _LEGACY not in about["timeStamp.trusted"]
    return C2paTimeStamp(
        state="trusted" if trusted else "matched", time=_text(info.get("timestamp")), authority=authority
    )


def _x500(name: object) -> str | None:
    parts = [f"{key}={_text(value)}" for key, value in sorted(_dict(name).items()) if _text(value)]
    return _text(", ".join(parts))


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    """Bounded printable text; None for nothing and for what is no text."""
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return None
    text = clean(value)
    return (text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…") or None
