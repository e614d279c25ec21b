-- +goose Up
-- Jobs whose time has not come, or that wait to be handed to the queue's driver.
CREATE TABLE job_later (
    seq      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    queue    TEXT NOT NULL,
    run_at   BIGINT NOT NULL,
    again    BOOLEAN NOT NULL,        -- the driver may still hold the job's last run
    tried    INTEGER NOT NULL,
    error    TEXT NOT NULL,
    debounce TEXT UNIQUE,
    job      TEXT NOT NULL
);
CREATE INDEX job_later_due ON job_later (run_at, seq);
-- Who holds the key of a unique job.
CREATE TABLE job_locks (
    name   TEXT PRIMARY KEY,
    job_id TEXT NOT NULL,
    queue  TEXT NOT NULL,
    taken  BIGINT NOT NULL,
    until  BIGINT NOT NULL,           -- held so long even when the job is done
    done   BOOLEAN NOT NULL
);
CREATE INDEX job_locks_job ON job_locks (job_id);
CREATE TABLE failed_jobs (
    id       TEXT PRIMARY KEY,
    queue    TEXT NOT NULL,
    kind     TEXT NOT NULL,
    error    TEXT NOT NULL,
    tries    INTEGER NOT NULL,
    enqueued BIGINT NOT NULL,
    failed   BIGINT NOT NULL,
    job      TEXT                     -- NULL: dropped for its age
);
CREATE INDEX failed_jobs_failed ON failed_jobs (failed);
CREATE TABLE workers (
    id       TEXT PRIMARY KEY,
    host     TEXT NOT NULL,
    pid      INTEGER NOT NULL,
    version  TEXT NOT NULL,
    settings TEXT NOT NULL,
    started  BIGINT NOT NULL,
    seen     BIGINT NOT NULL,         -- by the database's clock
    state    TEXT NOT NULL
);
CREATE TABLE queue_control (
    name  TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
