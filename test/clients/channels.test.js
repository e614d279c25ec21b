import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { full, plain } from './helpers/apps.js'
import { Client, fresh } from './helpers/client.js'
import { Hall } from './helpers/hall.js'
import { sdk } from './helpers/sdk.js'

const hall = Hall.forTests()

describe('public channels', () => {
  test('WS-05 WS-06 WS-07 the connection is established with a valid socket id', async t => {
    const client = hall.open(t)
    await client.state('connected')
    assert.match(client.socketId, /^(0|[1-9]\d{0,9})\.(0|[1-9]\d{0,9})$/)
    // pusher-js keeps the frame to itself, but for what it took from it.
    const { activityTimeout } = /** @type {any} */ (client.pusher.connection)
    assert.equal(activityTimeout, 30_000)
  })

  test('CH-10 CH-11 a subscriber gets success and then what is published', async t => {
    const client = hall.open(t)
    const room = fresh()
    const { channel, heard } = await client.subscribe(room)
    assert.equal(channel.subscribed, true)
    const data = { text: 'Zoë 東京 🚀', nested: { list: [1, 2.5, null, true] } }
    await hall.publisher.trigger(room, 'greeting', data)
    const got = await heard.find(one => one.name === 'greeting', 'the event')
    assert.deepEqual(got.data, data)
    assert.equal(
      client.frames.items.find(frame => frame.channel === room)?.event,
      'pusher_internal:subscription_succeeded',
    )
  })

  test('WS-14 TRAP-08 strings that look like JSON pass through as they were sent', async t => {
    const client = hall.open(t)
    const room = fresh()
    await client.subscribe(room)
    for (const [event, data] of /** @type {const} */ ([
      ['plain', 'just text, "quoted" \\ and\nbroken'],
      ['empty', ''],
      ['spaced', '{ "b" : 2,  "a":1 }'],
    ])) {
      await hall.publisher.trigger(room, event, data)
      await client.event(room, event)
    }
    const by = (/** @type {string} */ event) =>
      client.frames.items.find(frame => frame.channel === room && frame.event === event)?.data
    assert.equal(by('plain'), 'just text, "quoted" \\ and\nbroken')
    assert.equal(by('empty'), '')
    assert.deepEqual(by('spaced'), { b: 2, a: 1 })
  })

  test('GEN-01 the same channel name in another app is another channel', async t => {
    const here = hall.open(t)
    const there = Client.open(t, hall.server, plain)
    const room = fresh()
    await Promise.all([here.subscribe(room), there.subscribe(room)])
    await hall.publisher.trigger(room, 'only-here', {})
    await here.event(room, 'only-here')
    await sdk(hall.server, plain).trigger(room, 'only-there', {})
    await there.event(room, 'only-there')
    assert.equal(there.count(room, 'only-here'), 0)
    assert.equal(here.count(room, 'only-there'), 0)
  })

  test('GEN-04 events published in sequence arrive in sequence', async t => {
    const client = hall.open(t)
    const room = fresh()
    await client.subscribe(room)
    for (let n = 0; n < 50; n++) await hall.publisher.trigger(room, 'step', n)
    await client.event(room, 'step', n => n === 49)
    const steps = client.frames.items.filter(one => one.event === 'step').map(one => one.data)
    assert.deepEqual(
      steps,
      Array.from({ length: 50 }, (_, n) => n),
    )
  })

  test('CH-20 TRAP-22 after unsubscribe nothing more is delivered', async t => {
    const client = hall.open(t)
    const [left, kept] = [fresh(), fresh()]
    await client.subscribe(left)
    await client.subscribe(kept)
    client.pusher.unsubscribe(left)
    // The success of a later subscribe proves that the unsubscribe was handled.
    await client.subscribe(fresh())
    await hall.publisher.trigger([left, kept], 'news', {})
    await client.event(kept, 'news')
    await hall.publisher.trigger(kept, 'last', {})
    await client.event(kept, 'last')
    assert.equal(client.count(left, 'news'), 0)
  })

  test('GEN-05 TRAP-11 subscribe, unsubscribe, subscribe at once ends subscribed', async t => {
    const client = hall.open(t)
    await client.state('connected')
    const room = fresh()
    await client.subscribe(room)
    client.pusher.unsubscribe(room)
    client.pusher.subscribe(room)
    client.pusher.unsubscribe(room)
    client.pusher.subscribe(room)
    await client.subscribe(fresh())
    await hall.publisher.trigger(room, 'still-here', {})
    await client.event(room, 'still-here')
    assert.equal(client.count(room, 'still-here'), 1)
  })

  test('CH-03 CH-14 an illegal name is refused as InvalidChannel and the connection stays', async t => {
    const client = hall.open(t)
    const { heard } = client.listen('no:colons/or spaces')
    const refusal = await heard.find(one => one.name === 'pusher:subscription_error', 'a refusal')
    assert.equal(refusal.data.type, 'InvalidChannel')
    assert.equal(refusal.data.status, 400)
    assert.equal(client.pusher.connection.state, 'connected')
  })

  test('CH-01 CH-02 prefixes are anchored and case-sensitive', async t => {
    const client = hall.open(t)
    const rest = fresh()
    for (const name of [
      `my-cache-${rest}`,
      `Cache-${rest}`,
      `privately-${rest}`,
      `Private-${rest}`,
    ]) {
      await client.subscribe(name)
      assert.equal(client.count(name, 'pusher:cache_miss'), 0)
    }
  })

  test('CH-50 CH-52 every subscriber is told the count, the newcomer after its success', async t => {
    const [first, second] = [hall.open(t), hall.open(t)]
    const room = fresh()
    const one = await first.subscribe(room)
    await one.heard.find(
      it => it.name === 'pusher:subscription_count' && it.data.subscription_count === 1,
      'a count of 1',
    )
    const two = await second.subscribe(room)
    await two.heard.find(
      it => it.name === 'pusher:subscription_count' && it.data.subscription_count === 2,
      'a count of 2',
    )
    await one.heard.find(
      it => it.name === 'pusher:subscription_count' && it.data.subscription_count === 2,
      'a count of 2',
    )
    assert.equal(one.channel.subscriptionCount, 2)
    const order = second.frames.items
      .filter(frame => frame.channel === room)
      .map(frame => frame.event)
    assert.deepEqual(order.slice(0, 2), [
      'pusher_internal:subscription_succeeded',
      'pusher_internal:subscription_count',
    ])
    const from = one.heard.items.length
    second.pusher.unsubscribe(room)
    await one.heard.find(
      it => it.name === 'pusher:subscription_count' && it.data.subscription_count === 1,
      'a count of 1 again',
      { from },
    )
  })

  test('CH-50 an app that has not opted in sends no counts', async t => {
    const client = Client.open(t, hall.server, plain)
    const room = fresh()
    await client.subscribe(room)
    await sdk(hall.server, plain).trigger(room, 'after', {})
    await client.event(room, 'after')
    assert.equal(client.count(room, 'pusher_internal:subscription_count'), 0)
  })
})

