"""Every table of the archive, registered: for migrations and for the audit."""

from __future__ import annotations

import app.access.models
import app.analysis.models
import app.audit.models
import app.custody.models
import app.disclosure.models
import app.evidence.models
import app.export.models
import app.incidents.models
import app.intake.models
import app.jobs.models
import app.law.care_models
import app.law.models
import app.matching.models
import app.patterns.models
import app.receiving.models
import app.renewal.models
import app.review.models
import app.timestamps.models
import app.verification.models
import app.witnessing.models  # noqa: F401
