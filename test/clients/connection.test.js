import assert from 'node:assert/strict'
import { test } from 'node:test'
import { disabled, full, tiny } from './helpers/apps.js'
import { startBackend } from './helpers/backend.js'
import { asUser, Client, fresh } from './helpers/client.js'
import { sdk } from './helpers/sdk.js'
import { Server } from './helpers/server.js'

/** Starts a server for one test. */
async function start(
  /** @type {import('node:test').TestContext} */ t,
  /** @type {Parameters<typeof Server.start>[0]} */ options = {},
) {
  const server = await Server.start(options)
  t.after(() => server.stop())
  return server
}

/** The close code or error code of a recorded connection error. */
const codeOf = (/** @type {any} */ error) => error?.data?.code ?? error?.error?.data?.code

test('WS-04 WS-30 WS-34 refusals reach pusher-js with their code, and it stays down', async t => {
  const server = await start(t)
  for (const [code, app] of /** @type {const} */ ([
    [4001, { ...full, key: 'no-such-key' }],
    [4003, disabled],
  ])) {
    const client = Client.open(t, server, app)
    await client.state('disconnected')
    const error = await client.errors.find(one => codeOf(one) === code, `code ${code}`)
    assert.ok(error)
    assert.equal(client.pusher.connection.state, 'disconnected')
  }
})

test('WS-38 LIMIT-15 a connection over the app’s quota gets 4004, a place that falls free is given', async t => {
  const server = await start(t)
  const first = Client.open(t, server, tiny)
  const second = Client.open(t, server, tiny)
  await Promise.all([first.state('connected'), second.state('connected')])
  const third = Client.open(t, server, tiny)
  await third.errors.find(one => codeOf(one) === 4004, 'code 4004')
  await third.state('disconnected')
  first.pusher.disconnect()
  await first.state('disconnected')
  // The server counts a connection out when its close frame arrives (CH-22).
  for (const end = Date.now() + 5_000; Date.now() < end; ) {
    const from = third.states.items.length
    third.pusher.connect()
    const next = await third.states.find(
      state => state === 'connected' || state === 'disconnected',
      'an answer',
      { from },
    )
    if (next === 'connected') return
  }
  assert.fail('no place fell free')
})

test('WS-02 a path prefix of the client is served when the server has it', async t => {
  const server = await start(t, {
    config: { server: { path_prefix: '/realtime', drain_window: '1s' } },
  })
  const client = Client.open(t, server, full, { wsPath: '/realtime' })
  await client.state('connected')
})

test('WS-31 WS-32 WS-38 a server that stops sends clients on with 4200, and they come back to all they had', async t => {
  const server = await start(t)
  const backend = await startBackend(sdk(server, full))
  t.after(() => backend.close())
  const client = Client.open(t, server, full, asUser(backend.url, { user: 'ada' }))
  const [open, secret, people] = [fresh(), fresh('private-'), fresh('presence-')]
  for (const room of [open, secret, people]) await client.subscribe(room)
  const before = client.socketId
  const frames = client.frames.items.length
  const states = client.states.items.length

  await server.end('SIGTERM')
  await client.state('connecting', { from: states })
  await client.errors.find(one => codeOf(one) === 4200, 'code 4200')
  await server.begin()
  await client.state('connected', { from: states, ms: 30_000 })

  assert.notEqual(client.socketId, before)
  for (const room of [open, secret, people]) {
    await client.frames.find(
      frame => frame.channel === room && frame.event === 'pusher_internal:subscription_succeeded',
      `success on ${room} again`,
      { from: frames },
    )
    await sdk(server, full).trigger(room, 'after-restart', {})
    await client.event(room, 'after-restart')
  }
  // TRAP-13: every private and presence channel was authorized anew.
  assert.equal(backend.requests.filter(one => one.form.channel_name === secret).length, 2)
})

test('WS-38 every client of a stopping server gets 4200, none is cut off', async t => {
  const server = await start(t)
  const clients = Array.from({ length: 40 }, () => Client.open(t, server, full))
  const room = fresh()
  await Promise.all(clients.map(client => client.subscribe(room)))
  await server.end('SIGTERM')
  for (const client of clients) {
    await client.state('connecting')
    assert.equal(codeOf(client.errors.items[0]), 4200)
    client.pusher.disconnect()
  }
})

test('GEN-03 a killed server starts again as if nothing had been, and clients come back', async t => {
  const server = await start(t)
  const client = Client.open(t, server, full)
  const room = fresh()
  await client.subscribe(room)
  const states = client.states.items.length
  await server.end('SIGKILL')
  await server.begin()
  await client.state('connected', { from: states, ms: 30_000 })
  const { heard } = await client.subscribe(fresh())
  assert.ok(heard)
  await sdk(server, full).trigger(room, 'after-kill', {})
  await client.event(room, 'after-kill')
})

test('WS-20 an idle client’s ping is answered, so it stays connected', async t => {
  const server = await start(t)
  const client = Client.open(t, server, full, { activityTimeout: 1_000, pongTimeout: 5_000 })
  await client.state('connected')
  const pong = await client.frames.find(frame => frame.event === 'pusher:pong', 'a pong')
  assert.ok(pong)
  await client.frames.collect(frame => frame.event === 'pusher:pong', 2, 'pong')
  assert.equal(client.states.items.filter(state => state === 'connecting').length, 0)
})

test('WS-23 WS-24 a silent client is pinged, and its pong keeps it', async t => {
  const server = await start(t, {
    config: { server: { ping_after: '1s', ping_timeout: '2s', drain_window: '1s' } },
  })
  const client = Client.open(t, server, full)
  await client.state('connected')
  await client.frames.collect(frame => frame.event === 'pusher:ping', 4, 'ping')
  assert.equal(client.pusher.connection.state, 'connected')
  assert.equal(client.errors.items.length, 0)
})
