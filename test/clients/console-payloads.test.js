import assert from 'node:assert/strict'
import { test } from 'node:test'
import Rest from 'pusher'
import { full, masterKey } from './helpers/apps.js'
import { ControlRoom } from './helpers/console.js'
import { Look } from './helpers/looks.js'
import { addPerson } from './helpers/people.js'
import { Server } from './helpers/server.js'

const room = ControlRoom.forTests({ config: { console: { payloads: true } } })

/**
 * Opens the live log and turns the view on.
 *
 * @param {import('node:test').TestContext} t
 * @param {object} [options]
 */
async function looking(t, options) {
  const page = await room.open(t, '/log', options)
  t.after(async () => {
    const { views } = await room.ask('GET', 'payloads')
    for (const { id } of views) await room.ask('POST', `payloads/${id}/end`)
  })
  await page.locator('.c-log-state', { hasText: 'Live.' }).waitFor()
  await page.getByRole('button', { name: 'Show payloads' }).click()
  const dialog = page.getByRole('dialog', { name: 'Show payloads?' })
  await dialog.getByLabel('App').selectOption(full.id)
  await dialog.getByRole('button', { name: 'Show', exact: true }).click()
  await page.locator('[data-banner=payloads]', { hasText: 'You look' }).waitFor()
  return page
}

const hostile = { note: '<img src=x onerror="window.hacked=1"><b>bold</b>', n: 1 }

test('an administrator looks at the data of events, as text, until it is ended', async t => {
  const bob = await addPerson(room.server, 'bob@example.com', { name: 'Bob', roles: ['admin'] })
  const other = await room.open(t, '/webhooks', { person: bob })
  const page = await looking(t)
  const told = other.locator('[data-banner=payloads]', { hasText: 'Ada Nwosu looks' })
  await told.getByText(/until \d\d:\d\d:\d\d/).waitFor()
  await room.rest.trigger('orders', 'order.paid', hostile)
  const row = page.locator('.c-log li[data-what=payload]', { hasText: 'order.paid' })
  await row.getByText(JSON.stringify(hostile)).waitFor()
  await row.getByRole('button').click()
  const dialog = page.getByRole('dialog', { name: 'Data of order.paid' })
  const text = await dialog.locator('pre').textContent()
  assert.deepEqual(JSON.parse(text ?? ''), hostile)
  assert.equal(await dialog.locator('pre b, pre img').count(), 0, 'the data is markup')
  await dialog.getByRole('button', { name: 'Timeline' }).click()
  await page.getByRole('list', { name: 'Timeline' }).waitFor()
  await page.keyboard.press('Escape') // back to the data
  await dialog.getByRole('button', { name: 'Close' }).click()
  assert.equal(await page.evaluate('window.hacked'), undefined)
  await room.rest.trigger('orders', 'order.long', { text: 'x'.repeat(9000) })
  await page.locator('.c-log li[data-what=payload]', { hasText: 'order.long' }).click()
  await page.getByText('There is more: the first 4 KB are shown.').waitFor()
  await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click()

  await told.getByRole('button', { name: 'End it' }).click()
  await page.locator('[data-banner=payloads]').waitFor({ state: 'detached' })
  await room.rest.trigger('orders', 'order.after', hostile)
  await page.locator('.c-log li[data-what=published]', { hasText: 'order.after' }).waitFor()
  assert.equal(await page.locator('li[data-what=payload]', { hasText: 'order.after' }).count(), 0)
  const { audit } = await room.ask('GET', 'audit')
  const [end, begin] = audit
  assert.deepEqual(
    [begin.action, begin.user.name, begin.subject, end.action, end.user.name, end.details.of],
    ['payloads.begin', 'Ada Nwosu', full.id, 'payloads.end', 'Bob', 'Ada Nwosu'],
  )
})

test('it ends by itself', async t => {
  const page = await room.open(t, '/log')
  await page.getByRole('button', { name: 'Show payloads' }).waitFor()
  const status = await page.evaluate(async app => {
    const token = /XSRF-TOKEN=([^;]+)/.exec(document.cookie)?.[1] ?? ''
    const response = await fetch('/console/api/payloads', {
      method: 'POST',
      headers: { 'X-XSRF-TOKEN': decodeURIComponent(token) },
      body: JSON.stringify({ app, seconds: 5 }),
    })
    return response.status
  }, full.id)
  assert.equal(status, 201)
  const banner = page.locator('[data-banner=payloads]', { hasText: 'You look' })
  await banner.waitFor()
  await banner.waitFor({ state: 'detached', timeout: 15_000 })
  await page.getByRole('button', { name: 'Show payloads' }).waitFor()
})

test('the data of encrypted channels is not shown', async t => {
  const page = await looking(t)
  const rest = new Rest({
    appId: full.id,
    key: full.key,
    secret: full.secret,
    host: room.server.host,
    port: String(room.server.port),
    useTLS: false,
    encryptionMasterKeyBase64: masterKey,
  })
  await rest.trigger('private-encrypted-vault', 'opened', { n: 1 })
  const row = page.locator('.c-log li[data-what=payload]', { hasText: 'private-encrypted-vault' })
  await row.getByText('encrypted: only its receivers can read it').waitFor()
  assert.ok(!(await page.content()).includes('ciphertext'))
})

test('without the setting there is no switch', async t => {
  const server = await Server.start({ apps: [full] })
  t.after(() => server.stop())
  const ada = await addPerson(server, 'ada@example.com', { name: 'Ada', roles: ['admin'] })
  const elsewhere = new ControlRoom()
  Object.assign(elsewhere, { server, browser: room.browser, ada })
  const page = await elsewhere.open(t, '/log')
  await page.locator('.c-log-state', { hasText: 'Live.' }).waitFor()
  assert.equal(await page.getByRole('button', { name: 'Show payloads' }).count(), 0)
  assert.equal(await page.getByRole('button', { name: 'Payloads' }).count(), 0)
})

for (const look of Look.all) {
  test(`payloads, ${look.name}`, async t => {
    const page = await looking(t, look.options)
    await room.rest.trigger('orders', 'order.paid', {
      order: 1042,
      total: '49.90',
      items: ['bell'],
    })
    const row = page.locator('.c-log li[data-what=payload]').first()
    await row.waitFor()
    await look.check(page, 'console-payloads')
    await row.getByRole('button').click()
    await page.getByRole('dialog', { name: /^Data of/ }).waitFor()
    await look.check(page, 'console-payload')
  })
}
