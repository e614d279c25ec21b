-- +goose Up
-- Notifications as their managers keep them.
CREATE TABLE notifications (
    id              TEXT COLLATE "C" PRIMARY KEY, -- sorts by age
    status          TEXT NOT NULL,    -- draft, scheduled, sending, sent, cancelled
    revision        BIGINT NOT NULL,  -- raised by each edit
    title           TEXT NOT NULL,
    message         TEXT NOT NULL,
    type            TEXT NOT NULL,
    priority        TEXT NOT NULL,
    importance      BIGINT NOT NULL,
    category        TEXT NOT NULL,
    icon            TEXT NOT NULL,
    color           TEXT NOT NULL,
    action_url      TEXT NOT NULL,
    action_text     TEXT NOT NULL,
    dismissible     BOOLEAN NOT NULL,
    data            TEXT NOT NULL,    -- a JSON object
    search          TEXT NOT NULL,    -- title, message and category in lower case
    target          TEXT NOT NULL,    -- JSON
    created         BIGINT NOT NULL,
    created_by      TEXT NOT NULL,
    created_by_name TEXT NOT NULL,
    scheduled_at    BIGINT NOT NULL,  -- 0: not
    sent_at         BIGINT NOT NULL,  -- when sending began; 0: not yet
    expires_at      BIGINT NOT NULL,  -- 0: never
    position        TEXT NOT NULL,    -- the last user that it was sent to
    recipients      BIGINT NOT NULL,
    gone            TEXT NOT NULL,    -- why it is taken back: expired, cancelled, deleted; empty: it is not
    withdrawn       BOOLEAN NOT NULL, -- it has been taken back from everybody
    touched         BIGINT NOT NULL   -- when sending or taking back last got on
);
CREATE INDEX notifications_scheduled ON notifications (scheduled_at) WHERE status = 'scheduled';
CREATE INDEX notifications_expires ON notifications (expires_at) WHERE expires_at > 0 AND NOT withdrawn;
CREATE INDEX notifications_gone ON notifications (gone) WHERE gone <> '' AND NOT withdrawn;
CREATE INDEX notifications_sent ON notifications (sent_at) WHERE sent_at > 0;

-- What each receiver has of each. A row outlives its notification as the mark
-- of what was taken back.
CREATE TABLE user_notifications (
    notification_id TEXT COLLATE "C" NOT NULL,
    user_id         TEXT COLLATE "C" NOT NULL,
    version         BIGINT NOT NULL, -- the user's, at the row's last change
    received        BIGINT NOT NULL,
    live_at         BIGINT NOT NULL, -- when it reached an open page; this and the others: 0 is not
    read_at         BIGINT NOT NULL,
    dismissed_at    BIGINT NOT NULL,
    archived_at     BIGINT NOT NULL,
    gone_at         BIGINT NOT NULL,
    PRIMARY KEY (notification_id, user_id)
);
CREATE INDEX user_notifications_user ON user_notifications (user_id, received, notification_id);
CREATE INDEX user_notifications_version ON user_notifications (user_id, version);
CREATE INDEX user_notifications_live ON user_notifications (notification_id, live_at) WHERE live_at > 0;
CREATE INDEX user_notifications_read ON user_notifications (notification_id, read_at) WHERE read_at > 0;
CREATE INDEX user_notifications_dismissed ON user_notifications (notification_id, dismissed_at) WHERE dismissed_at > 0;
CREATE INDEX user_notifications_gone ON user_notifications (gone_at) WHERE gone_at > 0;

-- Each receiver's count and version, changed together with the rows.
CREATE TABLE notify_users (
    user_id TEXT COLLATE "C" PRIMARY KEY,
    unread  BIGINT NOT NULL,
    version BIGINT NOT NULL
);

-- Idempotency-Keys of POST /api/notifications.
CREATE TABLE notify_keys (
    scope   TEXT NOT NULL,
    name    TEXT NOT NULL,
    content TEXT NOT NULL, -- SHA-256 in hex
    answer  TEXT NOT NULL, -- JSON
    expires BIGINT NOT NULL,
    PRIMARY KEY (scope, name)
);
CREATE INDEX notify_keys_expires ON notify_keys (expires);
