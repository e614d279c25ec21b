"""The check-in service of examples/checkins with FastAPI: see README.md.

Two lines of it have to do with Belfry: the import, and a call after each commit.
"""

import os
import sqlite3
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal, Optional

import belfry
from belfry import notify_laravel_dashboard, notify_laravel_dashboard_sync
from fastapi import FastAPI, HTTPException
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

FOLDER = Path(os.environ.get("CHECKINS_DIR", "checkins-data"))
# The tables of the service in Go, so that one dashboard shows either.
TABLES = Path(__file__).parents[1] / "checkins/service/migrations/sqlite/0001_checkins.sql"

Mood = Literal["Awesome", "Great", "Loved", "Okay", "Meh", "Anxious", "Bad", "Terrible", "Upset"]
Energy = Literal["Low", "Moderate", "High"]
Stress = Literal["No Stress", "Low Stress", "Moderate", "High Stress", "Very High Stress"]
FeelBetter = Literal["Yes", "No", "Same"]


class Student(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=200)
    active: bool = True


class CheckIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    student_id: int = Field(ge=1)
    mood: Mood
    energy: Energy
    stress: Stress
    feel_better: Optional[FeelBetter] = None
    comment: Optional[str] = Field(None, max_length=2000)


@contextmanager
def transaction():
    """A connection whose changes are committed when the block ends well."""
    db = sqlite3.connect(FOLDER / "checkins.db", timeout=5, isolation_level=None)
    db.row_factory = sqlite3.Row
    try:
        db.execute("PRAGMA foreign_keys = 1")
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")
    finally:
        db.close()  # without a commit, all is as it was


def prepare():
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    db = sqlite3.connect(FOLDER / "checkins.db", timeout=5)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE IF NOT EXISTS checkins_schema (step INTEGER PRIMARY KEY)")
    if not db.execute("SELECT 1 FROM checkins_schema").fetchone():
        db.executescript("BEGIN;" + TABLES.read_text("utf-8") + "INSERT INTO checkins_schema VALUES (1); COMMIT;")
    db.close()


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


@asynccontextmanager
async def lifespan(_: FastAPI):
    prepare()
    belfry.configure(outbox=str(FOLDER / "outbox"))  # what Belfry was not told of outlives the process
    yield
    await belfry.aclose()  # sends what waits; uvicorn gives the process no time for it later


app = FastAPI(title="Check-ins", lifespan=lifespan)


@app.get("/up")
def up():
    return {"status": "ok"}


@app.post("/api/students", status_code=201)
def add_student(student: Student):
    with transaction() as db:
        made = db.execute(
            "INSERT INTO students (name, active, created_at, updated_at) VALUES (?, ?, ?, ?) RETURNING *",
            (student.name, student.active, now(), now()),
        ).fetchone()
    notify_laravel_dashboard_sync("student created")
    return dict(made)


# A coroutine uses the coroutine; a function, which FastAPI runs in a thread, the
# function. Neither waits for Belfry.
@app.post("/api/checkins", status_code=201)
async def add(checkin: CheckIn):
    made = await run_in_threadpool(save, checkin)
    await notify_laravel_dashboard("check-in created")  # after the commit
    return made


def save(checkin: CheckIn):
    with transaction() as db:
        if not db.execute("SELECT 1 FROM students WHERE id = ?", (checkin.student_id,)).fetchone():
            raise HTTPException(422, f"student_id: there is no student {checkin.student_id}")
        made = db.execute(
            "INSERT INTO checkins (student_id, mood, energy, stress, feel_better, comment, created_at, updated_at)"
            " VALUES (:student_id, :mood, :energy, :stress, :feel_better, :comment, :at, :at) RETURNING *",
            {**checkin.model_dump(), "at": now()},
        ).fetchone()
    return dict(made)


@app.get("/api/checkins")
def read(limit: int = 50):
    with transaction() as db:
        rows = db.execute("SELECT * FROM checkins ORDER BY created_at DESC, id DESC LIMIT ?", (max(1, min(limit, 200)),))
        return {"data": [dict(row) for row in rows]}


@app.put("/api/checkins/{id}")
def change(id: int, checkin: CheckIn):
    with transaction() as db:
        made = db.execute(
            "UPDATE checkins SET student_id = :student_id, mood = :mood, energy = :energy, stress = :stress,"
            " feel_better = :feel_better, comment = :comment, updated_at = :at WHERE id = :id RETURNING *",
            {**checkin.model_dump(), "at": now(), "id": id},
        ).fetchone()
        if made is None:
            raise HTTPException(404, "there is no check-in with this id")
    notify_laravel_dashboard_sync("check-in changed")
    return dict(made)


@app.delete("/api/checkins/{id}", status_code=204)
def delete(id: int) -> None:
    with transaction() as db:
        if db.execute("DELETE FROM checkins WHERE id = ?", (id,)).rowcount == 0:
            raise HTTPException(404, "there is no check-in with this id")
    notify_laravel_dashboard_sync("check-in deleted")
