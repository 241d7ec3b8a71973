"""Write the JSON Schemas of all published records, from the models that define them.

`python -m scripts.json_schemas` writes schemas/json/v1; with `--check` it only says what differs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from schemas.records.v1.assessment import (
    AssessmentRecord,
    AssessmentReviewRecord,
    ElementLinkRecord,
    ElementStateRecord,
    PanelRecord,
)
from schemas.records.v1.audit_report import AuditReport
from schemas.records.v1.collector_check import CollectorCheckRecord
from schemas.records.v1.event import CustodyEvent
from schemas.records.v1.incident import IncidentClaimRecord, IncidentEntryRecord
from schemas.records.v1.law_care import ProvisionSignoffRecord, RuleChangeRecord
from schemas.records.v1.link import LinkRecord
from schemas.records.v1.matches import Matches
from schemas.records.v1.media_metadata import MediaMetadata
from schemas.records.v1.pattern import FrozenReleaseRecord, PatternRuleRecord
from schemas.records.v1.provision import Provisions
from schemas.records.v1.receipt import DepositReceipt
from schemas.records.v1.review import LinkReviewRecord
from schemas.records.v1.source import SourceContext
from schemas.records.v1.source_version import SourceVersionRecord
from schemas.records.v1.track import TrackRecord
from schemas.records.v1.verification import VerificationRecord, VerificationReviewRecord

FOLDER: Final = Path(__file__).resolve().parent.parent / "schemas" / "json" / "v1"
RECORDS: Final[dict[str, type[BaseModel]]] = {
    "assessment": AssessmentRecord,
    "assessment_review": AssessmentReviewRecord,
    "audit_report": AuditReport,
    "collector_check": CollectorCheckRecord,
    "custody_event": CustodyEvent,
    "deposit_receipt": DepositReceipt,
    "element_link": ElementLinkRecord,
    "element_state": ElementStateRecord,
    "frozen_release": FrozenReleaseRecord,
    "incident_claim": IncidentClaimRecord,
    "incident_entry": IncidentEntryRecord,
    "link": LinkRecord,
    "link_review": LinkReviewRecord,
    "matches": Matches,
    "media_metadata": MediaMetadata,
    "panel_answer": PanelRecord,
    "pattern_rule": PatternRuleRecord,
    "position_track": TrackRecord,
    "provision_signoff": ProvisionSignoffRecord,
    "provisions": Provisions,
    "rule_change": RuleChangeRecord,
    "source_context": SourceContext,
    "source_version": SourceVersionRecord,
    "verification": VerificationRecord,
    "verification_review": VerificationReviewRecord,
}


def schema_text(model: type[BaseModel]) -> str:
    """The JSON Schema (draft 2020-12) of a record, as it is committed."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(mode="serialization"),
    }
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def stale() -> list[str]:
    """Names of committed schemas that differ from their models, are missing, or belong to none."""
    differing = [
        name
        for name, model in RECORDS.items()
        if not (FOLDER / f"{name}.json").is_file()
        or (FOLDER / f"{name}.json").read_text(encoding="utf-8") != schema_text(model)
    ]
    return differing + sorted({path.stem for path in FOLDER.glob("*.json")} - set(RECORDS))


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description="Write the JSON Schemas of the published records.")
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        for name in stale():
            print(f"differs: {name}")
        return 1 if stale() else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, model in RECORDS.items():
        (FOLDER / f"{name}.json").write_text(schema_text(model), encoding="utf-8")
        print(FOLDER / f"{name}.json")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
