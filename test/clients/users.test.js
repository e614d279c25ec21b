import assert from 'node:assert/strict'
import { test } from 'node:test'
import { full, plain } from './helpers/apps.js'
import { startBackend } from './helpers/backend.js'
import { asUser, Client, fresh } from './helpers/client.js'
import { Hall } from './helpers/hall.js'
import { sdk } from './helpers/sdk.js'
import { Tape } from './helpers/tape.js'

const hall = Hall.forTests()

/** Opens a client and signs it in. */
async function signedIn(
  /** @type {import('node:test').TestContext} */ t,
  /** @type {Record<string, string>} */ query,
) {
  const client = hall.open(t, query)
  client.pusher.signin()
  await client.frames.find(frame => frame.event === 'pusher:signin_success', 'signin_success')
  await client.event(`#server-to-user-${query.user}`, 'pusher_internal:subscription_succeeded')
  return client
}

test('USER-01 USER-03 USER-10 AUTH-05 sign-in succeeds and joins the user’s own channel', async t => {
  const client = await signedIn(t, { user: 'u-ada', name: 'Ada' })
  const success = client.frames.items.find(frame => frame.event === 'pusher:signin_success')
  assert.deepEqual(JSON.parse(success?.data.user_data), { id: 'u-ada', user_info: { name: 'Ada' } })
  assert.equal(client.pusher.user.user_data.id, 'u-ada')
})

test('USER-11 USER-12 an event to a user reaches each of its connections and nobody else', async t => {
  const [one, two, other] = [
    await signedIn(t, { user: 'u-bob' }),
    await signedIn(t, { user: 'u-bob' }),
    await signedIn(t, { user: 'u-cleo' }),
  ]
  const heard = new Tape()
  one.pusher.user.bind('nudge', (/** @type {any} */ data) => heard.push(data))
  await hall.publisher.sendToUser('u-bob', 'nudge', { n: 1 })
  assert.deepEqual(await heard.find(() => true, 'the nudge'), { n: 1 })
  await two.event('#server-to-user-u-bob', 'nudge')
  await hall.publisher.sendToUser('u-cleo', 'last', {})
  await other.event('#server-to-user-u-cleo', 'last')
  assert.equal(other.frames.items.filter(frame => frame.event === 'nudge').length, 0)
})

test('USER-04 a sign-in with a wrong signature is an error and the connection stays', async t => {
  const client = hall.open(t, { user: 'u-eve', wrong: '1' })
  client.pusher.signin()
  const error = await client.errors.find(() => true, 'an error')
  assert.equal(error.data.code, 4009)
  const room = fresh()
  await client.subscribe(room)
  assert.equal(client.pusher.connection.state, 'connected')
})

test('USER-20 USER-21 USER-22 a watchlist tells who is online and who comes and goes', async t => {
  const early = await signedIn(t, { user: 'w-early' })
  const online = new Tape()
  const offline = new Tape()
  const watcher = Client.open(
    t,
    hall.server,
    full,
    asUser(hall.backend.url, { user: 'w-watcher', watch: 'w-early,w-late' }),
  )
  watcher.pusher.user.watchlist.bind('online', (/** @type {any} */ event) =>
    online.push(event.user_ids),
  )
  watcher.pusher.user.watchlist.bind('offline', (/** @type {any} */ event) =>
    offline.push(event.user_ids),
  )
  watcher.pusher.signin()
  await online.find(ids => ids.includes('w-early'), 'w-early online')
  await offline.find(ids => ids.includes('w-late'), 'w-late offline')
  const late = await signedIn(t, { user: 'w-late' })
  await online.find(ids => ids.includes('w-late'), 'w-late online')
  late.pusher.disconnect()
  await offline.find(ids => ids.includes('w-late'), 'w-late offline again', { from: 1 })
  early.pusher.disconnect()
  await offline.find(ids => ids.includes('w-early'), 'w-early offline')
})

test('USER-30 terminate closes the user’s connections for good and no others', async t => {
  const [one, two, other] = [
    await signedIn(t, { user: 'u-gone' }),
    await signedIn(t, { user: 'u-gone' }),
    await signedIn(t, { user: 'u-stays' }),
  ]
  const response = await hall.publisher.terminateUserConnections('u-gone')
  assert.equal(response.status, 200)
  for (const client of [one, two]) {
    await client.state('disconnected')
    assert.equal(
      client.errors.items.at(-1)?.data?.code ?? client.errors.items.at(-1)?.error?.data?.code,
      4009,
    )
  }
  await hall.publisher.sendToUser('u-stays', 'still', {})
  await other.event('#server-to-user-u-stays', 'still')
  assert.equal(other.pusher.connection.state, 'connected')
})

test('USER-30 presence-only identities and unknown users are left alone', async t => {
  const room = fresh('presence-')
  const client = hall.open(t, { user: 'p-only' })
  await client.subscribe(room)
  for (const user of ['p-only', 'nobody']) {
    assert.equal((await hall.publisher.terminateUserConnections(user)).status, 200)
  }
  await hall.publisher.trigger(room, 'after', {})
  await client.event(room, 'after')
})

test('USER-31 WS-32 a terminated user may connect and sign in again', async t => {
  const client = await signedIn(t, { user: 'u-back' })
  await hall.publisher.terminateUserConnections('u-back')
  await client.state('disconnected')
  const from = client.frames.items.length
  client.pusher.connect()
  await client.frames.find(frame => frame.event === 'pusher:signin_success', 'a second sign-in', {
    from,
  })
})

test('USER-06 sign-in is done again after a reconnect', async t => {
  const client = await signedIn(t, { user: 'u-again' })
  const from = client.frames.items.length
  client.pusher.disconnect()
  client.pusher.connect()
  await client.frames.find(frame => frame.event === 'pusher:signin_success', 'a second sign-in', {
    from,
  })
})

test('USER-20 an app without watchlists sends no watchlist events', async t => {
  const other = await startBackend(sdk(hall.server, plain))
  t.after(() => other.close())
  const client = Client.open(
    t,
    hall.server,
    plain,
    asUser(other.url, { user: 'w-none', watch: 'x' }),
  )
  client.pusher.signin()
  await client.event('#server-to-user-w-none', 'pusher_internal:subscription_succeeded')
  await client.subscribe(fresh())
  assert.equal(
    client.frames.items.filter(frame => frame.event === 'pusher_internal:watchlist_events').length,
    0,
  )
})
