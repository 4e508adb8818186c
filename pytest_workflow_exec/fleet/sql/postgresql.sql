-- The tables of a fleet. What holds of them is held by the database itself: most tables take rows and change none.
CREATE SCHEMA workflow_exec;

-- Which tables these are: a program that needs others says so, and does nothing.
CREATE TABLE workflow_exec.fleet_schema (version integer PRIMARY KEY);
INSERT INTO workflow_exec.fleet_schema (version) VALUES (2);

-- What somebody wants to be run. `content` is what was signed; the other columns repeat parts of it, to be found by.
CREATE TABLE workflow_exec.fleet_submission (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 64),
  queue text NOT NULL,
  workflow text NOT NULL,
  team text NOT NULL,
  priority integer NOT NULL,
  digest text NOT NULL CHECK (length(digest) = 64),
  content text NOT NULL,
  signature text NOT NULL,
  at double precision NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::double precision,
  by text NOT NULL DEFAULT session_user
);
CREATE INDEX fleet_submission_waiting ON workflow_exec.fleet_submission (queue, digest, priority, number);

-- Each time that a submission is to be run or to go on: 1, 2, 3, ... One begins where the one before it ended.
CREATE TABLE workflow_exec.fleet_leg (
  submission text NOT NULL REFERENCES workflow_exec.fleet_submission (id) ON DELETE CASCADE,
  number integer NOT NULL CHECK (number > 0),
  reason text NOT NULL,
  answers bigint NOT NULL DEFAULT 0,
  at double precision NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::double precision,
  by text NOT NULL DEFAULT session_user,
  PRIMARY KEY (submission, number)
);

-- Which worker began a leg. There is one: a leg that was begun is never begun again.
-- It `cleans` if the submission had been cancelled by then: it plays `finally`, and nothing else.
CREATE TABLE workflow_exec.fleet_claim (
  submission text NOT NULL,
  leg integer NOT NULL,
  worker text NOT NULL,
  cleans boolean NOT NULL DEFAULT false,
  at double precision NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::double precision,
  PRIMARY KEY (submission, leg),
  FOREIGN KEY (submission, leg) REFERENCES workflow_exec.fleet_leg (submission, number) ON DELETE CASCADE
);

-- How a leg ended. Leg 0: the submission was refused before there was one.
CREATE TABLE workflow_exec.fleet_end (
  submission text NOT NULL REFERENCES workflow_exec.fleet_submission (id) ON DELETE CASCADE,
  leg integer NOT NULL CHECK (leg >= 0),
  outcome text NOT NULL CHECK (outcome IN
    ('passed', 'failed', 'denied', 'suspended', 'interrupted', 'refused', 'lost', 'cancelled')),
  step text NOT NULL DEFAULT '',
  due double precision,
  said text NOT NULL DEFAULT '',
  at double precision NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::double precision,
  PRIMARY KEY (submission, leg)
);

-- The run of a submission, once it has begun.
CREATE TABLE workflow_exec.fleet_run (
  run text PRIMARY KEY,
  submission text NOT NULL UNIQUE REFERENCES workflow_exec.fleet_submission (id) ON DELETE CASCADE
);

-- The evidence log of a run, piece by piece: `content` holds whole lines, the first of which follows `prev`.
CREATE TABLE workflow_exec.fleet_segment (
  run text NOT NULL REFERENCES workflow_exec.fleet_run (run) ON DELETE CASCADE,
  first_seq bigint NOT NULL,
  last_seq bigint NOT NULL CHECK (last_seq >= first_seq),
  prev text NOT NULL CHECK (length(prev) = 64),
  head text NOT NULL CHECK (length(head) = 64),
  file integer NOT NULL CHECK (file >= 0),
  leg integer NOT NULL,
  content bytea NOT NULL,
  at double precision NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::double precision,
  PRIMARY KEY (run, first_seq)
);

-- What lies beside a log, or was left by its steps: the newest of a path is what holds.
CREATE TABLE workflow_exec.fleet_file (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run text NOT NULL REFERENCES workflow_exec.fleet_run (run) ON DELETE CASCADE,
  path text NOT NULL,
  sha256 text NOT NULL CHECK (length(sha256) = 64),
  size_bytes bigint NOT NULL,
  executable boolean NOT NULL,
  content bytea NOT NULL
);
CREATE INDEX fleet_file_run ON workflow_exec.fleet_file (run, path, number);

-- A decision is used once, wherever its run goes on.
CREATE TABLE workflow_exec.fleet_decision_use (
  nonce text PRIMARY KEY,
  run text NOT NULL,
  step text NOT NULL,
  digest text NOT NULL,
  seq bigint NOT NULL,
  at double precision NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::double precision
);

