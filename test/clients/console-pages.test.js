import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { full } from './helpers/apps.js'
import { Client } from './helpers/client.js'
import { ControlRoom } from './helpers/console.js'
import { api } from './helpers/notifications.js'

const room = new ControlRoom()
const hook = createServer((_, response) => response.writeHead(204).end())

before(async () => {
  await new Promise(done => hook.listen(0, '127.0.0.1', () => done(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (hook.address())
  const webhooks = [
    { url: `http://127.0.0.1:${port}/hooks?token=t0ken-of-the-hook`, events: ['channel_occupied'] },
  ]
  await room.start({ apps: [{ ...full, webhooks }] })
})
after(async () => {
  await room.stop()
  hook.closeAllConnections()
  hook.close()
})

/** @param {import('node:test').TestContext} t @param {string} channel */
async function subscriber(t, channel) {
  const client = Client.open(t, room.server, full)
  client.pusher.subscribe(channel)
  await client.event(channel, 'pusher_internal:subscription_succeeded')
  return client
}

test('an operator sends a test event to a channel and sees who got it', async t => {
  const client = await subscriber(t, 'orders')
  const page = await room.open(t, '/channels')
  await page.getByRole('link', { name: 'orders', exact: true }).click()
  await page.getByRole('heading', { level: 1, name: 'orders' }).waitFor()
  await page.getByRole('button', { name: 'Send a test event' }).click()
  const dialog = page.getByRole('dialog', { name: 'Send a test event' })
  await dialog.getByLabel('Event').fill('order.paid')
  await dialog.getByLabel('Data, as JSON').fill('{"order": ')
  await dialog.getByRole('button', { name: 'Send' }).click()
  await dialog.getByText('This is no JSON.').waitFor()
  await dialog.getByLabel('Data, as JSON').fill('{"order": 17}')
  await dialog.getByRole('button', { name: 'Send' }).click()
  await dialog.getByText('1 of 1 subscriber written to').waitFor()
  assert.equal((await client.event('orders', 'order.paid')).data.order, 17)
  await dialog.getByRole('button', { name: 'Close' }).last().click()
  const events = page.getByRole('table', { name: 'Events' })
  await events.getByRole('button', { name: 'order.paid' }).click()
  await page
    .getByRole('dialog', { name: 'Event order.paid' })
    .locator('dd', { hasText: 'console, user' })
    .waitFor()
})

test('an operator finds a connection and closes it', async t => {
  const client = await subscriber(t, 'closing')
  const page = await room.open(t, '/connections')
  await page.getByLabel('Channel').fill('closing')
  const row = page.getByRole('row', { name: new RegExp(client.socketId) })
  await row.getByRole('button', { name: `Close ${client.socketId}` }).click()
  const dialog = page.getByRole('dialog', { name: 'Close this connection?' })
  await dialog.getByLabel(/^Reason/).fill('maintenance')
  await dialog.getByRole('button', { name: 'Close it' }).click()
  await page.getByText(`Connection ${client.socketId} is closed.`).waitFor()
  await page.getByText('No connection is open').waitFor()
  await client.errors.find(({ data }) => data?.code === 4009, 'the close code')
})

test('a queue is paused and continued', async t => {
  const page = await room.open(t, '/queues')
  await page.getByRole('button', { name: 'Pause default' }).click()
  await page.getByText('Queue default is paused.').waitFor()
  await api(room.server, room.token, 'POST', '/api/events', { event: 'e', channels: ['c'] })
  await page.getByRole('button', { name: 'Clear default' }).waitFor()
  await page.getByRole('button', { name: 'Continue default' }).click()
  await page.getByRole('button', { name: 'Clear default' }).waitFor({ state: 'detached' })
})

test('explain answers, and says what is near what there is not', async t => {
  await subscriber(t, 'explained')
  const { id } = await room.ask('POST', 'events', { app: full.id, channel: 'explaned', event: 'e' })
  const page = await room.open(t, '/explain')
  await page.getByLabel('Event id').fill(id)
  await page.getByRole('button', { name: 'Explain' }).click()
  const verdict = page.getByRole('region', { name: 'Verdict' })
  await verdict.getByText('explained').first().waitFor()
  await page.getByLabel('Event id').fill('')
  await page.getByLabel('User').fill('nobody-of-that-name')
  await page.getByLabel('Channel').fill('explained')
  await page.getByRole('button', { name: 'Explain' }).click()
  await page
    .getByText(/nobody-of-that-name/)
    .first()
    .waitFor()
})

test('an app is added, its secret is shown once, rotated with overlap, and it is removed', async t => {
  const page = await room.open(t, '/apps')
  await page.getByRole('button', { name: 'Add an app' }).click()
  await page.getByLabel('Name').fill('Orders')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  const dialog = page.getByRole('dialog', { name: 'The new secret' })
  const secretOf = async () => /SECRET=(\S+)/.exec((await dialog.textContent()) ?? '')?.[1] ?? ''
  await dialog.waitFor()
  const first = await secretOf()
  assert.ok(first.length >= 20)
  await dialog.getByRole('button', { name: 'I have it' }).click()
  assert.ok(!(await page.content()).includes(first), 'the secret stays in the page')
  await page.getByRole('button', { name: 'Rotate the secret of Orders' }).click()
  await page.getByRole('button', { name: 'Make a new secret' }).click()
  await dialog.waitFor()
  assert.notEqual(await secretOf(), first)
  await dialog.getByRole('button', { name: 'I have it' }).click()
  await page.getByText('one is being rotated out').waitFor()
  await page.getByRole('button', { name: 'Rotate the secret of Orders' }).click()
  await page.getByRole('button', { name: 'Drop it' }).click()
  await page.getByText('one is being rotated out').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Remove Orders' }).click()
  await page.getByRole('button', { name: 'Remove the app' }).click()
  await page.locator('[data-label=App]', { hasText: 'Orders' }).waitFor({ state: 'detached' })
  await page.getByRole('link', { name: 'Audit' }).click()
  const audit = page.getByRole('table', { name: 'What administrators did' })
  for (const action of ['app.add', 'app.rotate', 'app.retire', 'app.remove']) {
    await audit.getByText(action, { exact: true }).waitFor()
  }
  assert.ok(!JSON.stringify(await room.ask('GET', 'audit')).includes(first))
})

test('a webhook is sent again', async t => {
  await subscriber(t, 'hooked')
  const page = await room.open(t, '/webhooks')
  const rows = page.getByRole('table', { name: 'Webhooks sent' }).getByRole('row')
  await rows.nth(1).getByText('delivered').waitFor()
  assert.ok(!(await page.content()).includes('t0ken'), 'the query of a URL is shown')
  const count = await rows.count()
  await rows.nth(1).getByRole('button', { name: 'Send again' }).click()
  await page.waitForFunction(
    count => document.querySelectorAll('[aria-label="Webhooks sent"] tr').length > count,
    count,
  )
})

test('the doctor examines the server', async t => {
  const page = await room.open(t, '/health')
  await page.getByRole('table', { name: 'Parts' }).getByText('database').waitFor()
  await page.getByRole('button', { name: 'Examine the server' }).click()
  const checks = page.getByRole('table', { name: 'Doctor’s checks' })
  await checks.getByText('came back over a WebSocket').waitFor()
})
