"""What the roles of a fleet's database may, table by table, and what they try beyond that: read from the server itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ._postgres import Server
from ._site import Site, site_on

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)

FLOW = """
workflow: site
steps:
  - {id: pack, run: [cp, source, out.txt], outputs: {file: {glob: out.txt}}}
  - id: approve
    gate: {question: Publish it?, show: [pack.file], assurance: 2, approvers: [managers], wait: suspend}
  - {id: publish, run: [cp, "${steps.pack.file}", ran-publish]}
"""
INSERTS = {
    "fleet_answer": {"submitter": "content run step"},
    "fleet_cancel": {"submitter": "reason submission"},
    "fleet_claim": {"worker": "cleans leg submission worker"},
    "fleet_decision_use": {"worker": "digest nonce run seq step"},
    "fleet_end": {"worker": "due leg outcome said step submission"},
    "fleet_file": {"worker": "content executable path run sha256 size_bytes"},
    "fleet_leg": {"worker": "answers number reason submission"},
    "fleet_pruned": {},
    "fleet_queue": {"worker": "max_waiting name"},
    "fleet_run": {"worker": "run submission"},
    "fleet_schema": {},
    "fleet_segment": {"worker": "content file first_seq head last_seq leg prev run"},
    "fleet_submission": {"submitter": "content digest id priority queue signature team workflow"},
    "fleet_worker": {"worker": "commit_id digest host id pid queue"},
}
"""What each role may add to each table, column by column. A table that is not here fails the test."""
UPDATES = {"fleet_worker": {"worker": "seen stopped"}, "fleet_queue": {"worker": "max_waiting"}}
LOGINS = {"alice": "submitter", "builder": "worker", "looker": "reader"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, postgres: Server) -> Iterator[Site]:
    """A fleet with a run that waits at its gate, and one that has passed."""
    made = site_on(postgres, tmp_path_factory.mktemp("rights") / "one", {"site.workflow.yaml": FLOW})
    first, _ = made.submit("--count", "2")
    assert made.work().status == 0
    assert made.approve(first).status == 0
    assert made.work().status == 0
    assert sorted(run["state"] for run in made.status().values()) == ["passed", "suspended"]
    yield made
    made.end()


def tables(server: Server) -> list[str]:
    """Return the fleet's tables."""
    return server.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'workflow_exec' ORDER BY 1").split()


