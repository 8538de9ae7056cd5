CREATE TABLE suite_tests (              -- how single tests of suites went
    run TEXT NOT NULL,
    suite TEXT NOT NULL,
    test TEXT NOT NULL,                 -- its own name
    number INTEGER NOT NULL,            -- from 1: which of several of one name in one run
    kind TEXT NOT NULL,                 -- passed, failed, skipped
    duration_us INTEGER NOT NULL,       -- 0: the suite does not say
    ended_unix_us INTEGER NOT NULL,
    PRIMARY KEY (run, suite, test, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE tests (                    -- each name in suite_tests once
    suite TEXT NOT NULL,
    test TEXT NOT NULL,
    PRIMARY KEY (suite, test)
) STRICT, WITHOUT ROWID;

CREATE TABLE flaky (                    -- what failed in a run, was tried once more unchanged, and passed
    run TEXT NOT NULL,
    suite TEXT NOT NULL,                -- empty: a unit of scenarios
    test TEXT NOT NULL,                 -- the unit, or the test's own name
    PRIMARY KEY (run, suite, test)
) STRICT, WITHOUT ROWID;

CREATE TABLE measurements (             -- what was measured, a value a row
    run TEXT NOT NULL,
    unit TEXT NOT NULL,                 -- of what: a unit, a suite, a load
    name TEXT NOT NULL,                 -- what of it, such as latency_p99
    machine TEXT NOT NULL,              -- class of the machine; values of two classes are not compared
    number INTEGER NOT NULL,            -- from 1: which of several in one run
    value REAL NOT NULL,
    measured_in TEXT NOT NULL,          -- such as us, bytes, 1/s
    taken_unix_us INTEGER NOT NULL,
    PRIMARY KEY (run, unit, name, machine, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE healings (                 -- what was done about a failure, an act a row
    run TEXT NOT NULL,
    number INTEGER NOT NULL,            -- from 1, in their order
    subject TEXT NOT NULL,              -- the unit or test that failed
    reason TEXT NOT NULL,               -- why it failed, as its verdict says it
    class TEXT NOT NULL,                -- whose failure it was: product, infra, flaky, known
    fault TEXT,                         -- the fault of the machine; null: none that is repaired
    act TEXT NOT NULL,                  -- JSON, what was done
    outcome TEXT NOT NULL,              -- what came of it, such as healed
    evidence TEXT NOT NULL,             -- JSON, what led there
    duration_us INTEGER NOT NULL,
    ended_unix_us INTEGER NOT NULL,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (                -- what is wrong from one run on
    incident TEXT NOT NULL PRIMARY KEY, -- id
    run TEXT NOT NULL,                  -- which opened it
    subject TEXT NOT NULL,              -- the unit, test or measurement
    class TEXT NOT NULL,                -- such as product, infra, slower
    good_commit TEXT,                   -- the last one that was well; null: not known
    bad_commit TEXT,                    -- the first one that was not; null: not known
    detail TEXT NOT NULL,               -- JSON
    opened_unix_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE closings (                 -- an incident without a row is open
    incident TEXT NOT NULL PRIMARY KEY,
    run TEXT NOT NULL,                  -- which closed it
    reason TEXT NOT NULL,
    closed_unix_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX runs_by_start ON runs (started_unix_us);
CREATE INDEX measurements_by_name ON measurements (unit, name, machine, taken_unix_us);
CREATE INDEX healings_by_subject ON healings (subject, ended_unix_us);
CREATE INDEX incidents_by_subject ON incidents (subject, opened_unix_us);
