"""A backend that tells Belfry's dashboards of each check-in.

    pip install fastapi uvicorn httpx
    export LARAVEL_WEBHOOK_URL=http://localhost:6001/api/dashboard/notify-update
    export SERVICES_WEBHOOK_SHARED_SECRET=...   # as in Belfry's environment
    uvicorn fastapi_app:app --port 8010
"""

from contextlib import asynccontextmanager
from typing import List

from fastapi import FastAPI
from pydantic import BaseModel

from belfry import aclose, notify_laravel_dashboard


@asynccontextmanager
async def lifespan(_: FastAPI):
    yield
    await aclose()  # sends what waits; uvicorn gives the process no time for it later


app = FastAPI(title="Check-ins", lifespan=lifespan)
checkins: List["Checkin"] = []


class Checkin(BaseModel):
    student: int
    mood: str = "Okay"


@app.post("/api/checkins", status_code=201)
async def create(checkin: Checkin) -> Checkin:
    checkins.append(checkin)  # a real one commits to its database here
    await notify_laravel_dashboard("checkin created")
    return checkin


@app.get("/api/checkins")
async def read() -> List[Checkin]:
    return checkins
