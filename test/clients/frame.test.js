import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Inbox } from './helpers/inbox.js'
import { Look } from './helpers/looks.js'
import { Window } from './helpers/notifications.js'
import { signIn } from './helpers/people.js'

/** @type {import('./helpers/people.js').Person} */
let user
/** @type {import('./helpers/people.js').Person} */
let admin
const inbox = Inbox.forTests(async inbox => {
  const seeding = await inbox.server.run('db:seed', '--class=NotificationTestSeeder', '--json')
  const { people } = JSON.parse(seeding)
  user = people.find((/** @type {any} */ person) => person.email === 'user@example.com')
  admin = people.find((/** @type {any} */ person) => person.email === 'admin@example.com')
})

for (const look of Look.all) {
  test(`the other pages of the frame: ${look.name}`, async t => {
    const context = await inbox.browser.newContext({ reducedMotion: 'reduce', ...look.options })
    t.after(() => context.close())
    const page = await context.newPage()
    await page.goto(`${inbox.server.url}/notifications`)
    await page.getByRole('heading', { name: 'Sign in first' }).waitFor()
    await look.check(page, 'sign-in-first')
    await page.goto(`${inbox.server.url}/login`)
    await page.getByLabel('Email').waitFor()
    await look.check(page, 'login')
    await page.goto(`${inbox.server.url}/setup?token=none`)
    await page.getByLabel('Name').waitFor()
    await look.check(page, 'setup')
    await signIn(page, inbox.server, user)
    await page.goto(`${inbox.server.url}/console`)
    await page.getByRole('heading', { name: 'This page is not yours to open' }).waitFor()
    await page.locator('.belfry-bell-button').waitFor()
    await look.check(page, 'not-yours')
    await page.goto(`${inbox.server.url}/`)
    await page.locator('.chip[data-state=subscribed]').waitFor()
    await page.locator('.belfry-bell-count').waitFor()
    await page.locator('.belfry-bell-button').click()
    await page.locator('.belfry-item').first().waitFor()
    await look.check(page, 'start-bell')
  })
}

test('the start page has the bell of who is signed in, and no other', async t => {
  const ada = await inbox.somebody()
  const context = await inbox.browser.newContext({ reducedMotion: 'reduce' })
  t.after(() => context.close())
  const page = await context.newPage()
  /** @type {string[]} */
  const loaded = []
  page.on('request', request => loaded.push(new URL(request.url()).pathname))
  await page.goto(`${inbox.server.url}/`)
  await page.locator('.chip[data-state=subscribed]').waitFor()
  assert.deepEqual(
    loaded.filter(path => /OwnBell|island|notifications/.test(path)),
    [],
    'nothing of the bell is loaded for nobody',
  )
  await signIn(page, inbox.server, ada)
  const window = new Window(page)
  await window.counts(0)
  const to = { target: ada.target }
  await inbox.send({ title: 'To the start page', ...to })
  await window.toasts.getByText('To the start page').waitFor({ timeout: 20_000 })
  await window.counts(1)
  assert.equal(await page.title(), '(1) Belfry')
  await window.toasts.getByRole('button', { name: 'Show' }).click()
  await page.getByRole('dialog', { name: 'To the start page' }).waitFor()
  await page.goto(`${inbox.server.url}/`)
  await window.counts(0)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('link', { name: 'Sign in' }).waitFor()
  await window.bell.waitFor({ state: 'detached' })
})

test('no page loads 200 KB of compressed script before it shows', async t => {
  const context = await inbox.browser.newContext()
  t.after(() => context.close())
  const page = await context.newPage()
  await signIn(page, inbox.server, admin)
  for (const [path, there] of [
    ['/', '.belfry-bell-button'],
    ['/login', 'h1 >> visible=true'],
    ['/notifications', '.n-row'],
    ['/dashboard', ':is(h1, h2) >> visible=true'],
    ['/admin/notifications', ':is(h1, h2) >> visible=true'],
    ['/console', ':is(h1, h2) >> visible=true'],
  ]) {
    /** @type {Promise<number>[]} */
    const scripts = []
    const note = (/** @type {import('playwright-core').Response} */ response) => {
      if (response.request().resourceType() !== 'script') return
      scripts.push(response.body().then(body => gzipSync(body).length))
    }
    page.on('response', note)
    await page.goto(`${inbox.server.url}${path}`)
    await page.locator(there).first().waitFor()
    await page.waitForLoadState('networkidle')
    page.off('response', note)
    const total = (await Promise.all(scripts)).reduce((sum, size) => sum + size, 0)
    t.diagnostic(`${path}: ${Math.round(total / 1024)} KB in ${scripts.length} scripts`)
    assert.ok(scripts.length > 0 && total < 200 * 1024, `${path}: ${total} bytes`)
  }
})
