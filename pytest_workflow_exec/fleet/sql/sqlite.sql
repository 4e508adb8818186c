-- The tables of a fleet. What holds of them is held by the database itself: most tables take rows and change none.

-- Which tables these are: a program that needs others says so, and does nothing.
CREATE TABLE fleet_schema (version integer PRIMARY KEY);
INSERT INTO fleet_schema (version) VALUES (2);

-- What somebody wants to be run. `content` is what was signed; the other columns repeat parts of it, to be found by.
CREATE TABLE fleet_submission (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id text NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 64),
  queue text NOT NULL,
  workflow text NOT NULL,
  team text NOT NULL,
  priority integer NOT NULL,
  digest text NOT NULL CHECK (length(digest) = 64),
  content text NOT NULL,
  signature text NOT NULL,
  at real NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0),
  by text NOT NULL DEFAULT ''
);
CREATE INDEX fleet_submission_waiting ON fleet_submission (queue, digest, priority, number);

-- Each time that a submission is to be run or to go on: 1, 2, 3, ... One begins where the one before it ended.
CREATE TABLE fleet_leg (
  submission text NOT NULL REFERENCES fleet_submission (id) ON DELETE CASCADE,
  number integer NOT NULL CHECK (number > 0),
  reason text NOT NULL,
  answers bigint NOT NULL DEFAULT 0,
  at real NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0),
  by text NOT NULL DEFAULT '',
  PRIMARY KEY (submission, number)
);

-- Which worker began a leg. There is one: a leg that was begun is never begun again.
-- It `cleans` if the submission had been cancelled by then: it plays `finally`, and nothing else.
CREATE TABLE fleet_claim (
  submission text NOT NULL,
  leg integer NOT NULL,
  worker text NOT NULL,
  cleans boolean NOT NULL DEFAULT false,
  at real NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0),
  PRIMARY KEY (submission, leg),
  FOREIGN KEY (submission, leg) REFERENCES fleet_leg (submission, number) ON DELETE CASCADE
);

-- How a leg ended. Leg 0: the submission was refused before there was one.
CREATE TABLE fleet_end (
  submission text NOT NULL REFERENCES fleet_submission (id) ON DELETE CASCADE,
  leg integer NOT NULL CHECK (leg >= 0),
  outcome text NOT NULL CHECK (outcome IN
    ('passed', 'failed', 'denied', 'suspended', 'interrupted', 'refused', 'lost', 'cancelled')),
  step text NOT NULL DEFAULT '',
  due real,
  said text NOT NULL DEFAULT '',
  at real NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0),
  PRIMARY KEY (submission, leg)
);

-- The run of a submission, once it has begun.
CREATE TABLE fleet_run (
  run text PRIMARY KEY,
  submission text NOT NULL UNIQUE REFERENCES fleet_submission (id) ON DELETE CASCADE
);

-- The evidence log of a run, piece by piece: `content` holds whole lines, the first of which follows `prev`.
CREATE TABLE fleet_segment (
  run text NOT NULL REFERENCES fleet_run (run) ON DELETE CASCADE,
  first_seq bigint NOT NULL,
  last_seq bigint NOT NULL CHECK (last_seq >= first_seq),
  prev text NOT NULL CHECK (length(prev) = 64),
  head text NOT NULL CHECK (length(head) = 64),
  file integer NOT NULL CHECK (file >= 0),
  leg integer NOT NULL,
  content blob NOT NULL,
  at real NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0),
  PRIMARY KEY (run, first_seq)
);

-- What lies beside a log, or was left by its steps: the newest of a path is what holds.
CREATE TABLE fleet_file (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  run text NOT NULL REFERENCES fleet_run (run) ON DELETE CASCADE,
  path text NOT NULL,
  sha256 text NOT NULL CHECK (length(sha256) = 64),
  size_bytes bigint NOT NULL,
  executable boolean NOT NULL,
  content blob NOT NULL
);
CREATE INDEX fleet_file_run ON fleet_file (run, path, number);

-- A decision is used once, wherever its run goes on.
CREATE TABLE fleet_decision_use (
  nonce text PRIMARY KEY,
  run text NOT NULL,
  step text NOT NULL,
  digest text NOT NULL,
  seq bigint NOT NULL,
  at real NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0)
);

