import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { full } from './helpers/apps.js'
import { Client } from './helpers/client.js'
import { ControlRoom } from './helpers/console.js'

const room = ControlRoom.forTests()

/** What a page that asks for no scripts of others would load. */
const files = {
  '/': 'data:<!doctype html><title>Shop</title><script src="/pusher.js"></script>',
  '/pusher.js': './node_modules/pusher-js/dist/web/pusher.min.js',
  '/reporter.js': '../../clients/js/dist/reporter/index.js',
}
const site = createServer(async (request, response) => {
  const file = files[/** @type {keyof typeof files} */ (request.url)]
  if (!file) return response.writeHead(404).end()
  const inline = file.startsWith('data:')
  response.setHeader('Content-Type', inline ? 'text/html' : 'text/javascript')
  response.end(
    inline ? file.slice(5) : await readFile(fileURLToPath(new URL(file, import.meta.url))),
  )
})
before(async () => {
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
})
after(() => site.close())

const hostile = '<img src=x onerror="window.hurt=1"><b>bold</b>'

/**
 * Opens a shop's page that is connected, has handlers and reports them.
 *
 * @param {import('node:test').TestContext} t
 */
async function shop(t) {
  const context = await room.browser.newContext({ userAgent: `Shop/1 ${hostile} Firefox/150.0` })
  t.after(() => context.close())
  const page = await context.newPage()
  const { port } = /** @type {import('node:net').AddressInfo} */ (site.address())
  await page.goto(`http://127.0.0.1:${port}/`)
  const told = page.waitForResponse(answer => answer.url().endsWith('/report'))
  const socket = await page.evaluate(
    async ({ key, host, port, hostile }) => {
      const { report } = await import(/** @type {any} */ ('/reporter.js'))
      const Pusher = Object(window).Pusher
      const pusher = new Pusher(key, {
        cluster: '',
        wsHost: host,
        wsPort: port,
        forceTLS: false,
        enabledTransports: ['ws'],
      })
      const channel = pusher.subscribe('orders')
      channel.bind('order.paid', () => {
        throw new TypeError(`no total ${hostile}`)
      })
      channel.bind(hostile, () => {})
      report(pusher)
      Object.assign(window, { pusher })
      return new Promise(done =>
        channel.bind('pusher:subscription_succeeded', () => done(pusher.connection.socket_id)),
      )
    },
    { key: full.key, host: room.server.host, port: room.server.port, hostile },
  )
  assert.equal((await told).status(), 204)
  return { page, socket: /** @type {string} */ (socket) }
}

/** The number of bytes that a text like "1.2 KB" says. */
function bytesOf(/** @type {string | null} */ text) {
  const [, value = 'NaN', unit = ''] = /([\d.]+) (B|KB|MB)/.exec(text ?? '') ?? []
  return Number(value) * (unit === 'KB' ? 1000 : unit === 'MB' ? 1_000_000 : 1)
}

test('an operator sees a connection’s bytes grow, its browser, and what its page reports', async t => {
  const { page: buyer, socket } = await shop(t)
  const page = await room.open(t, `/connections?q=${socket}`)
  const row = page.getByRole('row', { name: new RegExp(socket) })
  await row.getByText('Firefox 150').waitFor()
  const sent = async () => bytesOf(await row.locator('[data-label=Sent]').textContent())
  const before = await sent()
  assert.ok(before > 0 && before < 5000, String(before))
  const failed = buyer.waitForEvent('pageerror')
  const told = buyer.waitForResponse(answer => answer.url().endsWith('/report'))
  await room.rest.trigger('orders', 'order.paid', { fill: 'x'.repeat(8000) })
  assert.match(String(await failed), /no total/)
  await told
  await page.waitForFunction(
    socket =>
      /8\.\d KB/.test(
        document.querySelector(`[data-row="${socket}"] [data-label=Sent]`)?.textContent ?? '',
      ),
    socket,
  )
  assert.ok((await sent()) >= before + 8000)

  await row.getByRole('button', { name: socket, exact: true }).click()
  const dialog = page.getByRole('dialog', { name: `Connection ${socket}` })
  const fact = (/** @type {string} */ name) =>
    dialog.locator('.c-facts > div', { hasText: name }).locator('dd')
  assert.equal(await fact('User agent').textContent(), `Shop/1 ${hostile} Firefox/150.0`)
  assert.match((await fact('Library').textContent()) ?? '', /^js 8\./)
  const report = dialog.getByRole('region', { name: 'What its page reports' })
  await report.getByText('Handlers failed once').waitFor()
  const handlers = await report.getByRole('list', { name: 'Handlers', exact: true }).textContent()
  assert.match(handlers ?? '', /orders:.*order\.paid/)
  assert.ok(handlers?.includes(hostile))
  const failures = report.getByRole('list', { name: 'Handlers that failed' })
  assert.ok((await failures.textContent())?.includes(`TypeError: no total ${hostile}`))
  assert.equal(await page.evaluate(() => Object(window).hurt), undefined)
  assert.equal(await dialog.locator('img, b').count(), 0)

  await page.setViewportSize({ width: 360, height: 740 })
  const cross = await dialog.locator('header button').boundingBox()
  const frame = await dialog.boundingBox()
  assert.ok(cross && frame)
  assert.ok(cross.x + cross.width <= frame.x + frame.width, 'a long title pushes the cross out')
})

