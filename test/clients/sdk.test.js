import assert from 'node:assert/strict'
import { test } from 'node:test'
import { disabled, full, plain, tiny } from './helpers/apps.js'
import { fresh } from './helpers/client.js'
import { Hall } from './helpers/hall.js'
import { sdk } from './helpers/sdk.js'

const hall = Hall.forTests()

/** Reads a successful answer. */
async function answer(/** @type {Promise<import('node-fetch').Response>} */ request) {
  const response = await request
  assert.equal(response.status, 200)
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/)
  return /** @type {any} */ (await response.json())
}

/** Expects a refusal with a status and a text that says why. */
async function refused(
  /** @type {Promise<unknown>} */ request,
  /** @type {number} */ status,
  /** @type {RegExp} */ why,
) {
  await assert.rejects(request, (/** @type {any} */ error) => {
    assert.equal(error.status, status, error.body)
    assert.match(error.body, why)
    assert.ok(!error.body.includes(full.secret))
    return true
  })
}

function open(/** @type {import('node:test').TestContext} */ t, user = 'ada') {
  return hall.open(t, { user, name: user })
}

test('HTTP-11 HTTP-20 HTTP-21 trigger on one and on many channels answers {} and delivers once each', async t => {
  const client = open(t)
  const rooms = [fresh(), fresh('private-'), fresh('presence-')]
  for (const room of rooms) await client.subscribe(room)
  assert.deepEqual(
    await answer(hall.publisher.trigger(/** @type {string} */ (rooms[0]), 'one', {})),
    {},
  )
  assert.deepEqual(await answer(hall.publisher.trigger([...rooms, ...rooms], 'many', { n: 1 })), {})
  await hall.publisher.trigger(rooms, 'last', {})
  for (const room of rooms) {
    await client.event(room, 'last')
    assert.equal(client.count(room, 'many'), 1)
  }
})

test('HTTP-26 trigger with info tells the state of each channel', async t => {
  const client = open(t)
  const [room, people, empty] = [fresh(), fresh('presence-'), fresh()]
  await client.subscribe(room)
  await client.subscribe(people)
  const body = await answer(
    hall.publisher.trigger(
      [room, people, empty],
      'e',
      {},
      { info: 'user_count,subscription_count' },
    ),
  )
  assert.deepEqual(body, {
    channels: {
      [room]: { subscription_count: 1 },
      [people]: { subscription_count: 1, user_count: 1 },
      [empty]: { subscription_count: 0 },
    },
  })
})

test('HTTP-30 HTTP-31 HTTP-33 a batch is delivered in order, infos stand at their index', async t => {
  const client = open(t)
  const [room, people] = [fresh(), fresh('presence-')]
  await client.subscribe(room)
  await client.subscribe(people)
  assert.deepEqual(
    await answer(
      hall.publisher.triggerBatch([
        { channel: room, name: 'b', data: 1 },
        { channel: people, name: 'b', data: 2 },
      ]),
    ),
    {},
  )
  const body = await answer(
    hall.publisher.triggerBatch([
      { channel: room, name: 'b', data: { n: 3 } },
      { channel: people, name: 'b', data: { n: 4 }, info: 'user_count' },
      { channel: room, name: 'b', data: { n: 5 } },
    ]),
  )
  assert.deepEqual(body, { batch: [{}, { user_count: 1 }, {}] })
  await client.event(room, 'b', data => data.n === 5)
  const got = client.frames.items.filter(one => one.channel === room && one.event === 'b')
  assert.deepEqual(
    got.map(one => one.data),
    [1, { n: 3 }, { n: 5 }],
  )
})

test('HTTP-31 HTTP-32 a batch with too many or too large events publishes nothing', async t => {
  const client = open(t)
  const room = fresh()
  await client.subscribe(room)
  const many = Array.from({ length: 11 }, () => ({ channel: room, name: 'never', data: 1 }))
  await refused(hall.publisher.triggerBatch(many), 400, /Batch too large/)
  const large = [
    { channel: room, name: 'never', data: 1 },
    { channel: room, name: 'never', data: 'x'.repeat(10_241) },
  ]
  await refused(hall.publisher.triggerBatch(large), 413, /content of this event/)
  await hall.publisher.trigger(room, 'last', {})
  await client.event(room, 'last')
  assert.equal(client.count(room, 'never'), 0)
})

test('HTTP-40 HTTP-41 channels lists the occupied ones by prefix, without those of users', async t => {
  const client = open(t)
  client.pusher.signin()
  const room = fresh('presence-list-')
  await client.subscribe(room)
  await client.subscribe(fresh())
  await client.event('#server-to-user-ada', 'pusher_internal:subscription_succeeded')
  assert.deepEqual(
    await answer(
      hall.publisher.get({
        path: '/channels',
        params: { filter_by_prefix: 'presence-list-', info: 'user_count' },
      }),
    ),
    { channels: { [room]: { user_count: 1 } } },
  )
  const { channels } = await answer(hall.publisher.get({ path: '/channels' }))
  assert.deepEqual(channels[room], {})
  assert.ok(!Object.keys(channels).some(name => name.startsWith('#')))
})

test('HTTP-42 user_count without a presence prefix is refused', async () => {
  await refused(
    hall.publisher.get({ path: '/channels', params: { info: 'user_count' } }),
    400,
    /user_count/,
  )
})

