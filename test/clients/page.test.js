import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { full } from './helpers/apps.js'
import { openBrowser, screenshots } from './helpers/browser.js'
import { sdk } from './helpers/sdk.js'
import { Server } from './helpers/server.js'

const run = promisify(execFile)

/** @type {Server} */
let server
/** @type {import('pusher')} */
let publisher

before(async () => {
  server = await Server.start()
  publisher = sdk(server, full)
})
after(() => server?.stop())

/**
 * Opens the start page and waits until it listens on its first channel. Faults
 * in the browser's console fail the test at its end, unless they are expected.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').BrowserContextOptions & {faults?: boolean}} [options]
 */
async function open(t, { faults = false, ...options } = {}) {
  const browser = await openBrowser(options)
  t.after(() => browser.close())
  const page = await browser.context.newPage()
  /** @type {string[]} */
  const found = []
  page.on('pageerror', error => found.push(String(error)))
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') found.push(message.text())
  })
  t.after(() => {
    if (!faults) assert.deepEqual(found, [])
  })
  await page.goto(`${server.url}/`)
  await page.locator('#state[data-state=connected]').waitFor()
  await page.locator('.chip[data-state=subscribed]').waitFor()
  return page
}

/**
 * The row of an event in the page's list.
 *
 * @param {import('playwright-core').Page} page
 * @param {string} event
 */
const row = (page, event) =>
  page
    .getByRole('log')
    .getByRole('listitem')
    .filter({ has: page.getByText(event, { exact: true }) })

/**
 * The text of a snippet, as its Copy button would copy it.
 *
 * @param {import('playwright-core').Page} page
 * @param {string} tab
 */
async function snippet(page, tab) {
  await page.getByRole('tab', { name: tab }).click()
  return (await page.getByRole('tabpanel').locator('pre').first().textContent()) ?? ''
}

test('page: an event published through the HTTP API appears on the start page', async t => {
  const page = await open(t)
  await publisher.trigger('my-channel', 'order.shipped', { id: 42, note: 'Zoë 🚀' })
  const event = row(page, 'order.shipped')
  await event.waitFor()
  assert.equal(await event.locator('pre').textContent(), '{\n  "id": 42,\n  "note": "Zoë 🚀"\n}')
  assert.equal(await event.locator('.on').textContent(), 'my-channel')
  assert.match((await event.locator('time').textContent()) ?? '', /^\d\d:\d\d:\d\d[.,]\d{3}$/)
})

test('page: markup in an event is shown as text', async t => {
  const page = await open(t)
  const markup = '<img src=x onerror="document.title = 1"><b>bold</b>'
  await publisher.trigger('my-channel', markup, markup)
  const event = row(page, markup)
  await event.waitFor()
  assert.equal(await event.locator('pre').textContent(), markup)
  assert.equal(await page.locator('.feed img, .feed b').count(), 0)
  assert.equal(await page.title(), 'Belfry')
})

test('page: the visitor names channels, leaves them, and hears nothing more', async t => {
  const page = await open(t)
  await page.getByLabel('Channel', { exact: true }).fill('orders')
  await page.getByRole('button', { name: 'Subscribe', exact: true }).click()
  await page.locator('.chip[data-state=subscribed]', { hasText: 'orders' }).waitFor()
  assert.match(await snippet(page, 'curl'), /"channels":\["orders"\]/)
  await publisher.trigger('orders', 'first', {})
  await row(page, 'first').waitFor()
  await page.getByRole('button', { name: 'Unsubscribe from orders' }).click()
  await page.locator('.chip', { hasText: 'orders' }).waitFor({ state: 'detached' })
  for (;;) {
    const response = await publisher.get({ path: '/channels/orders' })
    if (!(/** @type {any} */ (await response.json()).occupied)) break
  }
  await publisher.trigger(['orders', 'my-channel'], 'second', {})
  await row(page, 'second').waitFor()
  assert.equal(await row(page, 'second').count(), 1)
  assert.equal(await row(page, 'second').locator('.on').textContent(), 'my-channel')
})

test('page: on the server’s own machine private and presence channels work too', async t => {
  const page = await open(t)
  for (const name of ['private-room', 'presence-room']) {
    await page.getByLabel('Channel', { exact: true }).fill(name)
    await page.keyboard.press('Enter')
    await page.locator('.chip[data-state=subscribed]', { hasText: name }).waitFor()
    await publisher.trigger(name, `on-${name}`, {})
    await row(page, `on-${name}`).waitFor()
  }
  await page.getByLabel('Channel', { exact: true }).fill('private-encrypted-room')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').filter({ hasText: 'Encrypted channels' }).waitFor()
})

test('page: the curl lines publish when pasted into a shell', async t => {
  const page = await open(t)
  const text = await snippet(page, 'curl')
  const { stdout } = await run('sh', ['-c', text], { env: { PATH: process.env.PATH } })
  assert.equal(stdout.trim(), '{}')
  await row(page, 'my-event').waitFor()
  assert.match((await row(page, 'my-event').locator('pre').textContent()) ?? '', /Hello from curl/)
})

test('page: the Node snippet publishes', async t => {
  const page = await open(t)
  const text = await snippet(page, 'Node')
  await run(process.execPath, ['--input-type=module', '-e', text], { cwd: import.meta.dirname })
  await row(page, 'my-event').filter({ hasText: 'Hello from Node' }).waitFor()
})