test('connections are put in the order that an operator asks for', async t => {
  const clients = [Client.open(t, room.server, full), Client.open(t, room.server, full)]
  for (const client of clients) await client.state('connected')
  const [quiet, busy] = clients.map(client => client.socketId)
  clients[1]?.pusher.subscribe('busy')
  await clients[1]?.event('busy', 'pusher_internal:subscription_succeeded')
  await room.rest.trigger('busy', 'e', 'x'.repeat(9000))
  await clients[1]?.event('busy', 'e')
  const page = await room.open(t, '/connections')
  await page.getByRole('row', { name: new RegExp(quiet ?? '') }).waitFor()
  await page.getByLabel('First').selectOption('Most sent')
  const first = page.locator('tbody tr').first()
  await page.locator(`tbody tr:first-child[data-row="${busy}"]`).waitFor()
  assert.equal(await first.getAttribute('data-row'), busy)
  assert.match(page.url(), /order=sent/)
})

test('explain shows what the pages of those who got an event report', async t => {
  const { socket } = await shop(t)
  const answer = await room.rest.trigger('orders', 'order.sent', {})
  const id = answer.headers.get('x-belfry-event-id') ?? ''
  const page = await room.open(t, `/explain?id=${id}`)
  const pages = page.getByRole('region', { name: 'What the pages report' })
  await pages.getByText('order.paid').first().waitFor()
  assert.equal(await pages.locator('img, b').count(), 0)
  await pages.getByRole('button', { name: socket }).click()
  await page.getByRole('dialog', { name: `Connection ${socket}` }).waitFor()
  assert.equal(await page.evaluate(() => Object(window).hurt), undefined)
})

test('members are shown with what they say of themselves, as text', async t => {
  const authorizer = (/** @type {number} */ i, /** @type {object} */ info) => ({
    channelAuthorization: /** @type {any} */ ({
      customHandler: (/** @type {any} */ { socketId, channelName }, /** @type {any} */ done) =>
        done(
          null,
          room.rest.authorizeChannel(socketId, channelName, { user_id: `u${i}`, user_info: info }),
        ),
    }),
  })
  for (let i = 10; i < 22; i++) {
    const info = { name: `${hostile} ${i}`, fill: i === 21 ? 'y'.repeat(600) : '' }
    const client = Client.open(t, room.server, full, authorizer(i, info))
    client.pusher.subscribe('presence-room')
    await client.event('presence-room', 'pusher_internal:subscription_succeeded')
  }
  const page = await room.open(t, `/channels/${full.id}/presence-room`)
  const members = page.getByRole('table', { name: 'Members' })
  const row = members.getByRole('row', { name: /u10/ })
  const shown = (await row.locator('.c-info').textContent()) ?? ''
  assert.equal(JSON.parse(shown).name, `${hostile} 10`)
  await members.getByRole('row', { name: /u21/ }).getByText('The beginning of').waitFor()
  await page.getByLabel('Search members').fill('u13')
  await members.getByRole('row', { name: /u10/ }).waitFor({ state: 'detached' })
  await members.getByRole('row', { name: /u13/ }).waitFor()
  assert.equal(await members.locator('img, b').count(), 0)
  assert.equal(await page.evaluate(() => Object(window).hurt), undefined)
})