test('HTTP-45 HTTP-46 HTTP-47 one channel tells what was asked for', async t => {
  const [one, two] = [open(t), open(t)]
  const [room, people, cache] = [fresh(), fresh('presence-'), fresh('cache-')]
  for (const client of [one, two]) for (const it of [room, people]) await client.subscribe(it)
  const state = (/** @type {string} */ name, /** @type {string} */ info = '') =>
    answer(hall.publisher.get({ path: `/channels/${name}`, params: info ? { info } : {} }))
  assert.deepEqual(await state(room), { occupied: true })
  assert.deepEqual(await state(room, 'subscription_count'), {
    occupied: true,
    subscription_count: 2,
  })
  assert.deepEqual(await state(people, 'user_count,subscription_count'), {
    occupied: true,
    user_count: 1,
    subscription_count: 2,
  })
  assert.deepEqual(await state(fresh()), { occupied: false })
  assert.deepEqual(await state(cache, 'cache'), { occupied: false, cache: null })
  await hall.publisher.trigger(cache, 'kept', { n: 1 })
  const filled = await state(cache, 'cache')
  assert.equal(filled.cache.data, '{"n":1}')
  assert.ok(filled.cache.ttl > 1700 && filled.cache.ttl <= 1800, `ttl ${filled.cache.ttl}`)
})

test('HTTP-46 an attribute that does not apply and an illegal name are refused', async () => {
  await refused(
    hall.publisher.get({ path: `/channels/${fresh()}`, params: { info: 'user_count' } }),
    400,
    /user_count/,
  )
  await refused(hall.publisher.get({ path: '/channels/no:colons' }), 400, /no:colons/)
})

test('HTTP-50 HTTP-51 users of a presence channel, ids as strings', async t => {
  const room = fresh('presence-')
  await open(t, '7').subscribe(room)
  await open(t, 'bob').subscribe(room)
  const { users } = await answer(hall.publisher.get({ path: `/channels/${room}/users` }))
  assert.deepEqual(users.map((/** @type {{id: string}} */ user) => user.id).sort(), ['7', 'bob'])
  assert.deepEqual(
    await answer(hall.publisher.get({ path: `/channels/${fresh('presence-')}/users` })),
    {
      users: [],
    },
  )
  await refused(hall.publisher.get({ path: `/channels/${fresh()}/users` }), 400, /presence/)
})

test('CH-22 a connection that said goodbye is no longer counted', async t => {
  const room = fresh('presence-')
  const client = open(t)
  const watcher = open(t, 'watcher')
  await watcher.subscribe(room)
  await client.subscribe(room)
  client.pusher.disconnect()
  await watcher.event(room, 'pusher_internal:member_removed')
  const body = await answer(
    hall.publisher.get({ path: `/channels/${room}`, params: { info: 'user_count' } }),
  )
  assert.equal(body.user_count, 1)
})

test('HTTP-60 HTTP-61 terminate answers {}', async () => {
  assert.deepEqual(await answer(hall.publisher.terminateUserConnections('nobody')), {})
})

test('HTTP-24 events to a user go to its own channel', async t => {
  const client = open(t, 'u-1')
  client.pusher.signin()
  await client.event('#server-to-user-u-1', 'pusher_internal:subscription_succeeded')
  assert.deepEqual(await answer(hall.publisher.sendToUser('u-1', 'hi', { n: 1 })), {})
  await client.event('#server-to-user-u-1', 'hi')
})

test('HTTP-22 HTTP-80 LIMIT-03 data of 10 KB passes, one byte more is 413', async t => {
  const client = open(t)
  const room = fresh()
  await client.subscribe(room)
  await hall.publisher.trigger(room, 'big', 'x'.repeat(10_240))
  assert.equal((await client.event(room, 'big')).data.length, 10_240)
  await refused(
    hall.publisher.trigger(room, 'big', 'x'.repeat(10_241)),
    413,
    /10.?24[01]|content of this event/,
  )
  await refused(
    sdk(hall.server, tiny).trigger(room, 'big', 'x'.repeat(101)),
    413,
    /100|content of this event/,
  )
})

test('HTTP-23 HTTP-80 reserved event names are refused', async () => {
  for (const name of ['pusher:fake', 'pusher_internal:fake']) {
    await refused(hall.publisher.trigger(fresh(), name, {}), 400, /pusher/)
  }
})

test('HTTP-09 HTTP-80 a wrong secret, a foreign key and an unknown app are told apart', async () => {
  await refused(
    sdk(hall.server, { ...full, secret: 'wrong' }).trigger(fresh(), 'e', {}),
    401,
    /signature/i,
  )
  await refused(
    sdk(hall.server, { ...full, key: plain.key, secret: plain.secret }).trigger(fresh(), 'e', {}),
    401,
    /key/i,
  )
  await refused(sdk(hall.server, { ...full, id: '999' }).trigger(fresh(), 'e', {}), 404, /999/)
  await refused(sdk(hall.server, disabled).trigger(fresh(), 'e', {}), 403, /disabled/i)
})

test('HTTP-06 a timestamp more than 600 s off is refused', async t => {
  const now = Date.now()
  for (const shift of [-602, 602]) {
    const clock = t.mock.method(Date, 'now', () => now + shift * 1000)
    // The SDK signs before it returns its promise.
    const request = hall.publisher.get({ path: '/channels' })
    clock.mock.restore()
    await refused(request, 401, /timestamp/i)
  }
})