def refused(server: Server, login: str, statement: str) -> str:
    """Return why the server refuses a statement to somebody."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        server.sql(statement, role=login)
    return str(caught.value.stderr)


def contents(server: Server) -> str:
    """Return a digest of all rows of all of the fleet's tables, but for who is alive."""
    parts = [
        server.sql(f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM workflow_exec.{name} t")
        for name in tables(server)
        if name != "fleet_worker"
    ]
    return " ".join(parts)


def columns(server: Server, role: str, table: str, right: str) -> str:
    """Return the columns of a table for which a role has a right."""
    return server.sql(
        "SELECT string_agg(column_name, ' ' ORDER BY column_name) FROM information_schema.columns "
        f"WHERE table_schema = 'workflow_exec' AND table_name = '{table}' "
        f"AND has_column_privilege('workflow_exec_{role}', 'workflow_exec.{table}', column_name, '{right}')"
    )


def test_every_table_gives_each_role_what_is_listed_and_no_more(site: Site, postgres: Server) -> None:
    """A table that is added later is one nobody has listed: it can't be forgotten."""
    assert tables(postgres) == sorted(INSERTS)
    for table, inserts in INSERTS.items():
        for role in LOGINS.values():
            name = f"'workflow_exec_{role}', 'workflow_exec.{table}'"
            assert columns(postgres, role, table, "INSERT") == inserts.get(role, ""), (role, table)
            assert columns(postgres, role, table, "UPDATE") == UPDATES.get(table, {}).get(role, ""), (role, table)
            assert postgres.sql(f"SELECT has_table_privilege({name}, 'SELECT')") == "t"
            for right in ("DELETE", "TRUNCATE", "TRIGGER", "REFERENCES"):
                assert postgres.sql(f"SELECT has_table_privilege({name}, '{right}')") == "f", (role, table, right)
    for role in LOGINS.values():
        for schema in ("workflow_exec", "dbos"):
            assert postgres.sql(f"SELECT has_schema_privilege('workflow_exec_{role}', '{schema}', 'CREATE')") == "f"
    owned = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'workflow_exec'"
    assert postgres.sql(f"{owned} AND pg_get_userbyid(c.relowner) <> 'owner'") == "0"
    public = "SELECT count(*) FROM information_schema.table_privileges WHERE table_schema IN ('workflow_exec', 'dbos')"
    assert postgres.sql(f"{public} AND grantee = 'PUBLIC'") == "0"


@pytest.mark.parametrize("login", LOGINS)
def test_nobody_changes_removes_or_empties_what_is_there(site: Site, postgres: Server, login: str) -> None:
    """Each table, each way: the server refuses it, and all rows are what they were."""
    before = contents(postgres)
    for table in tables(postgres):
        name = f"workflow_exec.{table}"
        column = postgres.sql(
            f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' "
            "AND table_schema = 'workflow_exec' ORDER BY column_name LIMIT 1"
        )
        statements = [
            f"DELETE FROM {name}",
            f"TRUNCATE {name} CASCADE",
            f"ALTER TABLE {name} DISABLE TRIGGER ALL",
            f"ALTER TABLE {name} ADD COLUMN more text",
            f"DROP TABLE {name} CASCADE",
            f"CREATE TRIGGER mine BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION workflow_exec.fleet_check_leg()",
            f"CREATE RULE mine AS ON INSERT TO {name} DO INSTEAD NOTHING",
            f"CREATE POLICY mine ON {name} USING (true)",
            f"BEGIN; LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE; COMMIT",
        ]
        if LOGINS[login] not in UPDATES.get(table, {}):
            statements.append(f"UPDATE {name} SET {column} = {column}")
        for statement in statements:
            said = refused(postgres, login, statement)
            assert "permission denied" in said or "must be owner" in said, (statement, said)
        # The server only warns of this one.
        postgres.sql(f"GRANT ALL ON {name} TO PUBLIC", role=login)

    assert contents(postgres) == before
    public = "SELECT count(*) FROM information_schema.table_privileges WHERE table_schema = 'workflow_exec'"
    assert postgres.sql(f"{public} AND grantee = 'PUBLIC'") == "0"


@pytest.mark.parametrize("login", LOGINS)
def test_the_server_itself_is_out_of_reach(site: Site, postgres: Server, login: str, tmp_path: Path) -> None:
    """No program, file, other role, function or schema of the fleet's is a way around what a role may."""
    before = contents(postgres)
    for statement in (
        f"COPY (SELECT 1) TO PROGRAM 'touch {tmp_path}/pwned'",
        f"COPY (SELECT 1) TO '{tmp_path}/pwned'",
        "COPY workflow_exec.fleet_pruned FROM '/etc/hostname'",
        f"SELECT lo_export(lo_from_bytea(0, 'x'), '{tmp_path}/pwned')",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE owner",
        "SET SESSION AUTHORIZATION super",
        "SET session_replication_role = replica",
        "ALTER ROLE alice SUPERUSER",
        "CREATE FUNCTION workflow_exec.fleet_alone(text, text) RETURNS void LANGUAGE sql AS 'SELECT'",
        "CREATE OR REPLACE FUNCTION workflow_exec.fleet_check_leg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "ALTER FUNCTION workflow_exec.fleet_check_leg() SET search_path = public",
        "CREATE OPERATOR workflow_exec.<> (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4ne)",
        "CREATE TABLE workflow_exec.mine (x text)",
        "CREATE VIEW workflow_exec.mine AS SELECT 1",
        "CREATE SCHEMA mine",
        "ALTER SCHEMA workflow_exec RENAME TO other",
        "INSERT INTO workflow_exec.fleet_schema (version) VALUES (7)",
        "INSERT INTO workflow_exec.fleet_pruned (id) VALUES ('x')",
    ):
        said = refused(postgres, login, statement)
        words = ("permission denied", "must be owner", "must be superuser", "must have", "must be member")
        assert any(each in said for each in words), (statement, said)

    assert not (tmp_path / "pwned").exists()
    assert contents(postgres) == before


@pytest.mark.parametrize("schema", ["public", "pg_temp"])
def test_what_an_attacker_puts_first_in_the_search_path_fools_no_check(
    site: Site, postgres: Server, schema: str
) -> None:
    """Operators, functions and tables of theirs, where the database lets them make some: triggers look into none of them."""
    runs = site.status().values()
    [run] = [str(run["run"]) for run in runs if run["state"] == "suspended"]
    [passed] = [str(run["run"]) for run in runs if run["state"] == "passed"]
    before = contents(postgres)
    postgres.sql("GRANT CREATE ON SCHEMA public TO builder", role="super")
    try:
        lies = (
            f"SET search_path = {schema}, pg_catalog, workflow_exec; "
            f"CREATE FUNCTION {schema}.never(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT false'; "
            f"CREATE FUNCTION {schema}.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false'; "
            f"CREATE FUNCTION {schema}.never(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT false'; "
            f"CREATE OPERATOR {schema}.<> (LEFTARG = integer, RIGHTARG = integer, FUNCTION = {schema}.never); "
            f"CREATE OPERATOR {schema}.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = {schema}.never); "
            f"CREATE OPERATOR {schema}.<> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = {schema}.never); "
            f"CREATE FUNCTION {schema}.pg_advisory_xact_lock(bigint) RETURNS void LANGUAGE sql AS 'SELECT'; "
            f"CREATE {'TEMP ' if schema == 'pg_temp' else ''}TABLE {schema}.fleet_end (submission text, leg integer, outcome text); "
        )
        for statement in (
            (
                "INSERT INTO workflow_exec.fleet_segment (run, first_seq, last_seq, prev, head, file, leg, content) "
                f"VALUES ('{run}', 3, 3, repeat('0', 64), repeat('1', 64), 0, 1, 'forged')"
            ),
            (
                "INSERT INTO workflow_exec.fleet_leg (submission, number, reason) "
                f"SELECT submission, 9, 'new' FROM workflow_exec.fleet_run WHERE run = '{run}'"
            ),
            (
                "INSERT INTO workflow_exec.fleet_claim (submission, leg, worker) "
                f"SELECT submission, 1, 'me' FROM workflow_exec.fleet_run WHERE run = '{passed}'"
            ),
        ):
            assert "fleet: " in refused(postgres, "builder", f"BEGIN; {lies} {statement}; COMMIT")
    finally:
        postgres.sql("REVOKE CREATE ON SCHEMA public FROM builder", role="super")

    assert contents(postgres) == before


def test_whether_a_leg_cleans_up_is_not_what_its_worker_says(site: Site, postgres: Server) -> None:
    """Behind a cancellation only such a leg uses decisions, so that the server looks itself."""
    [submission] = [key for key, run in site.status().items() if run["state"] == "suspended"]
    leg = int(site.status()[submission]["leg"]) + 1
    before = contents(postgres)

    said = postgres.sql(
        f"BEGIN; INSERT INTO workflow_exec.fleet_leg (submission, number, reason) VALUES ('{submission}', {leg}, 'new'); "
        "INSERT INTO workflow_exec.fleet_claim (submission, leg, worker, cleans) "
        f"VALUES ('{submission}', {leg}, 'me', true) RETURNING cleans; ROLLBACK",
        role="builder",
    )

    assert said == "f"
    assert contents(postgres) == before


def test_rows_that_a_worker_forges_do_not_fit(site: Site, postgres: Server) -> None:
    """A fork of a log, a leg beside another, a use in a run that is not there, a second use: the tables refuse each."""
    [run] = [str(run["run"]) for run in site.status().values() if run["state"] == "passed"]
    before = contents(postgres)
    for statement, said in (
        (
            (
                "INSERT INTO workflow_exec.fleet_segment (run, first_seq, last_seq, prev, head, file, leg, content) "
                f"VALUES ('{run}', 0, 0, repeat('0', 64), repeat('1', 64), 0, 2, 'forged')"
            ),
            "has ended",
        ),
        (
            (
                "INSERT INTO workflow_exec.fleet_end (submission, leg, outcome) "
                f"SELECT submission, 2, 'failed' FROM workflow_exec.fleet_run WHERE run = '{run}'"
            ),
            "has ended",
        ),
        (
            (
                "INSERT INTO workflow_exec.fleet_leg (submission, number, reason) "
                f"SELECT submission, 3, 'new' FROM workflow_exec.fleet_run WHERE run = '{run}'"
            ),
            "is over",
        ),
        (
            "INSERT INTO workflow_exec.fleet_decision_use (nonce, run, step, digest, seq) VALUES ('n', 'nothing', 's', 'd', 1)",
            "there is no run",
        ),
        (
            (
                "INSERT INTO workflow_exec.fleet_decision_use (nonce, run, step, digest, seq) "
                "SELECT nonce, run, step, digest, seq FROM workflow_exec.fleet_decision_use"
            ),
            "fleet_decision_use_pkey",
        ),
        (
            f"INSERT INTO workflow_exec.fleet_run (run, submission) SELECT run, submission FROM workflow_exec.fleet_run WHERE run = '{run}'",
            "fleet_run_",
        ),
    ):
        assert said in refused(postgres, "builder", statement), statement

    assert contents(postgres) == before


def test_what_a_submitter_may_do_to_what_others_submitted(site: Site, postgres: Server) -> None:
    """They read it, and cancel what is not over, in their own name; they change, remove or submit it again never."""
    runs = site.status()
    [passed] = [name for name, run in runs.items() if run["state"] == "passed"]
    [waits] = [name for name, run in runs.items() if run["state"] == "suspended"]
    cancel = "INSERT INTO workflow_exec.fleet_cancel (submission, reason{more}) VALUES ('{name}', 'mine'{value})"
    assert "is over" in refused(postgres, "alice", cancel.format(more="", name=passed, value=""))
    assert "permission denied" in refused(postgres, "alice", cancel.format(more=", by", name=waits, value=", 'carol'"))
    assert "duplicate key" in refused(
        postgres,
        "alice",
        "INSERT INTO workflow_exec.fleet_submission (id, queue, workflow, team, priority, digest, content, signature) "
        f"SELECT id, queue, workflow, team, priority, digest, content, signature FROM workflow_exec.fleet_submission WHERE id = '{passed}'",
    )
    assert "there is no run" in refused(
        postgres,
        "alice",
        "INSERT INTO workflow_exec.fleet_answer (run, step, content) VALUES ('nothing', 'approve', 'x')",
    )

    postgres.sql(cancel.format(more="", name=waits, value=""), role="alice")

    assert postgres.sql(f"SELECT by FROM workflow_exec.fleet_cancel WHERE submission = '{waits}'") == "alice"
    assert site.work().status == 0
    assert site.state(waits) == "cancelled"


def test_a_storm_of_notifications_and_large_objects_changes_no_run(site: Site, postgres: Server) -> None:
    """Whoever may log in may do these: the fleet listens to none of it, and its runs go on."""
    [submission] = site.submit()
    for login in LOGINS:
        postgres.sql(
            "DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM pg_notify('dbos_workflow_status_channel', i::text); "
            "PERFORM pg_notify('dbos_notifications_channel', '{}'); END LOOP; END $$",
            role=login,
        )
        postgres.sql("SELECT lo_from_bytea(0, 'x')", role=login)

    assert site.work().status == 0

    assert site.state(submission) == "suspended"
