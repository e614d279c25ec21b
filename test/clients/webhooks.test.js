import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { full } from './helpers/apps.js'
import { startBackend } from './helpers/backend.js'
import { asUser, Client, fresh } from './helpers/client.js'
import { serve } from './helpers/http.js'
import { sdk } from './helpers/sdk.js'
import { Server } from './helpers/server.js'
import { Tape } from './helpers/tape.js'

/**
 * @typedef {{path: string, headers: Record<string, string>, body: string, status: number}} Post
 * @typedef {{name: string, channel: string, [field: string]: unknown}} HookEvent
 */

/** @type {Tape<Post>} */
const posts = new Tape()
/** @type {Tape<HookEvent>} */
const events = new Tape()
/** How often each body has come to /flaky. @type {Map<string, number>} */
const tries = new Map()

/** @type {Awaited<ReturnType<typeof serve>>} */
let sink
/** @type {Server} */
let server
/** @type {import('pusher')} */
let publisher
/** @type {Awaited<ReturnType<typeof startBackend>>} */
let backend

before(async () => {
  sink = await serve((request, body, response) => {
    const path = request.url ?? ''
    const seen = tries.get(path + body) ?? 0
    tries.set(path + body, seen + 1)
    response.statusCode = path === '/flaky' && seen === 0 ? 500 : 200
    response.end()
    const headers = /** @type {Record<string, string>} */ (request.headers)
    posts.push({ path, headers, body, status: response.statusCode })
    if (path === '/all') for (const event of JSON.parse(body).events) events.push(event)
  })
  const app = {
    ...full,
    webhooks: [
      { url: `${sink.url}/all` },
      { url: `${sink.url}/flaky`, events: ['cache_miss'], channel_prefix: 'cache-flaky-' },
      {
        url: `${sink.url}/some`,
        events: ['channel_occupied'],
        channel_suffix: '-wanted',
        headers: { 'X-Team': 'blue' },
      },
    ],
  }
  server = await Server.start({ apps: [app] })
  publisher = sdk(server, full)
  backend = await startBackend(publisher)
})
after(async () => {
  await backend?.close()
  await server?.stop()
  await sink?.close()
})

function open(
  /** @type {import('node:test').TestContext} */ t,
  /** @type {Record<string, string>} */ query = {},
) {
  return Client.open(t, server, full, asUser(backend.url, query))
}

function hook(/** @type {string} */ name, /** @type {string} */ channel) {
  return events.find(one => one.name === name && one.channel === channel, `${name} of ${channel}`)
}

test('HOOK-01 HOOK-02 HOOK-03 the SDK verifies and reads every webhook', async t => {
  const room = fresh()
  const client = open(t)
  await client.subscribe(room)
  await hook('channel_occupied', room)
  for (const { headers, body } of posts.items) {
    const webhook = publisher.webhook({ headers, rawBody: body })
    assert.equal(webhook.isValid(), true)
    assert.equal(headers['content-type'], 'application/json')
    assert.equal(headers['x-pusher-key'], full.key)
    assert.ok(Math.abs(webhook.getTime().getTime() - Date.now()) < 60_000)
    assert.ok(webhook.getEvents().length > 0)
  }
  const [post] = posts.items
  assert.ok(post)
  const forged = publisher.webhook({ headers: post.headers, rawBody: `${post.body} ` })
  assert.equal(forged.isValid(), false)
})

test('HOOK-11 HOOK-12 HOOK-18 occupied comes at once, vacated after the delay', async t => {
  const room = fresh()
  const client = open(t)
  await client.subscribe(room)
  assert.deepEqual(await hook('channel_occupied', room), {
    name: 'channel_occupied',
    channel: room,
  })
  const left = Date.now()
  client.pusher.unsubscribe(room)
  assert.deepEqual(await hook('channel_vacated', room), { name: 'channel_vacated', channel: room })
  assert.ok(Date.now() - left > 2_000, 'vacated came before its delay')
})

test('HOOK-13 HOOK-14 member_added and member_removed name the user', async t => {
  const room = fresh('presence-')
  const client = open(t, { user: '42' })
  await client.subscribe(room)
  assert.deepEqual(await hook('member_added', room), {
    name: 'member_added',
    channel: room,
    user_id: '42',
  })
  client.pusher.disconnect()
  assert.deepEqual(await hook('member_removed', room), {
    name: 'member_removed',
    channel: room,
    user_id: '42',
  })
})

