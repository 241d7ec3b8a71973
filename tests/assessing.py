"""An incident with links and panels for tests of assessment, and short ways to ask for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.apis import Api
from tests.incident_samples import REF, document

P, E = "ap1-art62", "ap1-art62-e2"
LOSS = "ap1-art62-e5"
SEARCH = {"what": "military use", "where": "all recordings", "when": "2026-08-20", "by": "Leo"}


@dataclass(frozen=True)
class Desk:
    """One archive with the sample dossier in T1, and an item that speaks of it."""

    api: Api
    item: str

    @classmethod
    def of(cls, api: Api) -> Desk:
        """Import the sample dossier and deposit an item."""
        answer = api.post("ana", "/incidents/import?case=T1", json=document())
        assert answer.status_code == 200, answer.text
        return cls(api, api.deposit(b"\xff\xd8\xff a photo", X_Filename="a.jpg")["item"]["id"])

    def link_body(self, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
        """The body of a link."""
        return {
            "provision": P,
            "element": E,
            "source": "item",
            "ref": self.item,
            "segment": "1-2.5",
            "direction": "supports",
            "weight": "direct",
            "reasoning": "The livery is legible.",
            **changed,
        }

    def link(self, who: str = "ana", **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
        """A new link."""
        return self.made(who, f"/incidents/{REF}/element-links", self.link_body(**changed))

    def panel(self, panel: str, who: str = "leo", **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
        """A new answer: nothing found, unless said otherwise."""
        body = {"provision": P, "panel": panel, "answer": "searched_none_found", "searches": [SEARCH], **changed}
        return self.made(who, f"/incidents/{REF}/panels", body)

    def state(self, who: str = "ana", state: str = "some_evidence") -> dict[str, Any]:
        """A new state of the element."""
        body = {"provision": P, "element": E, "state": state, "reasoning": "One photo shows it."}
        return self.made(who, f"/incidents/{REF}/element-states", body)

    def assessment_body(self, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
        """The body of an assessment."""
        return {"provision": P, "standard": "reasonable_basis", "reasoning": "Enough to inquire.", **changed}

    def assess(self, who: str = "leo", **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
        """A new assessment, after both panels were answered."""
        return self.made(who, f"/incidents/{REF}/assessments", self.assessment_body(**changed))

    def made(self, who: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Something that is made without objection."""
        answer = self.api.post(who, path, json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def review(self, who: str, entry: str, decision: str = "approve", comment: str = "") -> Any:  # noqa: ANN401
        """Review a version; the answer."""
        body = {"decision": decision, "comment": comment}
        return self.api.post(who, f"/assessment-entries/{entry}/review", json=body)

    def matrix(self, *provisions: str, who: str = "ana") -> dict[str, Any]:
        """The matrix as JSON."""
        query = "&".join(f"provision={one}" for one in provisions)
        answer = self.api.get(who, f"/incidents/{REF}/matrix?{query}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def element(self, element: str = E, provision: str = P) -> dict[str, Any]:
        """One element of the matrix."""
        return element_of(self.matrix(provision)["provisions"][0], element)


def element_of(provision: dict[str, Any], element: str) -> dict[str, Any]:
    """An element of a provision of a matrix."""
    every = [one for group in provision["groups"] for one in group["elements"]]
    return next(dict(one) for one in every if one["id"] == element)


def links_in(document: dict[str, Any]) -> set[str]:
    """Every link of a matrix, whatever its direction, by entry."""
    ways = ("supports", "contradicts", "neutral", "excluded", "withdrawn")
    elements = [one for each in document["provisions"] for group in each["groups"] for one in group["elements"]]
    here = {link["entry"] for one in elements for way in ways for link in one[way]}
    return here | {link["entry"] for link in document["contradicting_elsewhere"]}
