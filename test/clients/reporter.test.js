import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { full } from './helpers/apps.js'
import { launchBrowser, openPage } from './helpers/browser.js'
import { addPerson, signIn } from './helpers/people.js'
import { sdk } from './helpers/sdk.js'
import { Server } from './helpers/server.js'

/** Pages of a shop elsewhere, which load the reporter as an application would. */
const files = {
  '/': 'data:<!doctype html><title>Shop</title><script src="/pusher.js"></script>',
  '/pusher.js': './node_modules/pusher-js/dist/web/pusher.min.js',
  '/echo.js': './node_modules/laravel-echo/dist/echo.js',
  '/reporter.js': '../../clients/js/dist/reporter/index.js',
}

/** @type {import('node:http').Server[]} */
const sites = []
/** @type {string[]} the shop's own, and another's */
const origins = []
/** @type {Server} */
let server
/** @type {import('pusher')} */
let publisher
/** @type {import('playwright-core').Browser} */
let browser

const shop = { ...full, id: '2011', key: 'test-shop-key', secret: 'test-shop-secret' }

before(async () => {
  for (let i = 0; i < 2; i++) {
    const site = createServer(async (request, response) => {
      const file = files[/** @type {keyof typeof files} */ (request.url)]
      if (!file) return response.writeHead(404).end()
      const inline = file.startsWith('data:')
      response.setHeader('Content-Type', inline ? 'text/html' : 'text/javascript')
      response.end(
        inline ? file.slice(5) : await readFile(fileURLToPath(new URL(file, import.meta.url))),
      )
    })
    sites.push(site.listen(0, '127.0.0.1'))
    await once(site, 'listening')
    origins.push(`http://127.0.0.1:${/** @type {any} */ (site.address()).port}`)
  }
  server = await Server.start({ apps: [full, { ...shop, allowed_origins: [origins[0]] }] })
  publisher = sdk(server, shop)
  browser = await launchBrowser()
})
after(async () => {
  await browser?.close()
  await server?.stop()
  for (const site of sites) site.close()
})

/**
 * Opens a page that is connected and reports, and gives it with its socket id.
 *
 * @param {import('node:test').TestContext} t
 * @param {string} channel
 * @param {{event?: string, throws?: string}} [options] what it listens for, as Echo has it
 */
async function open(t, channel, { event = '', throws = '' } = {}) {
  const context = await browser.newContext()
  t.after(() => context.close())
  const page = await context.newPage()
  await page.goto(`${origins[0]}/`)
  const taken = page.waitForResponse(answer => answer.url().endsWith('/report'))
  const socket = await page.evaluate(
    async ({ key, host, port, channel, event, throws }) => {
      const { report } = await import(/** @type {any} */ ('/reporter.js'))
      const { default: Echo } = await import(/** @type {any} */ ('/echo.js'))
      const echo = new Echo({
        broadcaster: 'pusher',
        key,
        cluster: 'mt1',
        wsHost: host,
        wsPort: port,
        forceTLS: false,
        enabledTransports: ['ws'],
      })
      report(echo)
      Object.assign(window, { echo })
      return new Promise((done, failed) => {
        const room = echo.channel(channel)
        if (event) {
          room.listen(event, () => {
            if (throws) throw new TypeError(throws)
          })
        }
        room.subscribed(() => done(echo.socketId())).error(failed)
      })
    },
    { key: shop.key, host: server.host, port: server.port, channel, event, throws },
  )
  assert.equal((await taken).status(), 204)
  return { page, socket: /** @type {string} */ (socket) }
}

/** Publishes an event, and gives its id. */
async function publish(/** @type {string} */ channel) {
  const response = await publisher.trigger(channel, 'order.paid', { total: 7 })
  assert.equal(response.status, 200)
  return response.headers.get('x-belfry-event-id') ?? ''
}

/**
 * Asks "belfry explain" until it names the cause.
 *
 * @param {string} code
 * @param {string[]} question
 */
async function explain(code, ...question) {
  for (const end = Date.now() + 20_000; ; ) {
    const text = await server.run('explain', ...question, '--json').catch(error => error.stdout)
    const verdict = JSON.parse(text)
    if (verdict.code === code) return verdict
    if (Date.now() > end) assert.equal(verdict.code, code, text)
    await new Promise(done => setTimeout(done, 100))
  }
}

