-- Times are text, 2026-11-22T08:15:00.000Z, always of this length: they sort by time.
CREATE TABLE students (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    active     BOOLEAN NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX students_by_time ON students (created_at, id);

CREATE TABLE checkins (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    student_id  INTEGER NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    mood        TEXT NOT NULL,
    energy      TEXT NOT NULL,
    stress      TEXT NOT NULL,
    feel_better TEXT,
    comment     TEXT,
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL
);
CREATE INDEX checkins_by_time ON checkins (created_at, id);
CREATE INDEX checkins_by_student ON checkins (student_id, created_at);

CREATE TABLE alerts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    student_id INTEGER NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    severity   TEXT NOT NULL,
    status     TEXT NOT NULL,
    reason     TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX alerts_by_time ON alerts (created_at, id);
CREATE INDEX alerts_by_student ON alerts (student_id);

CREATE TABLE journal_sentiments (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    student_id INTEGER NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    sentiment  TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX journal_sentiments_by_time ON journal_sentiments (created_at, id);
CREATE INDEX journal_sentiments_by_student ON journal_sentiments (student_id);

CREATE TABLE checkin_sentiments (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    checkin_id INTEGER NOT NULL REFERENCES checkins (id) ON DELETE CASCADE,
    sentiment  TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX checkin_sentiments_by_time ON checkin_sentiments (created_at, id);
CREATE INDEX checkin_sentiments_by_checkin ON checkin_sentiments (checkin_id);

CREATE TABLE form_downloads (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    student_id INTEGER NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    form       TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX form_downloads_by_time ON form_downloads (created_at, id);
CREATE INDEX form_downloads_by_student ON form_downloads (student_id);