describe('private channels', () => {
  test('AUTH-01 AUTH-10 AUTH-12 a signed subscription succeeds', async t => {
    const client = hall.open(t)
    const room = fresh('private-')
    const { heard } = await client.subscribe(room)
    await hall.publisher.trigger(room, 'secretly', { n: 1 })
    await heard.find(one => one.name === 'secretly', 'the event')
    const request = hall.backend.requests.find(one => one.form.channel_name === room)
    assert.equal(request?.form.socket_id, client.socketId)
    assert.equal(request?.headers['content-type'], 'application/x-www-form-urlencoded')
  })

  test('CH-13 AUTH-06 a signature that does not hold is refused on the channel and with an error', async t => {
    const client = hall.open(t, { wrong: '1' })
    const room = fresh('private-')
    const { channel, heard } = client.listen(room)
    const refusal = await heard.find(one => one.name === 'pusher:subscription_error', 'a refusal')
    assert.equal(refusal.data.type, 'AuthError')
    assert.equal(refusal.data.status, 401)
    assert.equal(typeof refusal.data.error, 'string')
    assert.ok(!refusal.data.error.includes(full.secret))
    const error = await client.errors.find(() => true, 'pusher:error')
    assert.equal(error.data.code, 4009)
    assert.equal(client.pusher.connection.state, 'connected')
    assert.equal(channel.subscribed, false)
    const order = client.frames.items.map(frame => frame.event)
    assert.ok(order.indexOf('pusher:subscription_error') < order.indexOf('pusher:error'))
    await hall.publisher.trigger(room, 'unseen', {})
    await client.subscribe(fresh())
    assert.equal(client.count(room, 'unseen'), 0)
  })

  test('AUTH-12 a refusal by the application itself never reaches the server', async t => {
    const client = hall.open(t, { status: '403' })
    const { heard } = client.listen(fresh('private-'))
    const refusal = await heard.find(one => one.name === 'pusher:subscription_error', 'a refusal')
    assert.equal(refusal.data.type, 'AuthError')
    assert.equal(refusal.data.status, 403)
    assert.equal(client.errors.items.length, 0)
  })

  test('AUTH-07 AUTH-08 encrypted channels decrypt what the SDK encrypted', async t => {
    const client = hall.open(t)
    const room = fresh('private-encrypted-')
    const { heard } = await client.subscribe(room)
    await hall.publisher.trigger(room, 'sealed', { n: 42, text: 'geheim' })
    const got = await heard.find(one => one.name === 'sealed', 'the decrypted event')
    assert.deepEqual(got.data, { n: 42, text: 'geheim' })
    const frame = await client.event(room, 'sealed')
    assert.deepEqual(Object.keys(frame.data).sort(), ['ciphertext', 'nonce'])
  })
})

