-- What each kind of process may do. Give your login roles one of them: GRANT workflow_exec_worker TO builder1;
-- Nobody but the owner of the tables changes or removes evidence.
DO $$
DECLARE role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['workflow_exec_submitter', 'workflow_exec_worker', 'workflow_exec_reader'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    END IF;
  END LOOP;
END $$;

REVOKE ALL ON SCHEMA workflow_exec FROM PUBLIC;
GRANT USAGE ON SCHEMA workflow_exec TO workflow_exec_submitter, workflow_exec_worker, workflow_exec_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA workflow_exec
  TO workflow_exec_submitter, workflow_exec_worker, workflow_exec_reader;

-- A submitter says what is to be run, hands in signed answers, and stops.
GRANT INSERT (id, queue, workflow, team, priority, digest, content, signature)
  ON workflow_exec.fleet_submission TO workflow_exec_submitter;
GRANT INSERT (run, step, content) ON workflow_exec.fleet_answer TO workflow_exec_submitter;
GRANT INSERT (submission, reason) ON workflow_exec.fleet_cancel TO workflow_exec_submitter;

-- A worker adds what happened.
GRANT INSERT (submission, number, reason, answers) ON workflow_exec.fleet_leg TO workflow_exec_worker;
GRANT INSERT (submission, leg, worker, cleans) ON workflow_exec.fleet_claim TO workflow_exec_worker;
GRANT INSERT (submission, leg, outcome, step, due, said) ON workflow_exec.fleet_end TO workflow_exec_worker;
GRANT INSERT (run, submission) ON workflow_exec.fleet_run TO workflow_exec_worker;
GRANT INSERT (run, first_seq, last_seq, prev, head, file, leg, content)
  ON workflow_exec.fleet_segment TO workflow_exec_worker;
GRANT INSERT (run, path, sha256, size_bytes, executable, content) ON workflow_exec.fleet_file TO workflow_exec_worker;
GRANT INSERT (nonce, run, step, digest, seq) ON workflow_exec.fleet_decision_use TO workflow_exec_worker;
GRANT INSERT (id, host, pid, queue, digest, commit_id) ON workflow_exec.fleet_worker TO workflow_exec_worker;
GRANT UPDATE (seen, stopped) ON workflow_exec.fleet_worker TO workflow_exec_worker;
GRANT INSERT (name, max_waiting), UPDATE (max_waiting) ON workflow_exec.fleet_queue TO workflow_exec_worker;

-- The engine's own tables are the workers' alone.
REVOKE ALL ON SCHEMA dbos FROM PUBLIC;
GRANT USAGE ON SCHEMA dbos TO workflow_exec_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA dbos TO workflow_exec_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA dbos TO workflow_exec_worker;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA dbos TO workflow_exec_worker;
