import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tiny } from './helpers/apps.js'
import { startBackend } from './helpers/backend.js'
import { asUser, Client, fresh } from './helpers/client.js'
import { Hall } from './helpers/hall.js'
import { sdk } from './helpers/sdk.js'

const hall = Hall.forTests()

/** What the test backend signs in as the info of a member. */
const info = (/** @type {string} */ name) => ({ name, team: { id: 7, tags: ['a', 'b'] } })

test('CH-12 presence success lists ids, hash and count', async t => {
  const room = fresh('presence-')
  const ada = hall.open(t, { user: 'ada', name: 'Ada' })
  await ada.subscribe(room)
  const bob = hall.open(t, { user: '0' })
  const { channel } = await bob.subscribe(room)
  const success = await bob.event(room, 'pusher_internal:subscription_succeeded')
  assert.deepEqual([...success.data.presence.ids].sort(), ['0', 'ada'])
  assert.deepEqual(success.data.presence.hash, { 0: null, ada: info('Ada') })
  assert.equal(success.data.presence.count, 2)
  assert.equal(channel.members.count, 2)
})

test('CH-38 members.me is the member that the application signed', async t => {
  const room = fresh('presence-')
  const ada = hall.open(t, { user: 'ada', name: 'Ada' })
  const { channel } = await ada.subscribe(room)
  assert.equal(channel.members.me.id, 'ada')
  assert.deepEqual(channel.members.me.info, info('Ada'))
  assert.deepEqual(channel.members.get('ada').info, info('Ada'))
})

test('CH-33 CH-34 others are told of a first arrival and a last departure', async t => {
  const room = fresh('presence-')
  const ada = hall.open(t, { user: 'ada', name: 'Ada' })
  const { channel, heard } = await ada.subscribe(room)
  const bob = hall.open(t, { user: 'bob', name: 'Bob' })
  await bob.subscribe(room)
  const added = await ada.event(room, 'pusher_internal:member_added')
  assert.deepEqual(added.data, { user_id: 'bob', user_info: info('Bob') })
  assert.equal(channel.members.count, 2)
  bob.pusher.disconnect()
  const removed = await ada.event(room, 'pusher_internal:member_removed')
  assert.deepEqual(removed.data, { user_id: 'bob' })
  await heard.find(one => one.name === 'pusher:member_removed', 'member_removed')
  assert.equal(channel.members.count, 1)
  assert.equal(ada.count(room, 'pusher_internal:member_added'), 1)
})

test('CH-33 user_info is left out when the application gave none', async t => {
  const room = fresh('presence-')
  const ada = hall.open(t, { user: 'ada' })
  await ada.subscribe(room)
  await hall.open(t, { user: 'bob' }).subscribe(room)
  const added = await ada.event(room, 'pusher_internal:member_added')
  assert.deepEqual(added.data, { user_id: 'bob' })
})

test('CH-35 a second connection of a member is not announced, nor the first to leave', async t => {
  const room = fresh('presence-')
  const ada = hall.open(t, { user: 'ada' })
  await ada.subscribe(room)
  const [bob1, bob2] = [hall.open(t, { user: 'bob' }), hall.open(t, { user: 'bob' })]
  await bob1.subscribe(room)
  const { channel } = await bob2.subscribe(room)
  assert.equal(channel.members.count, 2)
  bob1.pusher.disconnect()
  await hall.open(t, { user: 'cleo' }).subscribe(room)
  await ada.event(room, 'pusher_internal:member_added', data => data.user_id === 'cleo')
  assert.equal(ada.count(room, 'pusher_internal:member_added'), 2)
  assert.equal(ada.count(room, 'pusher_internal:member_removed'), 0)
  bob2.pusher.disconnect()
  await ada.event(room, 'pusher_internal:member_removed', data => data.user_id === 'bob')
})

test('CH-20 CH-34 leaving by unsubscribe removes the member', async t => {
  const room = fresh('presence-')
  const ada = hall.open(t, { user: 'ada' })
  await ada.subscribe(room)
  const bob = hall.open(t, { user: 'bob' })
  await bob.subscribe(room)
  bob.pusher.unsubscribe(room)
  await ada.event(room, 'pusher_internal:member_removed', data => data.user_id === 'bob')
})

test('CH-13 a presence channel refuses a signature that was made without its data', async t => {
  const room = fresh('presence-')
  const client = hall.open(t, { user: 'ada', wrong: '1' })
  const { heard } = client.listen(room)
  const refusal = await heard.find(one => one.name === 'pusher:subscription_error', 'a refusal')
  assert.equal(refusal.data.status, 401)
})

test('CH-32 AUTH-03 TRAP-16 a signed-in user joins without channel data', async t => {
  const room = fresh('presence-')
  const ada = hall.open(t, { user: 'ada', name: 'Ada', bare: '1' })
  ada.pusher.signin()
  const { channel } = await ada.subscribe(room)
  assert.equal(channel.members.me.id, 'ada')
  assert.deepEqual(channel.members.me.info, { name: 'Ada' })
})

test('CH-36 a full channel refuses new members but admits another connection of one', async t => {
  const small = await startBackend(sdk(hall.server, tiny))
  t.after(() => small.close())
  const room = fresh('presence-')
  const ada = Client.open(t, hall.server, tiny, asUser(small.url, { user: 'ada' }))
  await ada.subscribe(room)
  const other = Client.open(t, hall.server, tiny, asUser(small.url, { user: 'bob' }))
  const { heard } = other.listen(room)
  const refusal = await heard.find(one => one.name === 'pusher:subscription_error', 'a refusal')
  assert.equal(refusal.data.type, 'LimitReached')
  assert.equal(refusal.data.status, 403)
  other.pusher.disconnect()
  await other.state('disconnected')
  const again = Client.open(t, hall.server, tiny, asUser(small.url, { user: 'ada' }))
  const { channel } = await again.subscribe(room)
  assert.equal(channel.members.count, 1)
})
