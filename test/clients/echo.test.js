import assert from 'node:assert/strict'
import { test } from 'node:test'
import Echo from 'laravel-echo'
import Pusher from 'pusher-js'
import { full } from './helpers/apps.js'
import { fresh } from './helpers/client.js'
import { Hall } from './helpers/hall.js'
import { Tape } from './helpers/tape.js'

const hall = Hall.forTests()

/**
 * Opens an Echo as a Laravel front end configures it.
 *
 * @param {import('node:test').TestContext} t
 * @param {Record<string, string>} [query]
 * @param {'pusher' | 'reverb'} [broadcaster]
 */
function open(t, query = {}, broadcaster = 'pusher') {
  const search = new URLSearchParams(query)
  const echo = new Echo(
    /** @type {any} */ ({
      Pusher,
      broadcaster,
      key: full.key,
      ...(broadcaster === 'pusher' ? { cluster: 'mt1' } : {}),
      wsHost: hall.server.host,
      wsPort: hall.server.port,
      wssPort: hall.server.port,
      forceTLS: false,
      enabledTransports: ['ws', 'wss'],
      authEndpoint: `${hall.backend.url}/broadcasting/auth?${search}`,
      bearerToken: 'token-of-the-user',
    }),
  )
  t.after(() => echo.disconnect())
  return echo
}

/**
 * Waits for the success of an Echo channel.
 *
 * @param {{subscribed(callback: () => void): unknown, error(callback: (error: unknown) => void): unknown}} channel
 */
function subscribed(channel) {
  return new Promise((resolve, reject) => {
    channel.subscribed(() => resolve(undefined))
    channel.error(reject)
  })
}

for (const broadcaster of /** @type {const} */ (['pusher', 'reverb'])) {
  test(`ECHO-01 ECHO-02 broadcaster ${broadcaster}: listen gets namespaced events and dotted names`, async t => {
    const echo = open(t, {}, broadcaster)
    const room = fresh()
    const heard = new Tape()
    const channel = echo.channel(room)
    channel
      .listen('OrderShipped', (/** @type {any} */ data) => heard.push(['class', data]))
      .listen('.order.shipped', (/** @type {any} */ data) => heard.push(['name', data]))
      .listen('Orders.Paid', (/** @type {any} */ data) => heard.push(['nested', data]))
    await subscribed(channel)
    await hall.publisher.trigger(room, 'App\\Events\\OrderShipped', { id: 1 })
    await hall.publisher.trigger(room, 'order.shipped', { id: 2 })
    await hall.publisher.trigger(room, 'App\\Events\\Orders\\Paid', { id: 3 })
    await heard.find(([kind]) => kind === 'nested', 'the last event')
    assert.deepEqual(heard.items, [
      ['class', { id: 1 }],
      ['name', { id: 2 }],
      ['nested', { id: 3 }],
    ])
  })
}

test('ECHO-02 listenToAll hears the events and none of the protocol', async t => {
  const echo = open(t)
  const room = fresh()
  const heard = new Tape()
  const channel = echo.channel(room)
  // @ts-expect-error only the Pusher channel has it
  channel.listenToAll((name, data) => heard.push([name, data]))
  await subscribed(channel)
  await hall.publisher.trigger(room, 'App\\Events\\Any', { id: 1 })
  await heard.find(() => true, 'the event')
  assert.deepEqual(heard.items, [['Any', { id: 1 }]])
})

test('ECHO-03 ECHO-08 private, encrypted and presence channels get their prefixes', async t => {
  const echo = open(t, { user: 'ada' })
  const room = fresh()
  const heard = new Tape()
  for (const [prefix, join] of /** @type {[string, () => any][]} */ ([
    ['private-', () => echo.private(room)],
    ['private-encrypted-', () => echo.encryptedPrivate(room)],
    ['presence-', () => echo.join(room)],
  ])) {
    const channel = join()
    channel.listen('.news', (/** @type {any} */ data) => heard.push([prefix, data.n]))
    await subscribed(channel)
    await hall.publisher.trigger(prefix + room, 'news', { n: prefix.length })
    await heard.find(([from]) => from === prefix, `the event on ${prefix}`)
  }
  const asked = hall.backend.requests.filter(one => one.form.channel_name?.endsWith(room))
  assert.deepEqual(
    asked.map(one => [one.path, one.form.channel_name, one.headers.authorization]),
    ['private-', 'private-encrypted-', 'presence-'].map(prefix => [
      '/broadcasting/auth',
      prefix + room,
      'Bearer token-of-the-user',
    ]),
  )
  const occupied = async () => {
    const response = await hall.publisher.get({ path: '/channels' })
    const { channels } = /** @type {any} */ (await response.json())
    return Object.keys(channels).filter(name => name.endsWith(room)).length
  }
  assert.equal(await occupied(), 3)
  echo.leave(room)
  // A later success on this connection proves that leaving was handled.
  await subscribed(echo.channel(fresh()))
  assert.equal(await occupied(), 0)
})