-- Signed answers, which nobody believes before the host that goes on has judged them.
CREATE TABLE workflow_exec.fleet_answer (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run text NOT NULL REFERENCES workflow_exec.fleet_run (run) ON DELETE CASCADE,
  step text NOT NULL,
  content text NOT NULL CHECK (length(content) <= 65536),
  at double precision NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::double precision,
  by text NOT NULL DEFAULT session_user
);
CREATE INDEX fleet_answer_run ON workflow_exec.fleet_answer (run, number);

-- Submissions that are not to be run, or not to go on.
CREATE TABLE workflow_exec.fleet_cancel (
  submission text PRIMARY KEY REFERENCES workflow_exec.fleet_submission (id) ON DELETE CASCADE,
  reason text NOT NULL,
  at double precision NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::double precision,
  by text NOT NULL DEFAULT session_user
);

CREATE TABLE workflow_exec.fleet_worker (
  id text PRIMARY KEY,
  host text NOT NULL,
  pid integer NOT NULL,
  queue text NOT NULL,
  digest text NOT NULL,
  commit_id text NOT NULL,
  started double precision NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::double precision,
  seen double precision NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::double precision,
  stopped double precision
);

CREATE TABLE workflow_exec.fleet_queue (
  name text PRIMARY KEY,
  max_waiting bigint NOT NULL CHECK (max_waiting > 0)
);

-- The submissions that were pruned: what was signed once is not played a second time.
CREATE TABLE workflow_exec.fleet_pruned (id text PRIMARY KEY);

CREATE FUNCTION workflow_exec.fleet_check_submission() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM workflow_exec.fleet_pruned p WHERE p.id = NEW.id) THEN
    RAISE EXCEPTION 'fleet: submission % was there before', NEW.id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER fleet_submission_check BEFORE INSERT ON workflow_exec.fleet_submission
  FOR EACH ROW EXECUTE FUNCTION workflow_exec.fleet_check_submission();

-- All that concerns one submission happens one after the other. Functions and operators are those of the server, whatever
-- schema whoever adds a row looks into first.
CREATE FUNCTION workflow_exec.fleet_alone(submission text) RETURNS void LANGUAGE sql
  SET search_path = pg_catalog, pg_temp AS 'SELECT pg_advisory_xact_lock(hashtextextended(submission, 7301))';

CREATE FUNCTION workflow_exec.fleet_check_leg() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE newest integer;
BEGIN
  PERFORM workflow_exec.fleet_alone(NEW.submission);
  SELECT max(number) INTO newest FROM workflow_exec.fleet_leg WHERE submission = NEW.submission;
  IF NEW.number <> coalesce(newest, 0) + 1 THEN
    RAISE EXCEPTION 'fleet: leg % of % does not follow leg %', NEW.number, NEW.submission, coalesce(newest, 0);
  END IF;
  IF newest IS NOT NULL AND NOT EXISTS (
    SELECT FROM workflow_exec.fleet_end e WHERE e.submission = NEW.submission AND e.leg = newest
  ) THEN
    RAISE EXCEPTION 'fleet: leg % of % has not ended', newest, NEW.submission;
  END IF;
  IF EXISTS (SELECT FROM workflow_exec.fleet_end e WHERE e.submission = NEW.submission
             AND (e.leg = 0 OR e.outcome IN ('passed', 'denied', 'cancelled'))) THEN
    RAISE EXCEPTION 'fleet: % is over', NEW.submission;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER fleet_leg_check BEFORE INSERT ON workflow_exec.fleet_leg
  FOR EACH ROW EXECUTE FUNCTION workflow_exec.fleet_check_leg();

CREATE FUNCTION workflow_exec.fleet_check_newest() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE newest integer;
BEGIN
  PERFORM workflow_exec.fleet_alone(NEW.submission);
  SELECT max(number) INTO newest FROM workflow_exec.fleet_leg WHERE submission = NEW.submission;
  IF NEW.leg <> coalesce(newest, 0) THEN
    RAISE EXCEPTION 'fleet: leg % of % was taken over by leg %', NEW.leg, NEW.submission, newest;
  END IF;
  IF EXISTS (SELECT FROM workflow_exec.fleet_end e WHERE e.submission = NEW.submission AND e.leg = NEW.leg) THEN
    RAISE EXCEPTION 'fleet: leg % of % has ended', NEW.leg, NEW.submission;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER fleet_claim_check BEFORE INSERT ON workflow_exec.fleet_claim
  FOR EACH ROW EXECUTE FUNCTION workflow_exec.fleet_check_newest();

