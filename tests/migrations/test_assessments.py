"""Assessments come to an archive that was there before them, on both databases."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app import migrate
from app.assessment.links import LinkGiven
from app.db import Database
from app.incidents.dossier import take_apart
from app.wiring import open_archive
from evidence_store.keys import file as key_file
from tests.archives import PASSPHRASE, make_archive, person
from tests.assessing import E, P
from tests.checks import assert_clean, audit, errors_of
from tests.databases import BACKENDS, fresh_database
from tests.incident_samples import REF, document
from tests.schemas_of_before import take_back

BEFORE = "0015"
TABLES = {"assessment_entry", "assessment_review"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_incident_of_before_is_assessed_and_what_is_said_is_bound_to_the_log(backend: str, tmp_path: Path) -> None:
    url = fresh_database(backend, tmp_path)
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        services = make_archive(tmp_path, url, fresh=True)
    who = services.access.local_operator()
    case = services.evidence.create_case(who, "T1")
    services.incident_files.take_in(who, case, take_apart(document()))
    services.checkpoint()
    services.archive.db.close()
    with closing(Database(url)) as db:
        take_back(db, BEFORE)
        assert TABLES.isdisjoint(sa.inspect(db.engine).get_table_names())
        migrate.upgrade(db)

    services = open_archive(services.archive.settings, lambda: PASSPHRASE)
    given = LinkGiven("statement", "ST-DENIAL", "contradicts", "direct", "It denies that.", provision=P, element=E)
    link = services.assessments.links.add(who, REF, given)
    leo = person(services, "leo", "legal", case)
    review = services.assessments.reviews.review(leo, link.id, "approve")
    assert_clean(services)
    columns = "row_salt, id, thread_id, number, kind, incident_id, provision_id, part, author_id, record, created_at"
    for thread, incident in (("thread_id", "incident_id"), ("'t'", "'no such incident'")):
        copied = columns.replace(" id,", " 'x',").replace("thread_id", thread).replace("incident_id", incident)
        statement = f"INSERT INTO assessment_entry ({columns}) SELECT {copied} FROM assessment_entry"  # noqa: S608
        with pytest.raises(IntegrityError), services.archive.db.engine.begin() as connection:
            connection.execute(sa.text(statement))
    with services.archive.db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE assessment_review SET decision = 'reject'"))
        connection.execute(sa.text("UPDATE assessment_entry SET part = 'ap1-art62-e1'"))
    assert errors_of(audit(services)) >= {
        ("row_altered", f"assessment_review {review.id}"),
        ("row_altered", f"assessment_entry {link.id}"),
    }
    services.archive.db.close()
