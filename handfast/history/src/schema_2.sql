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