test('report: explain says that no page has a handler, and what is bound that is near', async t => {
  const pages = [
    await open(t, 'orders', { event: 'order.paid' }), // which Echo takes for a class
    await open(t, 'orders', { event: '.Order.Paid' }),
    await open(t, 'orders'),
  ]
  const id = await publish('orders')
  const verdict = await explain('other_name', id)
  assert.match(
    verdict.sentence,
    /^3 sockets got the event, and none has a handler for "order\.paid"; the nearest that is bound is "App\\\\Events\\\\order\\\\paid"\.$/,
  )
  assert.deepEqual(verdict.near, ['App\\Events\\order\\paid', 'Order.Paid'])
  assert.match(verdict.fix, /\.listen\('\.order\.paid'/)
  const about = ['--event', 'order.paid', '--channel', 'orders', '--app', shop.id]
  const one = await explain('other_name', '--socket', pages[1]?.socket ?? '', ...about)
  assert.match(one.sentence, /^One socket .* the nearest that is bound is "Order\.Paid"\.$/)

  // One page binds the name: from then on somebody has it.
  const told = pages[2]?.page.waitForResponse(answer => answer.url().endsWith('/report'))
  await pages[2]?.page.evaluate(() => {
    Object(window)
      .echo.channel('orders')
      .listen('.order.paid', () => {})
  })
  await told
  const next = await explain('delivered', await publish('orders'))
  assert.match(next.evidence.join('\n'), /The pages of 2 sockets have no handler for it/)
  const third = await explain('delivered', '--socket', pages[2]?.socket ?? '', ...about)
  assert.ok(third.arrived)
})

test('report: explain says that a handler failed', async t => {
  const { page, socket } = await open(t, 'failures', {
    event: '.order.paid',
    throws: 'total is undefined',
  })
  const failed = page.waitForEvent('pageerror')
  const id = await publish('failures')
  assert.match(String(await failed), /total is undefined/) // as it would without the reporter
  const verdict = await explain('handler_failed', id)
  assert.match(verdict.sentence, /failed: TypeError: total is undefined\.$/)
  assert.equal(verdict.connections[0].socket_id ?? verdict.connections[0].socket, socket)
})

test('report: the console explains it in the same words', async t => {
  await open(t, 'shown', { event: '.Order.<b>Paid</b>' })
  const id = await publish('shown')
  const verdict = await explain('other_name', id)
  const ada = await addPerson(server, 'ada@example.com', { roles: ['admin'] })
  const page = await openPage(t, browser)
  await signIn(page, server, ada)
  await page.goto(`${server.url}/console/explain?id=${id}`)
  const shown = page.getByRole('region', { name: 'Verdict' })
  await shown.getByText(verdict.sentence, { exact: true }).waitFor()
  const text = (await shown.textContent()) ?? ''
  for (const line of [...verdict.evidence, verdict.fix]) assert.ok(text.includes(line), line)
  assert.match(text, /They have handlers for: Order\.<b>Paid<\/b>\./)
})

test('report: what a page says is shown as text, and no more', async t => {
  await open(t, 'hostile', {
    event: '.\u001b[2J\u202e<img src=x onerror=alert(1)>\norder.paid',
  })
  const id = await publish('hostile')
  const verdict = await explain('other_name', id)
  const shown = await server.run('explain', id).catch(error => error.stdout)
  for (const text of [verdict.sentence, verdict.evidence.join(''), shown.replaceAll('\n', '')]) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it is about
    assert.doesNotMatch(text, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/)
  }
  assert.match(shown, /<img src=x/)
})

test('report: pages of other sites are refused, and those of unknown connections', async t => {
  const { socket } = await open(t, 'origins')
  const context = await browser.newContext()
  t.after(() => context.close())
  const page = await context.newPage()
  const send = (/** @type {string} */ origin, /** @type {string} */ socket_id) =>
    page.goto(`${origin}/`).then(() =>
      page.evaluate(
        ([url, body]) =>
          fetch(/** @type {string} */ (url), { method: 'POST', body }).then(
            answer => answer.status,
            () => 'not readable',
          ),
        [`${server.url}/app/${shop.key}/report`, JSON.stringify({ socket_id, handlers: {} })],
      ),
    )
  assert.equal(await send(/** @type {string} */ (origins[0]), socket), 204)
  assert.equal(await send(/** @type {string} */ (origins[0]), '1.2'), 404)
  assert.equal(await send(/** @type {string} */ (origins[1]), socket), 'not readable')
})
