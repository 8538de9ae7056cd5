-- A history as handfast wrote it when format 2 was the newest. It never changes.
PRAGMA application_id = 1751544692;
PRAGMA user_version = 2;
CREATE TABLE runs (
    run TEXT NOT NULL PRIMARY KEY,      -- id, begins with date and time
    started_unix_us INTEGER NOT NULL,
    handfast TEXT NOT NULL,             -- version
    command TEXT NOT NULL,              -- JSON list of words
    seed TEXT NOT NULL,                 -- decimal
    record TEXT NOT NULL                -- folder of the record, relative to the project; it may be gone
) STRICT, WITHOUT ROWID;

CREATE TABLE builds (
    run TEXT NOT NULL,
    peer TEXT NOT NULL,
    digest TEXT NOT NULL,               -- SHA-256 over settings and files of the program, hex
    PRIMARY KEY (run, peer)
) STRICT, WITHOUT ROWID;

CREATE TABLE cells (                    -- what a run set out to judge
    run TEXT NOT NULL,
    unit TEXT NOT NULL,                 -- scenario, variant and cast
    scenario TEXT NOT NULL,             -- scenario and variant
    name TEXT NOT NULL,
    file TEXT NOT NULL,
    category TEXT NOT NULL,
    key TEXT,                           -- SHA-256 of all that the verdict follows from; null outside the matrix
    column_a TEXT,                      -- the matrix's column; null outside the matrix
    column_b TEXT,
    peers TEXT NOT NULL,                -- JSON {role: peer}
    protocols TEXT NOT NULL,            -- JSON {role: protocol}
    network TEXT NOT NULL,
    expected TEXT,                      -- JSON {result, reason, issue, expires}; null: passed
    PRIMARY KEY (run, unit)
) STRICT, WITHOUT ROWID;

CREATE TABLE results (                  -- what a run has judged itself
    run TEXT NOT NULL,
    unit TEXT NOT NULL,
    key TEXT,
    kind TEXT NOT NULL,                 -- passed, failed, infra, timed_out, unsupported, absent
    verdict TEXT NOT NULL,              -- JSON, with the reason
    duration_us INTEGER NOT NULL,
    cpu_us INTEGER NOT NULL,            -- processor time of its processes
    ended_unix_us INTEGER NOT NULL,
    PRIMARY KEY (run, unit)
) STRICT, WITHOUT ROWID;

CREATE TABLE recalls (                  -- what a run took over from an earlier one
    run TEXT NOT NULL,
    unit TEXT NOT NULL,
    from_run TEXT NOT NULL,
    PRIMARY KEY (run, unit)
) STRICT, WITHOUT ROWID;

CREATE TABLE ends (                     -- a run without a row was killed
    run TEXT NOT NULL PRIMARY KEY,
    exit TEXT NOT NULL,
    summary TEXT NOT NULL,              -- JSON, the counts
    duration_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX results_by_key ON results (key, ended_unix_us);
CREATE INDEX results_by_unit ON results (unit, ended_unix_us);

CREATE TABLE suite_results (            -- how suites of other tools went
    run TEXT NOT NULL,
    suite TEXT NOT NULL,
    kind TEXT NOT NULL,                 -- passed, failed, skipped
    passed INTEGER NOT NULL,            -- tests
    failed INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    ended_unix_us INTEGER NOT NULL,
    PRIMARY KEY (run, suite)
) STRICT, WITHOUT ROWID;

CREATE INDEX suite_results_by_suite ON suite_results (suite, ended_unix_us);
CREATE TRIGGER runs_stay BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER runs_last BEFORE DELETE ON runs BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER runs_once BEFORE INSERT ON runs WHEN EXISTS (SELECT 1 FROM runs WHERE run = NEW.run) BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER builds_stay BEFORE UPDATE ON builds BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER builds_last BEFORE DELETE ON builds BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER builds_once BEFORE INSERT ON builds WHEN EXISTS (SELECT 1 FROM builds WHERE run = NEW.run AND peer = NEW.peer) BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER cells_stay BEFORE UPDATE ON cells BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER cells_last BEFORE DELETE ON cells BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER cells_once BEFORE INSERT ON cells WHEN EXISTS (SELECT 1 FROM cells WHERE run = NEW.run AND unit = NEW.unit) BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER results_stay BEFORE UPDATE ON results BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER results_last BEFORE DELETE ON results BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER results_once BEFORE INSERT ON results WHEN EXISTS (SELECT 1 FROM results WHERE run = NEW.run AND unit = NEW.unit) BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER recalls_stay BEFORE UPDATE ON recalls BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER recalls_last BEFORE DELETE ON recalls BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER recalls_once BEFORE INSERT ON recalls WHEN EXISTS (SELECT 1 FROM recalls WHERE run = NEW.run AND unit = NEW.unit) BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER ends_stay BEFORE UPDATE ON ends BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER ends_last BEFORE DELETE ON ends BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER ends_once BEFORE INSERT ON ends WHEN EXISTS (SELECT 1 FROM ends WHERE run = NEW.run) BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER suite_results_stay BEFORE UPDATE ON suite_results BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER suite_results_last BEFORE DELETE ON suite_results BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER suite_results_once BEFORE INSERT ON suite_results WHEN EXISTS (SELECT 1 FROM suite_results WHERE run = NEW.run AND suite = NEW.suite) BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
INSERT INTO runs VALUES ('20261101-080000-00000001', 1761984000000000, '0.1.0', '["handfast","matrix"]', '18446744073709551615', '.handfast/runs/20261101-080000-00000001');
INSERT INTO builds VALUES ('20261101-080000-00000001', 'rust', 'd1');
INSERT INTO cells VALUES ('20261101-080000-00000001', 'u1', 'x[v=1.0]', 'n', 'scenarios/x.toml', 'unit', 'k1', 'rust', 'rust', '{"a":"rust"}', '{}', 'none', NULL);
INSERT INTO cells VALUES ('20261101-080000-00000001', 'u2', 'y', 'n', 'scenarios/y.toml', 'unit', 'k2', 'rust', 'rust', '{"a":"rust"}', '{}', 'none', NULL);
INSERT INTO results VALUES ('20261101-080000-00000001', 'u1', 'k1', 'passed', '{"verdict":"passed"}', 1000, 500, 1761984001000000);
INSERT INTO results VALUES ('20261101-080000-00000001', 'u2', 'k2', 'failed', '{"verdict":"failed","reason":"no session"}', 2000, 700, 1761984002000000);
INSERT INTO recalls VALUES ('20261101-080000-00000001', 'u3', '20261031-080000-00000000');
INSERT INTO ends VALUES ('20261101-080000-00000001', 'product_failure', '{"passed":1,"failed":1}', 9000000);
INSERT INTO suite_results VALUES ('20261101-080000-00000001', 'cargo', 'passed', 5, 0, 70, 1761984003000000);
