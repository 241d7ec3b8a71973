"""Background work on the command line."""

from __future__ import annotations

from pathlib import Path

from tests.commands import Cli

GIVE_UP = "UPDATE job SET state = 'dead', last_error = 'broken: why' WHERE kind = 'match' AND state = 'done'"


def test_jobs_are_listed_shown_counted_and_tried_again(cli: Cli) -> None:
    listed = cli.json("jobs", "list")["jobs"]
    assert {job["state"] for job in listed} == {"done"}
    assert cli.json("jobs", "list", "--limit", "3")["more"] is True
    counts = cli.json("jobs", "counts")["counts"]
    assert counts == {"ready": 0, "running": 0, "done": len(listed), "dead": 0}
    cli.sql(GIVE_UP)
    dead = cli.json("jobs", "list", "--state", "dead")["jobs"]
    assert len(dead) == 4
    assert "broken: why" in cli("jobs", "list", "--state", "dead").out
    item = dead[0]["item"]
    assert {job["item"] for job in cli.json("jobs", "list", "--item", item)["jobs"]} == {item}
    assert "reason: broken: why" in cli("jobs", "show", dead[0]["id"]).out
    assert cli.json("jobs", "retry", dead[0]["id"])["retried"] == [dead[0]["id"]]
    cli("jobs", "retry", dead[0]["id"], code=2).refused("job_not_dead")
    assert cli.json("jobs", "retry", "--dead")["retried"] == [job["id"] for job in dead[1:]]
    ran = cli("worker", "--drain", "--json")
    assert ran.json == {"unfinished": 0}
    assert "job" in ran.err
    assert cli.json("jobs", "counts")["counts"] == counts
    assert cli.json("audit")["ok"] is True


def test_bad_questions_are_refused_in_one_line(cli: Cli) -> None:
    cli("jobs", "show", "x", code=2).refused("unknown_job")
    cli("jobs", "show", "99999", code=2).refused("unknown_job")
    cli("jobs", "retry", code=2).refused("bad_retry")
    cli("jobs", "retry", "1", "--dead", code=2).refused("bad_retry")
    cli("jobs", "retry", "1", "--as", "lena", code=2).refused("not_allowed")
    cli("jobs", "list", "--state", "lost", code=2)


def test_waiting_work_is_seen_before_it_is_done(bare_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    bare_cli("ingest", tmp_path / "a.txt", "--case", "T1", "--no-analysis")
    waiting = bare_cli.json("jobs", "list", "--state", "ready")["jobs"]
    assert "analyse" in {job["kind"] for job in waiting}
    assert all(job["run_after"] for job in waiting)
