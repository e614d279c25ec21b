import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { noViolations } from './helpers/axe.js'
import { launchBrowser, screenshots } from './helpers/browser.js'
import { send, Window } from './helpers/notifications.js'
import { addPerson, addToken, signIn } from './helpers/people.js'
import { Server } from './helpers/server.js'

/** @type {import('playwright-core').Browser} */
let browser
/** @type {Server} */
let server
/** @type {import('./helpers/people.js').Person} */
let admin
/** @type {import('./helpers/people.js').Person} */
let user
let manager = ''

before(async () => {
  browser = await launchBrowser()
  server = await Server.start()
  const seeded = JSON.parse(await server.run('db:seed', '--class=NotificationTestSeeder', '--json'))
  const one = (/** @type {string} */ email) =>
    seeded.people.find((/** @type {any} */ person) => person.email === email)
  admin = one('admin@example.com')
  user = one('user@example.com')
  manager = await addToken(server, one('manager@example.com'), 'notifications:manage')
  const inAnHour = new Date(Date.now() + 3_000_000).toISOString()
  await send(server, manager, {
    ...{ title: 'Deploy of the evening', icon: '🚀', color: '#7a3fb0', priority: 'high' },
    ...{ message: 'It begins soon. '.repeat(30), type: 'announcement', category: 'releases' },
    ...{ expires_at: inAnHour, action_url: '/dashboard', action_text: 'Watch it' },
  })
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

for (const [size, viewport] of /** @type {const} */ ([
  ['desktop', { width: 1280, height: 800 }],
  ['phone', { width: 390, height: 844 }],
])) {
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    const options = { viewport, colorScheme, hasTouch: size === 'phone' }

    /**
     * Takes a picture and lets axe-core look at the page.
     *
     * @param {import('playwright-core').Page} page
     * @param {string} name
     */
    const check = async (page, name) => {
      await page.screenshot({ path: join(screenshots, `${name}-${size}-${colorScheme}.png`) })
      await noViolations(page, `${name}, ${size}, ${colorScheme}`)
      const wide = await page.evaluate(() => document.documentElement.scrollWidth)
      assert.ok(wide <= viewport.width, `${name}: ${wide} px of content`)
    }

    test(`the notification centre: ${size} in ${colorScheme}`, async t => {
      const window = await Window.open(t, browser, server, user, options)
      const { page } = window
      await window.row('Deploy of the evening').waitFor()
      await check(page, 'notifications')
      await window.bell.click()
      await window.panel.getByText('Deploy of the evening').waitFor()
      await check(page, 'notifications-bell')
      await page.keyboard.press('Escape')
      for (let n = 1; n < 3; n++) await window.rows.nth(n).locator('.n-pick input').check()
      await send(server, manager, {
        ...{ title: `Hello, ${size} in ${colorScheme}`, priority: 'low', action_url: '/x' },
        ...{ target: { type: 'users', users: [user.id] }, action_text: 'Look' },
      })
      await window.toasts.getByText('Hello').waitFor({ timeout: 20_000 })
      await check(page, 'notifications-picked')
      await window.row('Deploy of the evening').getByRole('link').first().click()
      await page.getByRole('dialog').getByText('Watch it').waitFor()
      await window.clearToasts()
      await check(page, 'notifications-open')
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: 'Settings' }).click()
      await page.getByRole('dialog', { name: 'Settings' }).waitFor()
      await check(page, 'notifications-settings')
      await page.keyboard.press('Escape')
      await page.getByLabel('Search').fill('nothing of the kind')
      await page.getByRole('heading', { name: 'Nothing matches' }).waitFor()
      await check(page, 'notifications-nothing')
      await page.route(/\/api\/user\/notifications\?.*status=/, route =>
        route.fulfill({ status: 503, json: { error: 'the database does not answer' } }),
      )
      await page.getByLabel('Search').fill('')
      await page.getByRole('button', { name: 'Archived' }).click()
      await page.getByRole('button', { name: 'Try again' }).waitFor()
      await check(page, 'notifications-failed')
    })

    test(`the other pages of the frame: ${size} in ${colorScheme}`, async t => {
      const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
      t.after(() => context.close())
      const page = await context.newPage()
      await page.goto(`${server.url}/notifications`)
      await page.getByRole('heading', { name: 'Sign in first' }).waitFor()
      await check(page, 'sign-in-first')
      await page.goto(`${server.url}/login`)
      await page.getByLabel('Email').waitFor()
      await check(page, 'login')
      await page.goto(`${server.url}/setup?token=none`)
      await page.getByLabel('Name').waitFor()
      await check(page, 'setup')
      await signIn(page, server, user)
      await page.goto(`${server.url}/console`)
      await page.getByRole('heading', { name: 'This page is not yours to open' }).waitFor()
      await page.locator('.belfry-bell-button').waitFor()
      await check(page, 'not-yours')
      await page.goto(`${server.url}/`)
      await page.locator('.chip[data-state=subscribed]').waitFor()
      await page.locator('.belfry-bell-count').waitFor()
      await page.locator('.belfry-bell-button').click()
      await page.locator('.belfry-item').first().waitFor()
      await check(page, 'start-bell')
    })
  }
}

test('the start page has the bell of who is signed in, and no other', async t => {
  const ada = await addPerson(server, 'ada@example.com', { name: 'Ada' })
  const context = await browser.newContext({ reducedMotion: 'reduce' })
  t.after(() => context.close())
  const page = await context.newPage()
  /** @type {string[]} */
  const loaded = []
  page.on('request', request => loaded.push(new URL(request.url()).pathname))
  await page.goto(`${server.url}/`)
  await page.locator('.chip[data-state=subscribed]').waitFor()
  assert.deepEqual(
    loaded.filter(path => /OwnBell|island|notifications/.test(path)),
    [],
    'nothing of the bell is loaded for nobody',
  )
  await signIn(page, server, ada)
  const window = new Window(page)
  await window.counts(0)
  const to = { target: { type: 'users', users: [ada.id] } }
  await send(server, manager, { title: 'To the start page', ...to })
  await window.toasts.getByText('To the start page').waitFor({ timeout: 20_000 })
  await window.counts(1)
  assert.equal(await page.title(), '(1) Belfry')
  await window.toasts.getByRole('button', { name: 'Show' }).click()
  await page.getByRole('dialog', { name: 'To the start page' }).waitFor()
  await page.goto(`${server.url}/`)
  await window.counts(0)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('link', { name: 'Sign in' }).waitFor()
  await window.bell.waitFor({ state: 'detached' })
})

test('no page loads 200 KB of compressed script before it shows', async t => {
  const context = await browser.newContext()
  t.after(() => context.close())
  const page = await context.newPage()
  await signIn(page, server, admin)
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
    await page.goto(`${server.url}${path}`)
    await page.locator(there).first().waitFor()
    await page.waitForLoadState('networkidle')
    page.off('response', note)
    const total = (await Promise.all(scripts)).reduce((sum, size) => sum + size, 0)
    t.diagnostic(`${path}: ${Math.round(total / 1024)} KB in ${scripts.length} scripts`)
    assert.ok(scripts.length > 0 && total < 200 * 1024, `${path}: ${total} bytes`)
  }
})
