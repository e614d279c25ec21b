import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ControlRoom } from './helpers/console.js'
import { addPerson, addToken, signIn } from './helpers/people.js'

const room = ControlRoom.forTests()

const reads = [
  'overview',
  'connections',
  'connections/1.1',
  'channels',
  'channels/2001/presence-room',
  'channels/2001/presence-room/members',
  'log',
  'stream',
  'explain?id=1',
  'denials',
  'payloads',
  'webhooks/out',
  'webhooks/in',
  'queues',
  'failed',
  'failed/groups',
  'usage',
  'apps',
  'health',
  'audit',
  'nothing/at/all',
]

test('who is no administrator sees no console, and every path refuses them', async t => {
  const mira = await addPerson(room.server, 'mira@example.com', { roles: ['manager'] })
  const token = await addToken(room.server, mira, 'events')
  const page = await room.open(t, '', { person: mira })
  await page.getByText('This page is not yours to open').waitFor()
  assert.equal(await page.getByRole('link', { name: 'Console' }).count(), 0)
  for (const path of ['/log', '/apps', '/failed']) {
    await page.goto(`${room.server.url}/console${path}`)
    await page.getByText('This page is not yours to open').waitFor()
  }
  for (const path of reads) {
    const bySession = await page.evaluate(
      async path => (await fetch(`/console/api/${path}`)).status,
      path,
    )
    assert.equal(bySession, 403, path)
    const headers = { Authorization: `Bearer ${token}` }
    const byToken = await fetch(`${room.server.url}/console/api/${path}`, { headers })
    await byToken.body?.cancel()
    assert.equal(byToken.status, 403, path)
    const byNobody = await fetch(`${room.server.url}/console/api/${path}`)
    await byNobody.body?.cancel()
    assert.equal(byNobody.status, 401, path)
  }
  for (const path of ['events', 'failed/retry', 'queues/restart', 'apps', 'doctor']) {
    const answer = await fetch(`${room.server.url}/console/api/${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}` },
    })
    await answer.body?.cancel()
    assert.equal(answer.status, 403, path)
  }
})

test('a console closes when the role is taken away while it is open', async t => {
  const bo = await addPerson(room.server, 'bo@example.com', { roles: ['admin'] })
  // The live log asks for nothing by itself: its stream must end.
  const page = await room.open(t, '/log', { person: bo })
  await page.locator('.c-log-state', { hasText: 'Live.' }).waitFor()
  await room.server.run('user:role', bo.email, '--remove', 'admin')
  await page.getByText('This page is not yours to open').waitFor({ timeout: 80_000 })
  assert.equal(await page.locator('.console').count(), 0)
})

test('a console closes when its session ends in another tab', async t => {
  const cy = await addPerson(room.server, 'cy@example.com', { roles: ['admin'] })
  const page = await room.open(t, '/queues', { person: cy })
  await page.getByRole('table', { name: 'Workers' }).waitFor()
  const other = await page.context().newPage()
  await other.goto(`${room.server.url}/notifications`)
  await other.getByRole('button', { name: 'Sign out' }).click()
  await page.getByText('Sign in first').waitFor({ timeout: 30_000 })
  await signIn(page, room.server, cy, '?to=/console/queues')
  await page.getByRole('table', { name: 'Workers' }).waitFor()
})
