import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { full } from './helpers/apps.js'
import { Client } from './helpers/client.js'
import { ControlRoom } from './helpers/console.js'
import { Look } from './helpers/looks.js'

const room = new ControlRoom()
/** @type {string[]} */
const received = []
let down = true
const hook = createServer(async (request, response) => {
  if (down) {
    response.writeHead(503).end()
    return
  }
  let body = ''
  for await (const chunk of request) body += chunk
  received.push(body)
  response.writeHead(204).end()
})

before(async () => {
  await new Promise(done => hook.listen(0, '127.0.0.1', () => done(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (hook.address())
  const webhooks = [
    {
      url: `http://127.0.0.1:${port}/hooks?token=t0ken-of-the-hook`,
      events: ['channel_occupied'],
      channel_prefix: 'shop-', // not those of the console's own pages
    },
  ]
  await room.start({
    apps: [{ ...full, webhooks }],
    config: { server: { drain_window: '0s', shutdown_grace: '1s' } },
  })
})
after(async () => {
  await room.stop()
  hook.closeAllConnections()
  hook.close()
})

test('webhooks that failed are found after a restart, read, and sent again', async t => {
  const client = Client.open(t, room.server, full)
  const channels = ['shop-orders', 'shop-orders-eu', 'shop-stock']
  for (const channel of channels) {
    client.pusher.subscribe(channel)
    await client.event(channel, 'pusher_internal:subscription_succeeded')
  }
  let page = await room.open(t, '/webhooks')
  const rows = () =>
    page.getByRole('table', { name: 'Webhooks sent' }).locator('tbody').getByRole('row')
  await page.waitForFunction(
    () => document.querySelectorAll('[aria-label="Webhooks sent"] tbody tr').length === 3,
  )
  await rows().first().getByText('retrying').waitFor()
  client.pusher.disconnect()
  await page.context().close()

  await room.server.end()
  await room.server.begin()
  down = false
  page = await room.open(t, '/webhooks?outcome=dropped')
  const stock = rows().filter({ hasText: 'stock' })
  await stock.getByText('failed', { exact: true }).waitFor()
  assert.equal(await rows().count(), channels.length)
  await stock.getByRole('button', { name: 'channel_occupied' }).click()
  const dialog = page.getByRole('dialog', { name: 'Webhook' })
  await dialog.getByText('the server stopped before it could be sent').waitFor()
  const tries = dialog.getByRole('table', { name: 'Tries' })
  await tries.getByText('answered 503, not 2xx').first().waitFor()
  assert.ok(!(await page.content()).includes('t0ken'), 'the query of a URL is shown')
  await dialog.getByRole('button', { name: 'Send again' }).click()
  await stock.getByText('sent again').waitFor()
  await page.waitForFunction(() => document.querySelector('dialog[open]') === null)

  await page.getByLabel('Search').fill('orders')
  await page.getByRole('button', { name: 'Send failed that fit again' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Send again' }).click()
  await page.getByText('2 webhooks sent again.').waitFor()
  await page.getByLabel('Search').fill('')
  await page.getByLabel('Outcome').selectOption('delivered')
  await page.waitForFunction(
    () => document.querySelectorAll('[aria-label="Webhooks sent"] tbody tr').length === 3,
  )
  assert.deepEqual(
    received.map(body => JSON.parse(body).events[0].channel).sort(),
    channels,
    'each came once',
  )
  const { audit } = await room.ask('GET', 'audit?action=webhook.resend')
  assert.equal(audit.length, 2)
})

for (const look of Look.all) {
  test(`webhooks, ${look.name}`, async t => {
    const page = await room.open(t, '/webhooks', look.options)
    await page.locator('tbody tr').nth(5).waitFor()
    await look.check(page, 'console-webhooks-sent')
    await page.locator('tbody tr', { hasText: 'failed' }).locator('.c-open').first().click()
    await page.getByRole('table', { name: 'Tries' }).waitFor()
    await look.check(page, 'console-webhook')
  })
}