-- Signed answers, which nobody believes before the host that goes on has judged them.
CREATE TABLE fleet_answer (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  run text NOT NULL REFERENCES fleet_run (run) ON DELETE CASCADE,
  step text NOT NULL,
  content text NOT NULL CHECK (length(content) <= 65536),
  at real NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0),
  by text NOT NULL DEFAULT ''
);
CREATE INDEX fleet_answer_run ON fleet_answer (run, number);

-- Submissions that are not to be run, or not to go on.
CREATE TABLE fleet_cancel (
  submission text PRIMARY KEY REFERENCES fleet_submission (id) ON DELETE CASCADE,
  reason text NOT NULL,
  at real NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0),
  by text NOT NULL DEFAULT ''
);

CREATE TABLE fleet_worker (
  id text PRIMARY KEY,
  host text NOT NULL,
  pid integer NOT NULL,
  queue text NOT NULL,
  digest text NOT NULL,
  commit_id text NOT NULL,
  started real NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0),
  seen real NOT NULL DEFAULT ((julianday('now') - 2440587.5) * 86400.0),
  stopped real
);

CREATE TABLE fleet_queue (
  name text PRIMARY KEY,
  max_waiting bigint NOT NULL CHECK (max_waiting > 0)
);

-- The submissions that were pruned: what was signed once is not played a second time.
CREATE TABLE fleet_pruned (id text PRIMARY KEY);

CREATE TRIGGER fleet_submission_check BEFORE INSERT ON fleet_submission
WHEN EXISTS (SELECT 1 FROM fleet_pruned p WHERE p.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'fleet: the submission was there before'); END;

CREATE TRIGGER fleet_leg_check BEFORE INSERT ON fleet_leg BEGIN
  SELECT CASE
    WHEN NEW.number <> (SELECT coalesce(max(number), 0) FROM fleet_leg WHERE submission = NEW.submission) + 1
      THEN RAISE(ABORT, 'fleet: the leg does not follow the one before it')
    WHEN NEW.number > 1 AND NOT EXISTS (SELECT 1 FROM fleet_end e WHERE e.submission = NEW.submission AND e.leg = NEW.number - 1)
      THEN RAISE(ABORT, 'fleet: the leg before it has not ended')
    WHEN EXISTS (SELECT 1 FROM fleet_end e WHERE e.submission = NEW.submission
  AND (e.leg = 0 OR e.outcome IN ('passed', 'denied', 'cancelled')))
      THEN RAISE(ABORT, 'fleet: the submission is over')
  END;
END;

CREATE TRIGGER fleet_claim_check BEFORE INSERT ON fleet_claim BEGIN
  SELECT CASE
    WHEN NEW.leg <> (SELECT coalesce(max(number), 0) FROM fleet_leg WHERE submission = NEW.submission)
      THEN RAISE(ABORT, 'fleet: the leg was taken over by another')
    WHEN EXISTS (SELECT 1 FROM fleet_end e WHERE e.submission = NEW.submission AND e.leg = NEW.leg)
      THEN RAISE(ABORT, 'fleet: the leg has ended')
  END;
END;

CREATE TRIGGER fleet_end_check BEFORE INSERT ON fleet_end BEGIN
  SELECT CASE
    WHEN NEW.leg <> (SELECT coalesce(max(number), 0) FROM fleet_leg WHERE submission = NEW.submission)
      THEN RAISE(ABORT, 'fleet: the leg was taken over by another')
    WHEN EXISTS (SELECT 1 FROM fleet_end e WHERE e.submission = NEW.submission AND e.leg = NEW.leg)
      THEN RAISE(ABORT, 'fleet: the leg has ended')
  END;
END;

