CREATE TABLE runs (                     -- runs that are watched
    run TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    state TEXT NOT NULL,                -- running, over, died
    seen_unix_us INTEGER NOT NULL,      -- when it was last heard of
    body TEXT NOT NULL                  -- JSON, what was heard
) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (
    incident INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,           -- the beginning of its letters' keys
    project TEXT NOT NULL,
    subject TEXT NOT NULL,
    class TEXT NOT NULL,                -- product, infra
    state TEXT NOT NULL,                -- open, recovered
    opened_unix_us INTEGER NOT NULL,
    changed_unix_us INTEGER NOT NULL,
    letters INTEGER NOT NULL,           -- how many letters it has had
    body TEXT NOT NULL                  -- JSON, as its newest letter tells it
) STRICT;

CREATE UNIQUE INDEX one_is_open ON incidents (project, subject, class) WHERE state = 'open';

CREATE TABLE letters (                  -- one thing to be told to one channel
    letter INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    incident INTEGER,                   -- null: a test
    channel TEXT NOT NULL,              -- its name in the project file
    kind TEXT NOT NULL,                 -- JSON {kind, note}
    mention TEXT NOT NULL,              -- loud, quiet
    body TEXT NOT NULL,                 -- JSON, the incident as it was
    noticed_unix_us INTEGER NOT NULL,   -- when the first thing happened that it tells
    held_until_unix_us INTEGER,         -- the end of the quiet hours that it was written in
    next_unix_us INTEGER NOT NULL,      -- when it is to be tried next
    first_unix_us INTEGER,              -- first and last attempt
    last_unix_us INTEGER,
    told_unix_us INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    sending INTEGER NOT NULL DEFAULT 0, -- 1: an attempt is under way, or its courier died in it
    unsure INTEGER NOT NULL DEFAULT 0,  -- 1: an attempt may have been accepted
    maybe_twice INTEGER NOT NULL DEFAULT 0, -- attempts that were made although an earlier one may have been accepted, without a way to ask
    outcome TEXT NOT NULL,              -- waiting, told, never, replaced
    why TEXT,                           -- what came of the last attempt, where it was not told
    fix TEXT                            -- what to do about it
) STRICT;

CREATE INDEX letters_by_outcome ON letters (outcome, channel, letter);

CREATE INDEX letters_by_incident ON letters (incident, channel, letter);

CREATE TABLE attempts (                 -- the last attempts of each letter
    letter INTEGER NOT NULL,
    attempt INTEGER NOT NULL,           -- from 1
    began_unix_us INTEGER NOT NULL,
    ended_unix_us INTEGER,              -- null: its courier died in it
    outcome TEXT,                       -- told, later, unsure, never
    PRIMARY KEY (letter, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE threads (                  -- what a channel calls an incident's message
    incident INTEGER NOT NULL,
    channel TEXT NOT NULL,
    reference TEXT NOT NULL,
    PRIMARY KEY (incident, channel)
) STRICT, WITHOUT ROWID;
