-- +goose Up
-- Apps made by commands or by a first start, with their secrets.
CREATE TABLE apps (
    id      TEXT PRIMARY KEY,
    place   BIGINT NOT NULL,  -- the order of creation
    record  TEXT NOT NULL,    -- JSON
    changed BIGINT NOT NULL
);
-- One row that every change of the list counts up first. It stays locked until
-- the commit, so that changes come one after another, and servers look at it to
-- see that another one changed the list.
CREATE TABLE app_list (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    version BIGINT NOT NULL
);
INSERT INTO app_list (one, version) VALUES (1, 0);