CREATE TRIGGER fleet_segment_check BEFORE INSERT ON fleet_segment BEGIN
  SELECT CASE
    WHEN NEW.leg <> (SELECT max(l.number) FROM fleet_leg l JOIN fleet_run r ON r.submission = l.submission WHERE r.run = NEW.run)
      THEN RAISE(ABORT, 'fleet: the leg was taken over by another')
    WHEN EXISTS (SELECT 1 FROM fleet_end e JOIN fleet_run r ON r.submission = e.submission
  WHERE r.run = NEW.run AND e.leg = NEW.leg)
      THEN RAISE(ABORT, 'fleet: the leg has ended')
    WHEN NEW.first_seq <> coalesce((SELECT max(s.last_seq) FROM fleet_segment s WHERE s.run = NEW.run), -1) + 1
  OR NEW.prev <> coalesce((SELECT s.head FROM fleet_segment s WHERE s.run = NEW.run ORDER BY s.first_seq DESC LIMIT 1),
                          hex(zeroblob(32)))
      THEN RAISE(ABORT, 'fleet: the log goes on elsewhere')
  END;
END;

-- Of a cancellation and an answer, or the use of one, that come at once, one is first, and the other is told.
CREATE TRIGGER fleet_cancel_check BEFORE INSERT ON fleet_cancel
WHEN EXISTS (SELECT 1 FROM fleet_end e WHERE e.submission = NEW.submission
  AND (e.leg = 0 OR e.outcome IN ('passed', 'denied', 'cancelled')))
BEGIN SELECT RAISE(ABORT, 'fleet: the submission is over'); END;

CREATE TRIGGER fleet_answer_check BEFORE INSERT ON fleet_answer
WHEN EXISTS (SELECT 1 FROM fleet_cancel x JOIN fleet_run r ON r.submission = x.submission WHERE r.run = NEW.run)
BEGIN SELECT RAISE(ABORT, 'fleet: the run was cancelled'); END;

-- What a leg asks that plays `finally` alone is asked about that, and by whoever sits before it.
CREATE TRIGGER fleet_decision_use_check BEFORE INSERT ON fleet_decision_use
WHEN EXISTS (SELECT 1 FROM fleet_cancel x JOIN fleet_run r ON r.submission = x.submission WHERE r.run = NEW.run)
  AND NOT EXISTS (SELECT 1 FROM fleet_claim c JOIN fleet_run r ON r.submission = c.submission WHERE r.run = NEW.run
    AND c.cleans AND c.leg = (SELECT max(l.number) FROM fleet_leg l WHERE l.submission = r.submission))
BEGIN SELECT RAISE(ABORT, 'fleet: the run was cancelled'); END;

CREATE TRIGGER fleet_submission_kept BEFORE UPDATE ON fleet_submission
BEGIN SELECT RAISE(ABORT, 'fleet: rows are added, never changed'); END;

CREATE TRIGGER fleet_leg_kept BEFORE UPDATE ON fleet_leg
BEGIN SELECT RAISE(ABORT, 'fleet: rows are added, never changed'); END;

CREATE TRIGGER fleet_claim_kept BEFORE UPDATE ON fleet_claim
BEGIN SELECT RAISE(ABORT, 'fleet: rows are added, never changed'); END;

CREATE TRIGGER fleet_end_kept BEFORE UPDATE ON fleet_end
BEGIN SELECT RAISE(ABORT, 'fleet: rows are added, never changed'); END;

CREATE TRIGGER fleet_run_kept BEFORE UPDATE ON fleet_run
BEGIN SELECT RAISE(ABORT, 'fleet: rows are added, never changed'); END;

CREATE TRIGGER fleet_segment_kept BEFORE UPDATE ON fleet_segment
BEGIN SELECT RAISE(ABORT, 'fleet: rows are added, never changed'); END;

CREATE TRIGGER fleet_file_kept BEFORE UPDATE ON fleet_file
BEGIN SELECT RAISE(ABORT, 'fleet: rows are added, never changed'); END;

CREATE TRIGGER fleet_decision_use_kept BEFORE UPDATE ON fleet_decision_use
BEGIN SELECT RAISE(ABORT, 'fleet: rows are added, never changed'); END;

CREATE TRIGGER fleet_answer_kept BEFORE UPDATE ON fleet_answer
BEGIN SELECT RAISE(ABORT, 'fleet: rows are added, never changed'); END;

CREATE TRIGGER fleet_cancel_kept BEFORE UPDATE ON fleet_cancel
BEGIN SELECT RAISE(ABORT, 'fleet: rows are added, never changed'); END;