test('HOOK-18 a return inside the delay cancels the leave and the second arrival', async t => {
  const room = fresh('presence-')
  const marker = fresh()
  const first = open(t, { user: 'ada' })
  await first.subscribe(room)
  await hook('member_added', room)
  first.pusher.unsubscribe(room)
  const second = open(t, { user: 'ada' })
  await second.subscribe(room)
  // What vacates later proves that the first delay is over.
  const other = open(t)
  await other.subscribe(marker)
  other.pusher.unsubscribe(marker)
  await hook('channel_vacated', marker)
  assert.deepEqual(
    events.items
      .filter(one => one.channel === room)
      .map(one => one.name)
      .sort(),
    ['channel_occupied', 'member_added'],
  )
})

test('HOOK-15 HOOK-20 cache_miss is told once for a cache that stays empty', async t => {
  const room = fresh('cache-')
  const [one, two] = [open(t), open(t)]
  await one.subscribe(room)
  assert.deepEqual(await hook('cache_miss', room), { name: 'cache_miss', channel: room })
  await two.subscribe(room)
  await two.event(room, 'pusher:cache_miss')
  const marker = fresh('cache-')
  await two.subscribe(marker)
  await hook('cache_miss', marker)
  assert.equal(events.items.filter(it => it.name === 'cache_miss' && it.channel === room).length, 1)
})

test('HOOK-16 subscription_count is a number', async t => {
  const room = fresh()
  await open(t).subscribe(room)
  await open(t).subscribe(room)
  const count = await events.find(
    one =>
      one.name === 'subscription_count' && one.channel === room && one.subscription_count === 2,
    'a count of 2',
  )
  assert.deepEqual(count, { name: 'subscription_count', channel: room, subscription_count: 2 })
})

test('HOOK-17 HOOK-19 client_event carries data as a string and the presence user', async t => {
  const [room, people] = [fresh('private-'), fresh('presence-')]
  const client = open(t, { user: '7' })
  const { channel } = await client.subscribe(room)
  const crowd = await client.subscribe(people)
  channel.trigger('client-typing', { who: 'Zoë' })
  assert.deepEqual(await hook('client_event', room), {
    name: 'client_event',
    channel: room,
    event: 'client-typing',
    data: '{"who":"Zoë"}',
    socket_id: client.socketId,
  })
  crowd.channel.trigger('client-text', 'as it is')
  assert.deepEqual(await hook('client_event', people), {
    name: 'client_event',
    channel: people,
    event: 'client-text',
    data: 'as it is',
    socket_id: client.socketId,
    user_id: '7',
  })
})

test('HOOK-05 a failed webhook comes again with the same bytes and signature', async t => {
  const room = fresh('cache-flaky-')
  await open(t).subscribe(room)
  const again = await posts.find(
    post => post.path === '/flaky' && post.status === 200 && post.body.includes(room),
    'a second attempt',
  )
  const first = posts.items.find(post => post.path === '/flaky' && post.body.includes(room))
  assert.equal(first?.status, 500)
  assert.equal(first?.body, again.body)
  assert.equal(first?.headers['x-pusher-signature'], again.headers['x-pusher-signature'])
})

test('HOOK-07 filters and headers of an endpoint', async t => {
  const [other, room] = [fresh(), `${fresh()}-wanted`]
  const client = open(t)
  await client.subscribe(other)
  await client.subscribe(room)
  const post = await posts.find(one => one.path === '/some', 'the filtered webhook')
  assert.equal(post.headers['x-team'], 'blue')
  await hook('channel_occupied', other)
  const got = posts.items
    .filter(one => one.path === '/some')
    .flatMap(one => JSON.parse(one.body).events)
  assert.deepEqual(got, [{ name: 'channel_occupied', channel: room }])
  assert.equal(publisher.webhook({ headers: post.headers, rawBody: post.body }).isValid(), true)
})

test('HOOK-21 channels of users produce no webhooks', async t => {
  const client = open(t, { user: 'quiet' })
  client.pusher.signin()
  await client.event('#server-to-user-quiet', 'pusher_internal:subscription_succeeded')
  const marker = fresh()
  await client.subscribe(marker)
  await hook('channel_occupied', marker)
  assert.ok(!events.items.some(one => one.channel.startsWith('#')))
})
