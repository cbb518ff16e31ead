"""The peer of `vello bench auth`: challenge, verify and jobs/add as one would write them with FastAPI and asyncpg.

Takes the same requests and gives the same answers over the same tables. It does less than the api it stands beside: no Row Level
Security, no rate limits, no vetting of keys, no sequence windows, no key rotation. Bodies are validated by pydantic.
"""

import base64
import hashlib
import json
import os
import secrets
import time
import uuid
from datetime import datetime, timezone

import asyncpg
import redis.asyncio as redis
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel, Extra, conlist

app = FastAPI(openapi_url=None)
signing_key = Ed25519PrivateKey.generate()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def now_iso(offset: float = 0) -> str:
    moment = datetime.fromtimestamp(time.time() + offset, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@app.on_event("startup")
async def startup() -> None:
    async def prepare(connection):
        await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")

    app.state.pool = await asyncpg.create_pool(os.environ["PEER_DATABASE_URL"], min_size=8, max_size=8, init=prepare)
    app.state.redis = redis.from_url(os.environ["PEER_REDIS_URL"], decode_responses=True)


class ChallengeBody(BaseModel, extra=Extra.forbid):
    public_key: str


class VerifyBody(BaseModel, extra=Extra.forbid):
    challenge_id: str
    signature: str


@app.post("/api/auth/ed25519/challenge")
async def challenge(body: ChallengeBody):
    if len(unb64(body.public_key)) != 32:
        raise HTTPException(422)
    challenge_id = str(uuid.uuid4())
    nonce = b64(secrets.token_bytes(32))
    await app.state.redis.set(f"peer:challenge:{challenge_id}", f"{body.public_key} {nonce}", px=300_000)
    return {"challenge_id": challenge_id, "nonce": nonce, "expires_at": now_iso(300), "server_time": now_iso()}


@app.post("/api/auth/ed25519/verify")
async def verify(body: VerifyBody):
    found = await app.state.redis.getdel(f"peer:challenge:{body.challenge_id}")
    if found is None:
        raise HTTPException(401)
    public_key, nonce = found.split(" ")
    text = f"vello-device-auth:v1\n{body.challenge_id}\n{nonce}\n{public_key}".encode()
    try:
        Ed25519PublicKey.from_public_bytes(unb64(public_key)).verify(unb64(body.signature), text)
    except InvalidSignature:
        raise HTTPException(401) from None
    async with app.state.pool.acquire() as connection:
        device = await connection.fetchrow(
            "select d.user_id, d.id from device_keys k join devices d on d.id = k.device_id where k.public_key = $1",
            unb64(public_key),
        )
    issued = int(time.time())
    header = b64(json.dumps({"alg": "EdDSA", "typ": "vello-bootstrap+jwt", "kid": "peer"}).encode())
    claims = {
        "iss": "vello",
        "aud": "vello:devices",
        "sub": public_key,
        "did": "unregistered",
        "jti": str(uuid.uuid4()),
        "iat": issued,
        "exp": issued + 300,
    }
    payload = b64(json.dumps(claims).encode())
    signature = b64(signing_key.sign(f"{header}.{payload}".encode()))
    return {
        "bootstrap_token": f"{header}.{payload}.{signature}",
        "expires_in": 300,
        "device_registered": device is not None,
        "next_sequence": 1,
        "server_time": now_iso(),
    }


class JobsBody(BaseModel, extra=Extra.forbid):
    event: dict[str, str] | None = None
    events: conlist(dict[str, str], max_items=500) | None = None


async def check_service(request: Request) -> None:
    service_id = request.headers["x-vello-service"]
    timestamp, signature = request.headers["authorization"].removeprefix("Ed25519 ").split(":")
    if abs(time.time() - int(timestamp)) > 300:
        raise HTTPException(401)
    digest = hashlib.sha256(await request.body()).hexdigest()
    text = f"vello-service:v1\n{service_id}\n{timestamp}\n{request.method}\n{request.url.path}\n{digest}".encode()
    async with app.state.pool.acquire() as connection:
        keys = await connection.fetch(
            "select public_key from service_keys where service_id = $1 and revoked_at is null", service_id
        )
    for row in keys:
        try:
            Ed25519PublicKey.from_public_bytes(row["public_key"]).verify(unb64(signature), text)
            break
        except InvalidSignature:
            continue
    else:
        raise HTTPException(401)
    mark = hashlib.sha256(text).hexdigest()
    if not await app.state.redis.set(f"peer:signature:{mark}", "1", nx=True, px=600_000):
        raise HTTPException(401)


@app.post("/api/jobs/add")
async def add_jobs(body: JobsBody, request: Request):
    await check_service(request)
    events = body.events or [body.event]
    # One order for all requests, or two of them could wait for each other's rows.
    order = sorted(range(len(events)), key=lambda n: events[n]["user_id"])
    results = [None] * len(events)
    async with app.state.pool.acquire() as connection, connection.transaction():
        for n in order:
            results[n] = await settle(connection, events[n])
    for event, result in zip(events, results, strict=True):
        if not result["duplicate"]:
            message = json.dumps({"type": "job_created", **result["message"]})
            await app.state.redis.publish(f"peer:device:{event['device_id']}", message)
    answers = [{name: value for name, value in result.items() if name != "message"} for result in results]
    return answers[0] if body.events is None else {"results": answers}


async def settle(connection, event):
    event_id, user_id, device_id = (uuid.UUID(event[name]) for name in ("event_id", "user_id", "device_id"))
    credits = max(1, int(float(event["audio_seconds"]) * 5.555556 + 0.5))
    job_id = uuid.uuid4()
    fresh = await connection.fetchval(
        "insert into processed_events (event_id, user_id, job_id) values ($1, $2, $3)"
        " on conflict do nothing returning event_id",
        event_id,
        user_id,
        job_id,
    )
    if fresh is None:
        job = await connection.fetchrow("select id, credits_deducted from jobs where event_id = $1", event_id)
        return {"job_id": job["id"], "credits_deducted": job["credits_deducted"], "balance": 0, "duplicate": True}
    account = await connection.fetchrow(
        "update users_credits set balance = balance - $2, entries = entries + 1, updated_at = now()"
        " where user_id = $1 returning balance, entries",
        user_id,
        credits,
    )
    await connection.execute(
        "insert into jobs (id, user_id, device_id, session_id, event_id, request_id, type, provider, model, outcome,"
        " status, audio_seconds, audio_source, bytes_in, bytes_out, ttfb_ms, duration_ms, credits_deducted, started_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        job_id,
        user_id,
        device_id,
        uuid.UUID(event["session_id"]),
        event_id,
        event["request_id"],
        event["type"],
        event["provider"],
        event["model"],
        event["outcome"],
        int(event["status"]),
        float(event["audio_seconds"]),
        event["audio_source"],
        int(event["bytes_in"]),
        int(event["bytes_out"]),
        int(event["ttfb_ms"]),
        int(event["duration_ms"]),
        credits,
        datetime.fromtimestamp(int(event["started_at"]) / 1000, timezone.utc),
    )
    await connection.execute("insert into job_events (job_id, user_id, kind) values ($1, $2, 'created')", job_id, user_id)
    await connection.execute(
        "insert into credit_transactions (user_id, entry, id, delta, balance_after, kind, idempotency_key, job_id)"
        " values ($1, $2, $3, $4, $5, 'charge', $6, $7)",
        user_id,
        account["entries"],
        uuid.uuid4(),
        -credits,
        account["balance"],
        f"event:{event_id}",
        job_id,
    )
    seq = await connection.fetchval(
        "update devices set last_message_seq = last_message_seq + 1 where id = $1 returning last_message_seq", device_id
    )
    message = {
        "job_id": str(job_id),
        "event_id": str(event_id),
        "session_id": event["session_id"],
        "credits_deducted": credits,
        "balance": account["balance"],
    }
    await connection.execute(
        "insert into device_messages (device_id, seq, user_id, type, body) values ($1, $2, $3, 'job_created', $4)",
        device_id,
        seq,
        user_id,
        message,
    )
    message = {"seq": seq, **message}
    return {"job_id": job_id, "credits_deducted": credits, "balance": account["balance"], "duplicate": False, "message": message}