test('page: the Go snippet publishes', async t => {
  const page = await open(t)
  const folder = await mkdtemp(join(tmpdir(), 'belfry-snippet-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'main.go')
  await writeFile(file, `${await snippet(page, 'Go')}\n`)
  assert.equal((await run('gofmt', ['-l', file])).stdout, '')
  // The repository's own module has the SDK, so nothing is fetched.
  await run('go', ['run', file], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
  })
  await row(page, 'my-event').filter({ hasText: 'Hello from Go' }).waitFor()
})

test('page: every snippet names this server and its app', async t => {
  const page = await open(t)
  for (const tab of ['curl', 'Laravel', 'Node', 'Go', 'Python', 'PHP']) {
    const text = await snippet(page, tab)
    for (const part of [server.host, String(server.port), full.id, full.key, full.secret]) {
      assert.ok(text.includes(part), `${tab} lacks ${part}`)
    }
  }
  const browser = await snippet(page, 'Browser')
  for (const part of [
    'wsHost',
    'wsPort',
    'wssPort',
    'forceTLS',
    "enabledTransports: ['ws', 'wss']",
  ]) {
    assert.ok(browser.includes(part), `Browser lacks ${part}`)
  }
  assert.ok(!browser.includes(full.secret), 'the secret is no business of a browser')
})

test('page: behind a proxy the secret is left out and the page says why', async t => {
  const page = await open(t, { extraHTTPHeaders: { 'X-Forwarded-For': '203.0.113.7' } })
  assert.ok(!(await page.content()).includes(full.secret))
  await page.getByText('The secret is left out here').waitFor()
  assert.match(await snippet(page, 'Node'), /YOUR_APP_SECRET/)
  await page.getByLabel('Channel', { exact: true }).fill('private-room')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').filter({ hasText: 'auth endpoint' }).waitFor()
  for (const headers of [
    { 'X-Forwarded-For': '203.0.113.7' },
    { Forwarded: 'for=203.0.113.7' },
    { Via: '1.1 proxy' },
  ]) {
    const start = await (
      await fetch(`${server.url}/start.json`, { headers: /** @type {any} */ (headers) })
    ).text()
    assert.ok(!start.includes(full.secret), `shown with ${JSON.stringify(headers)}`)
  }
})

test('page: a strict policy is on it, nothing comes from elsewhere', async t => {
  const response = await fetch(`${server.url}/`)
  const policy = response.headers.get('content-security-policy') ?? ''
  assert.match(policy, /default-src '(none|self)'/)
  assert.match(policy, /frame-ancestors 'none'/)
  assert.ok(!policy.includes('unsafe-inline') && !policy.includes('unsafe-eval'), policy)
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
  const browser = await openBrowser()
  t.after(() => browser.close())
  const page = await browser.context.newPage()
  /** @type {string[]} */
  const asked = []
  page.on('request', request => asked.push(request.url()))
  await page.goto(`${server.url}/`)
  await page.locator('.chip[data-state=subscribed]').waitFor()
  assert.deepEqual(
    asked.filter(url => new URL(url).host !== `${server.host}:${server.port}`),
    [],
  )
})

test('page: it works by keyboard', async t => {
  const page = await open(t)
  await page.getByRole('tab', { name: 'curl' }).focus()
  await page.keyboard.press('ArrowRight')
  assert.equal(
    await page.getByRole('tab', { name: 'Laravel' }).getAttribute('aria-selected'),
    'true',
  )
  await page.keyboard.press('End')
  assert.equal(
    await page.getByRole('tab', { name: 'Browser' }).getAttribute('aria-selected'),
    'true',
  )
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Copy')
  await page.getByLabel('Channel', { exact: true }).focus()
  await page.keyboard.press('Control+A')
  await page.keyboard.type('by-keyboard')
  await page.keyboard.press('Enter')
  await page.locator('.chip[data-state=subscribed]', { hasText: 'by-keyboard' }).waitFor()
})

test('page: it comes back by itself after the server was restarted', async t => {
  const page = await open(t, { faults: true })
  await server.end('SIGTERM')
  await page.locator('#state:not([data-state=connected])').waitFor()
  await server.begin()
  await page.locator('#state[data-state=connected]').waitFor({ timeout: 60_000 })
  await page.locator('.chip[data-state=subscribed]').waitFor()
  await publisher.trigger('my-channel', 'after-restart', {})
  await row(page, 'after-restart').waitFor()
})

for (const [size, viewport] of /** @type {const} */ ([
  ['desktop', { width: 1280, height: 900 }],
  ['phone', { width: 390, height: 844 }],
])) {
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    test(`page: ${size} in ${colorScheme}`, async t => {
      const page = await open(t, { viewport, colorScheme, reducedMotion: 'reduce' })
      await publisher.trigger('my-channel', 'my-event', { message: 'Hello' })
      await publisher.trigger('my-channel', 'App\\Events\\OrderShipped', {
        order: { id: 42, lines: [{ sku: 'A-1', quantity: 2 }] },
        total: 99.5,
      })
      await row(page, 'App\\Events\\OrderShipped').waitFor()
      await page.screenshot({
        path: join(screenshots, `start-${size}-${colorScheme}.png`),
        fullPage: true,
      })
      const [content, room] = await page.evaluate(() => [
        document.documentElement.scrollWidth,
        window.innerWidth,
      ])
      assert.ok(Number(content) <= Number(room), `${content} px of content in ${room} px`)
    })
  }
}
