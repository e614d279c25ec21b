-- +goose Up
-- People who sign in. Their ids are never used twice.
CREATE TABLE users (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email      TEXT NOT NULL,        -- as it was typed
    email_key  TEXT NOT NULL UNIQUE, -- in lower case
    name       TEXT NOT NULL,
    password   TEXT NOT NULL,        -- argon2id, never the password
    disabled   BOOLEAN NOT NULL,
    created    BIGINT NOT NULL,
    last_login BIGINT NOT NULL       -- 0: never
);

CREATE TABLE user_roles (
    user_id BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role    TEXT NOT NULL,
    PRIMARY KEY (user_id, role)
);
CREATE INDEX user_roles_role ON user_roles (role);

-- Signed-in browsers; a guest has no row. The id is a hash of the cookie.
CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created    BIGINT NOT NULL,
    seen       BIGINT NOT NULL,
    address    TEXT NOT NULL,
    user_agent TEXT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_seen ON sessions (seen);

CREATE TABLE api_tokens (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id   BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    hash      TEXT NOT NULL,   -- of the secret part
    scopes    TEXT NOT NULL,   -- a JSON list
    app       TEXT NOT NULL,   -- empty: the default app
    channels  TEXT NOT NULL,   -- a JSON list of patterns; empty: all
    created   BIGINT NOT NULL,
    expires   BIGINT NOT NULL,
    last_used BIGINT NOT NULL  -- 0: never
);
CREATE INDEX api_tokens_user ON api_tokens (user_id);

-- Links that make the first admin.
CREATE TABLE setup_links (
    hash    TEXT PRIMARY KEY,
    expires BIGINT NOT NULL
);

-- What changed somebody's rights, numbered without gaps in the order of the
-- commits: the number is taken from the one row of user_change_last, which
-- stays locked until the commit.
CREATE TABLE user_changes (
    seq        BIGINT PRIMARY KEY,
    user_id    TEXT NOT NULL,
    session_id TEXT NOT NULL,
    kind       TEXT NOT NULL,
    at         BIGINT NOT NULL
);
CREATE INDEX user_changes_at ON user_changes (at);
CREATE TABLE user_change_last (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL
);
INSERT INTO user_change_last (one, seq) VALUES (1, 0);
