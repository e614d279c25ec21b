-- +goose Up
-- What was denied to whom, and why: for operators, kept 90 days.
CREATE TABLE audit_log (
    id        TEXT COLLATE "C" PRIMARY KEY, -- begins with the time, so that order by id is order by time
    at        BIGINT NOT NULL,
    action    TEXT NOT NULL,    -- channel.auth, user.auth …
    app       TEXT NOT NULL,
    subject   TEXT NOT NULL,    -- the channel
    socket    TEXT NOT NULL,
    user_id   TEXT NOT NULL,    -- empty: nobody was signed in
    user_name TEXT NOT NULL,
    address   TEXT NOT NULL,
    result    TEXT NOT NULL,
    rule      TEXT NOT NULL,
    reason    TEXT NOT NULL
);
CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_user ON audit_log (user_id, id);
CREATE INDEX audit_log_subject ON audit_log (subject, id);
