import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { full, plain, tiny } from './helpers/apps.js'
import { startBackend } from './helpers/backend.js'
import { asUser, Client, fresh } from './helpers/client.js'
import { sdk } from './helpers/sdk.js'
import { Server } from './helpers/server.js'

/** @type {Server} */
let server
/** @type {Awaited<ReturnType<typeof startBackend>>[]} */
const backends = []

before(async () => {
  server = await Server.start()
})
after(async () => {
  for (const backend of backends) await backend.close()
  await server?.stop()
})

/** Opens a client of an app, authorized as a user. */
async function open(
  /** @type {import('node:test').TestContext} */ t,
  /** @type {import('./helpers/apps.js').App} */ app,
  user = 'ada',
) {
  const backend = await startBackend(sdk(server, app))
  backends.push(backend)
  return Client.open(t, server, app, asUser(backend.url, { user }))
}

for (const prefix of ['private-', 'private-cache-', 'presence-', 'presence-cache-']) {
  test(`CE-01 CE-02 CE-04 ${prefix} a client event reaches all the others and not its sender`, async t => {
    const room = fresh(prefix)
    const [one, two, three] = [await open(t, full), await open(t, full), await open(t, full, 'bob')]
    const { channel } = await one.subscribe(room)
    await two.subscribe(room)
    const third = await three.subscribe(room)
    channel.trigger('client-typing', { who: 'Zoë', n: 1 })
    for (const client of [two, three]) {
      const frame = await client.event(room, 'client-typing')
      assert.deepEqual(frame.data, { who: 'Zoë', n: 1 })
      assert.equal(frame.user_id, prefix.startsWith('presence') ? 'ada' : undefined)
    }
    third.channel.trigger('client-reply', 'text as it is')
    assert.equal((await one.event(room, 'client-reply')).data, 'text as it is')
    assert.equal(one.count(room, 'client-typing'), 0)
  })
}

test('CE-05 TRAP-14 a listener on a presence channel learns who sent it', async t => {
  const room = fresh('presence-')
  const [zero, ada] = [await open(t, full, '0'), await open(t, full, 'ada')]
  const sender = await zero.subscribe(room)
  const { channel } = await ada.subscribe(room)
  const meta = new Promise(resolve =>
    channel.bind('client-wave', (/** @type {any} */ _, /** @type {any} */ given) => resolve(given)),
  )
  sender.channel.trigger('client-wave', {})
  assert.deepEqual(await meta, { user_id: '0' })
})

test('CE-09 CE-10 an app without client events refuses them, the connection stays', async t => {
  const client = await open(t, plain)
  const { channel } = await client.subscribe(fresh('private-'))
  channel.trigger('client-no', {})
  const error = await client.errors.find(() => true, 'an error')
  assert.equal(error.data.code, null)
  assert.equal(client.pusher.connection.state, 'connected')
})

test('CE-02 CE-09 client events on public channels are refused', async t => {
  const client = await open(t, full)
  const { channel } = await client.subscribe(fresh())
  channel.trigger('client-no', {})
  const error = await client.errors.find(() => true, 'an error')
  assert.equal(error.data.code, null)
})

test('CE-02 CE-09 client events on a channel that one is not subscribed to are refused', async t => {
  const [inside, outside] = [await open(t, full), await open(t, full)]
  const room = fresh('private-')
  await inside.subscribe(room)
  await outside.state('connected')
  outside.pusher.send_event('client-no', {}, room)
  const error = await outside.errors.find(() => true, 'an error')
  assert.equal(error.data.code, null)
  await outside.subscribe(fresh())
  assert.equal(inside.count(room, 'client-no'), 0)
})

test('CE-07 client event data beyond 10 KB is refused with 4301', async t => {
  const client = await open(t, full)
  const room = fresh('private-')
  const { channel } = await client.subscribe(room)
  channel.trigger('client-big', 'x'.repeat(10_241))
  const error = await client.errors.find(() => true, 'an error')
  assert.equal(error.data.code, 4301)
  assert.equal(client.pusher.connection.state, 'connected')
})

test('CE-08 WS-31 client events above the rate are dropped with 4301, the connection stays', async t => {
  const client = await open(t, tiny)
  const { channel } = await client.subscribe(fresh('private-'))
  for (let n = 0; n < 10; n++) channel.trigger('client-flood', n)
  const error = await client.errors.find(() => true, 'an error')
  assert.equal(error.data.code, 4301)
  await client.subscribe(fresh())
  assert.equal(client.pusher.connection.state, 'connected')
})

test('WS-41 WS-42 WS-44 other events from a client are errors and are never relayed', async t => {
  const [one, two] = [await open(t, full), await open(t, full)]
  const room = fresh('private-')
  await one.subscribe(room)
  await two.subscribe(room)
  for (const event of [
    'not-a-client-event',
    'pusher_internal:member_added',
    'pusher:connection_established',
  ]) {
    const from = one.errors.items.length
    one.pusher.send_event(event, {}, room)
    const error = await one.errors.find(() => true, `an error for ${event}`, { from })
    assert.equal(error.data.code, null)
    assert.ok(error.data.message.includes(event), error.data.message)
  }
  assert.equal(two.frames.items.filter(one => one.event === 'not-a-client-event').length, 0)
})
