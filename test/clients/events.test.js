import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Application } from './helpers/application.js'
import { full } from './helpers/apps.js'
import { launchBrowser } from './helpers/browser.js'
import { Client, fresh } from './helpers/client.js'
import { addPerson, addToken } from './helpers/people.js'
import { Server } from './helpers/server.js'

/** @type {import('playwright-core').Browser} */
let browser
/** @type {Server} */
let server
/** @type {import('./helpers/people.js').Person} */
let person
/** @type {string} */
let token

before(async () => {
  browser = await launchBrowser()
  server = await Server.start()
  person = await addPerson(server, 'sender@example.com', { password: 'password of a sender' })
  token = await addToken(server, person, 'events')
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

/**
 * Posts to /api/events.
 *
 * @param {unknown} body a string goes as it is
 * @param {Record<string, string>} [headers]
 * @param {Server} [to]
 */
async function post(body, headers = {}, to = server) {
  const response = await fetch(`${to.url}/api/events`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, body: /** @type {any} */ (await response.json()) }
}

test('an event posted to /api/events reaches a browser through queue and worker', async t => {
  const page = await Application.open(t, browser, server, full, { person })
  const channel = `private-user.${person.id}`
  assert.equal((await page.subscribe('private', `user.${person.id}`)).what, 'subscribed')
  const data = { order: 42, note: 'Zoë 🚀', markup: '<b>' }
  const answer = await post({ event: 'order.shipped', channels: [channel], data })
  assert.equal(answer.status, 202)
  assert.equal(answer.body.status, 'queued')
  assert.ok(answer.body.id)
  assert.deepEqual((await page.heard(channel, 'order.shipped')).data, data)
})

test('the same with the worker in another process', async t => {
  const alone = await Server.start({ args: ['--no-workers'] })
  t.after(() => alone.stop())
  const person = await addPerson(alone, 'sender@example.com', { password: 'password of a sender' })
  const headers = { Authorization: `Bearer ${await addToken(alone, person, 'events')}` }
  const page = await Application.open(t, browser, alone, full, { person })
  const channel = `private-user.${person.id}`
  await page.subscribe('private', `user.${person.id}`)
  const data = { n: 1 }
  const early = await post({ event: 'early', channels: [channel], data }, headers, alone)
  assert.equal(early.status, 202)
  alone.beside(t, 'broadcast:start', '--queue=default')
  assert.deepEqual((await page.heard(channel, 'early')).data, data)
  const sent = Date.now()
  await post({ event: 'late', channels: [channel], data }, headers, alone)
  const { at } = await page.heard(channel, 'late')
  assert.ok(at - sent < 1000, `the worker was woken after ${at - sent} ms`)
})

test('the same with another Belfry as the Pusher target', async t => {
  const sender = await Server.start({
    apps: [],
    env: {
      BROADCAST_CONNECTION: 'pusher',
      PUSHER_APP_ID: full.id,
      PUSHER_APP_KEY: full.key,
      PUSHER_APP_SECRET: full.secret,
      PUSHER_HOST: server.host,
      PUSHER_PORT: String(server.port),
      PUSHER_SCHEME: 'http',
    },
  })
  t.after(() => sender.stop())
  const other = await addPerson(sender, 'sender@example.com', { password: 'password of a sender' })
  const headers = { Authorization: `Bearer ${await addToken(sender, other, 'events')}` }
  const page = await Application.open(t, browser, server, full, { person })
  const channel = `private-user.${person.id}`
  await page.subscribe('private', `user.${person.id}`)
  const answer = await post({ event: 'far', channels: [channel], data: { n: 1 } }, headers, sender)
  assert.equal(answer.status, 202, JSON.stringify(answer.body))
  assert.deepEqual((await page.heard(channel, 'far')).data, { n: 1 })
})

test('with_id puts the event’s id into its data', async t => {
  const client = Client.open(t, server, full)
  const room = fresh()
  await client.subscribe(room)
  const { body } = await post({ event: 'e', channels: [room], data: { n: 1 }, with_id: true })
  assert.deepEqual((await client.event(room, 'e')).data, { n: 1, event_id: body.id })
})

test('now answers with a receipt that counts who got it', async t => {
  const client = Client.open(t, server, full)
  const room = fresh()
  await client.subscribe(room)
  const answer = await post({ event: 'e', channels: [room], data: {}, now: true })
  assert.equal(answer.status, 200)
  await client.event(room, 'e')
  assert.match(JSON.stringify(answer.body), /"matched":1/)
})

test('the sender’s own socket is left out', async t => {
  const [sender, other] = [Client.open(t, server, full), Client.open(t, server, full)]
  const room = fresh()
  await Promise.all([sender.subscribe(room), other.subscribe(room)])
  await post({ event: 'one', channels: [room], data: {}, exclude_socket_id: sender.socketId })
  await other.event(room, 'one')
  await post(
    { event: 'two', channels: [room], data: {} },
    { 'X-Socket-ID': String(sender.socketId) },
  )
  await other.event(room, 'two')
  await post({ event: 'three', channels: [room], data: {} })
  await sender.event(room, 'three')
  assert.equal(sender.count(room, 'one') + sender.count(room, 'two'), 0)
})

test('a repeated Idempotency-Key sends once, and another body under it is refused', async t => {
  const client = Client.open(t, server, full)
  const room = fresh()
  await client.subscribe(room)
  const key = { 'Idempotency-Key': `key of ${room}` }
  const event = { event: 'once', channels: [room], data: { n: 1 } }
  const [first, again] = [await post(event, key), await post(event, key)]
  assert.equal(first.status, 202)
  assert.equal(again.body.id, first.body.id)
  assert.equal((await post({ ...event, data: { n: 2 } }, key)).status, 409)
  await post({ event: 'fence', channels: [room], data: {} })
  await client.event(room, 'fence')
  assert.equal(client.count(room, 'once'), 1)
})

test('events sent one after another arrive in that order', async t => {
  const client = Client.open(t, server, full)
  const room = fresh()
  const { heard } = await client.subscribe(room)
  for (let n = 0; n < 50; n++) await post({ event: 'step', channels: [room], data: { n } })
  await client.event(room, 'step', data => data.n === 49)
  const order = heard.items.filter(one => one.name === 'step').map(one => one.data.n)
  assert.deepEqual(order, [...order.keys()])
})

test('what cannot be sent is refused with its reason', async () => {
  const room = fresh()
  const good = { event: 'e', channels: [room], data: {} }
  const notes = await addToken(server, person, 'notifications')
  for (const [what, body, headers, status] of /** @type {const} */ ([
    ['no token', good, { Authorization: '' }, 401],
    ['a made-up token', good, { Authorization: 'Bearer belfry_1_made-up' }, 401],
    ['a token without the scope', good, { Authorization: `Bearer ${notes}` }, 403],
    ['no JSON', '{"event":', {}, 400],
    ['a malformed channel', { ...good, channels: ['no spaces'] }, {}, 400],
    ['an unknown queue', { ...good, queue: 'no-such-queue' }, {}, 400],
    ['a name of Belfry’s own', { ...good, event: 'notification.sent' }, {}, 403],
    ['a name of the protocol’s own', { ...good, event: 'pusher:error' }, {}, 403],
  ])) {
    const answer = await post(body, headers)
    assert.equal(answer.status, status, `${what}: ${JSON.stringify(answer.body)}`)
    assert.ok(answer.body.error && answer.body.code, what)
  }
})