describe('cache channels', () => {
  for (const prefix of ['cache-', 'private-cache-', 'presence-cache-']) {
    test(`CH-40 CH-41 ${prefix} an empty cache is a miss, a filled one is replayed`, async t => {
      const room = fresh(prefix)
      const early = hall.open(t, { user: 'early' })
      await early.subscribe(room)
      await early.event(room, 'pusher:cache_miss')
      await hall.publisher.trigger(room, 'price', { n: 1 })
      await hall.publisher.trigger(room, 'price', { n: 2 })
      await early.event(room, 'price', data => data.n === 2)

      const late = hall.open(t, { user: 'late' })
      await late.subscribe(room)
      const cached = await late.event(room, 'price')
      assert.deepEqual(cached.data, { n: 2 })
      assert.equal(late.count(room, 'pusher:cache_miss'), 0)
      assert.equal(late.count(room, 'price'), 1)
      const order = late.frames.items
        .filter(frame => frame.channel === room)
        .map(frame => frame.event)
      assert.ok(order.indexOf('pusher_internal:subscription_succeeded') < order.indexOf('price'))
    })
  }

  test('CH-44 an encrypted cache replays the ciphertext, which decrypts', async t => {
    const room = fresh('private-encrypted-cache-')
    await hall.publisher.trigger(room, 'price', { n: 7 })
    const client = hall.open(t)
    const { heard } = await client.subscribe(room)
    const got = await heard.find(one => one.name === 'price', 'the cached event')
    assert.deepEqual(got.data, { n: 7 })
  })

  test('CH-04 CH-40 the cache outlives the last subscriber', async t => {
    const room = fresh('cache-')
    const first = hall.open(t)
    await first.subscribe(room)
    await hall.publisher.trigger(room, 'kept', 'yes')
    await first.event(room, 'kept')
    first.pusher.disconnect()
    const second = hall.open(t)
    await second.subscribe(room)
    await second.event(room, 'kept')
  })

  test('CH-43 an event that excludes a socket is cached all the same', async t => {
    const room = fresh('cache-')
    const sender = hall.open(t)
    await sender.subscribe(room)
    await hall.publisher.trigger(room, 'mine', {}, { socket_id: sender.socketId })
    const other = hall.open(t)
    await other.subscribe(room)
    await other.event(room, 'mine')
    assert.equal(sender.count(room, 'mine'), 0)
  })

  test('CH-40 client events never enter the cache', async t => {
    const room = fresh('private-cache-')
    const [one, two] = [hall.open(t), hall.open(t)]
    const { channel } = await one.subscribe(room)
    await two.subscribe(room)
    channel.trigger('client-hello', {})
    await two.event(room, 'client-hello')
    const late = hall.open(t)
    await late.subscribe(room)
    await late.event(room, 'pusher:cache_miss')
    assert.equal(late.count(room, 'client-hello'), 0)
  })
})