test('ECHO-04 CE-04 a whisper reaches the others', async t => {
  const [one, two] = [open(t), open(t)]
  const room = fresh()
  const heard = new Tape()
  const from = one.private(room)
  const to = two.private(room)
  to.listenForWhisper('typing', (/** @type {any} */ data) => heard.push(['two', data]))
  from.listenForWhisper('typing', (/** @type {any} */ data) => heard.push(['one', data]))
  await Promise.all([subscribed(from), subscribed(to)])
  from.whisper('typing', { name: 'Ada' })
  await heard.find(([who]) => who === 'two', 'the whisper')
  to.whisper('typing', { name: 'Bob' })
  await heard.find(([who]) => who === 'one', 'the answer')
  assert.deepEqual(heard.items, [
    ['two', { name: 'Ada' }],
    ['one', { name: 'Bob' }],
  ])
})

test('ECHO-05 here, joining and leaving carry user_info untouched', async t => {
  const info = (/** @type {string} */ name) => ({ name, team: { id: 7, tags: ['a', 'b'] } })
  const room = fresh()
  const heard = new Tape()
  const channel = open(t, { user: '1', name: 'Ada' }).join(room)
  channel
    .here((/** @type {any} */ users) => heard.push(['here', users]))
    .joining((/** @type {any} */ user) => heard.push(['joining', user]))
    .leaving((/** @type {any} */ user) => heard.push(['leaving', user]))
  await heard.find(([what]) => what === 'here', 'here')
  const other = open(t, { user: '2', name: 'Bob' })
  await subscribed(other.join(room))
  await heard.find(([what]) => what === 'joining', 'joining')
  other.leave(room)
  await heard.find(([what]) => what === 'leaving', 'leaving')
  assert.deepEqual(heard.items, [
    ['here', [info('Ada')]],
    ['joining', info('Bob')],
    ['leaving', info('Bob')],
  ])
})

test('ECHO-05 CH-13 error is called when the server refuses a subscription', async t => {
  const echo = open(t, { wrong: '1' })
  const failure = new Promise(resolve => echo.private(fresh()).error(resolve))
  const error = /** @type {any} */ (await failure)
  assert.equal(error.type, 'AuthError')
  assert.equal(error.status, 401)
})

test('ECHO-06 notifications arrive on the user’s model channel', async t => {
  const echo = open(t)
  const heard = new Tape()
  const channel = echo.private('App.Models.User.7')
  channel.notification((/** @type {any} */ data) => heard.push(data))
  await subscribed(channel)
  await hall.publisher.trigger(
    'private-App.Models.User.7',
    'Illuminate\\Notifications\\Events\\BroadcastNotificationCreated',
    { id: 'n-1', type: 'App\\Notifications\\InvoicePaid', amount: 12 },
  )
  const got = await heard.find(() => true, 'the notification')
  assert.deepEqual(got, { id: 'n-1', type: 'App\\Notifications\\InvoicePaid', amount: 12 })
})

test('ECHO-07 HTTP-25 toOthers leaves out the sender by its socket id', async t => {
  const [sender, other] = [open(t), open(t)]
  const room = fresh()
  const heard = new Tape()
  const [from, to] = [sender.channel(room), other.channel(room)]
  from.listen('.changed', (/** @type {any} */ data) => heard.push(['sender', data.n]))
  to.listen('.changed', (/** @type {any} */ data) => heard.push(['other', data.n]))
  await Promise.all([subscribed(from), subscribed(to)])
  await hall.publisher.trigger(room, 'changed', { n: 1 }, { socket_id: sender.socketId() })
  await heard.find(([who, n]) => who === 'other' && n === 1, 'the first event')
  await hall.publisher.trigger(room, 'changed', { n: 2 })
  await heard.find(([who, n]) => who === 'sender' && n === 2, 'the second event')
  await heard.find(([who, n]) => who === 'other' && n === 2, 'the second event')
  assert.ok(!heard.items.some(([who, n]) => who === 'sender' && n === 1))
})
