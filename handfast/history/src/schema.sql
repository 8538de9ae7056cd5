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