-- Behind the check, by its name: what is said of a cancellation waits for the same lock.
CREATE FUNCTION workflow_exec.fleet_see_cancel() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  NEW.cleans := EXISTS (SELECT FROM workflow_exec.fleet_cancel x WHERE x.submission = NEW.submission);
  RETURN NEW;
END $$;
CREATE TRIGGER fleet_claim_cleans BEFORE INSERT ON workflow_exec.fleet_claim
  FOR EACH ROW EXECUTE FUNCTION workflow_exec.fleet_see_cancel();
CREATE TRIGGER fleet_end_check BEFORE INSERT ON workflow_exec.fleet_end
  FOR EACH ROW EXECUTE FUNCTION workflow_exec.fleet_check_newest();

-- A log has one chain, and only the leg that is under way adds to it: who was taken over gets no word in any more.
CREATE FUNCTION workflow_exec.fleet_check_segment() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  whose text; newest integer; last_seq bigint; last_head text;
BEGIN
  SELECT r.submission INTO whose FROM workflow_exec.fleet_run r WHERE r.run = NEW.run;
  PERFORM workflow_exec.fleet_alone(whose);
  SELECT max(number) INTO newest FROM workflow_exec.fleet_leg WHERE submission = whose;
  IF NEW.leg <> newest THEN
    RAISE EXCEPTION 'fleet: leg % of % was taken over by leg %', NEW.leg, whose, newest;
  END IF;
  IF EXISTS (SELECT FROM workflow_exec.fleet_end e WHERE e.submission = whose AND e.leg = newest) THEN
    RAISE EXCEPTION 'fleet: leg % of % has ended', NEW.leg, whose;
  END IF;
  SELECT s.last_seq, s.head INTO last_seq, last_head FROM workflow_exec.fleet_segment s
    WHERE s.run = NEW.run ORDER BY s.first_seq DESC LIMIT 1;
  IF NEW.first_seq <> coalesce(last_seq, -1) + 1 OR NEW.prev <> coalesce(last_head, repeat('0', 64)) THEN
    RAISE EXCEPTION 'fleet: the log of run % goes on behind record %, and not with record %',
      NEW.run, coalesce(last_seq, -1), NEW.first_seq;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER fleet_segment_check BEFORE INSERT ON workflow_exec.fleet_segment
  FOR EACH ROW EXECUTE FUNCTION workflow_exec.fleet_check_segment();

-- Of a cancellation and an answer, or the use of one, that come at once, one is first, and the other is told.
CREATE FUNCTION workflow_exec.fleet_check_cancel() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM workflow_exec.fleet_alone(NEW.submission);
  IF EXISTS (SELECT FROM workflow_exec.fleet_end e WHERE e.submission = NEW.submission
             AND (e.leg = 0 OR e.outcome IN ('passed', 'denied', 'cancelled'))) THEN
    RAISE EXCEPTION 'fleet: % is over', NEW.submission;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER fleet_cancel_check BEFORE INSERT ON workflow_exec.fleet_cancel
  FOR EACH ROW EXECUTE FUNCTION workflow_exec.fleet_check_cancel();

CREATE FUNCTION workflow_exec.fleet_check_wanted() RETURNS trigger LANGUAGE plpgsql
  SET search_path = pg_catalog, pg_temp AS $$
DECLARE whose text;
BEGIN
  SELECT r.submission INTO whose FROM workflow_exec.fleet_run r WHERE r.run = NEW.run;
  IF whose IS NULL THEN
    RAISE EXCEPTION 'fleet: there is no run %', NEW.run;
  END IF;
  PERFORM workflow_exec.fleet_alone(whose);
  -- What a leg asks that plays `finally` alone is asked about that, and by whoever sits before it.
  IF EXISTS (SELECT FROM workflow_exec.fleet_cancel x WHERE x.submission = whose)
     AND NOT (TG_TABLE_NAME = 'fleet_decision_use' AND EXISTS (
       SELECT FROM workflow_exec.fleet_claim c WHERE c.submission = whose AND c.cleans
       AND c.leg = (SELECT max(l.number) FROM workflow_exec.fleet_leg l WHERE l.submission = whose))) THEN
    RAISE EXCEPTION 'fleet: % was cancelled', whose;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER fleet_answer_check BEFORE INSERT ON workflow_exec.fleet_answer
  FOR EACH ROW EXECUTE FUNCTION workflow_exec.fleet_check_wanted();
CREATE TRIGGER fleet_decision_use_check BEFORE INSERT ON workflow_exec.fleet_decision_use
  FOR EACH ROW EXECUTE FUNCTION workflow_exec.fleet_check_wanted();
