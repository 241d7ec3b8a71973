"""Matching as durable work: fingerprint, compare with what is here, write the relations found.

Nothing is ever merged: a relation is a statement with a reason, which people confirm or reject.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import JsonValue
from sqlmodel import Session, col, or_, select

from app.access.service import Access, Principal
from app.analysis.errors import SandboxFailure
from app.analysis.limits import Limits
from app.analysis.models import AnalysisRun
from app.analysis.sandbox import run_sandboxed
from app.archive import Archive
from app.custody.service import SYSTEM
from app.errors import NotFoundError
from app.evidence.models import Item
from app.evidence.service import item_or_none
from app.jobs.service import Claim, Jobs
from app.matching.compare import Verdict, compare
from app.matching.format import ALGORITHM, ALGORITHM_VERSION, Fingerprint
from app.matching.models import FingerprintRow, MatchRow
from app.matching.shortlist import Shortlist
from evidence_store.digests import digest_file, digest_stream
