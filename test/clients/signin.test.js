import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { launchBrowser, openPage, screenshots } from './helpers/browser.js'
import { addPerson, signIn } from './helpers/people.js'
import { Server } from './helpers/server.js'

/** @type {import('playwright-core').Browser} */
let browser
/** @type {Server} */
let server
/** @type {import('./helpers/people.js').Person} */
let ada

before(async () => {
  browser = await launchBrowser()
  server = await Server.start()
  ada = await addPerson(server, 'ada@example.com', {
    name: 'Ada Lovelace',
    roles: ['editor', 'manager'],
    password: 'engine of 1843',
  })
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

/**
 * Opens a tab of a new browser. Faults of the page itself fail the test; that
 * the browser notes refusals of the server in its console is part of it.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
function open(t, options = {}) {
  return openPage(t, browser, { fine: /^Failed to load resource/, ...options })
}

const email = (/** @type {import('playwright-core').Page} */ page) => page.getByLabel('Email')
const password = (/** @type {import('playwright-core').Page} */ page) =>
  page.getByLabel('Password', { exact: true })
const focused = (/** @type {import('playwright-core').Page} */ page) =>
  page.evaluate(() => document.activeElement?.id)

test('signing in: a wrong password is said, the right one leads to where ?to= says', async t => {
  const page = await open(t)
  await page.goto(`${server.url}/login?to=/assets/../favicon.svg%3Fx=1`)
  await email(page).fill(ada.email)
  await password(page).fill('not this one')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').filter({ hasText: 'Wrong email address or password.' }).waitFor()
  assert.equal(await focused(page), 'password')
  await password(page).fill(ada.password)
  await page.keyboard.press('Enter')
  await page.waitForURL(`${server.url}/favicon.svg?x=1`)
  await page.goto(`${server.url}/`)
  await page.getByText('Ada Lovelace').waitFor()
})

test('signing in: an unknown address gets the same answer', async t => {
  const page = await open(t)
  await page.goto(`${server.url}/login`)
  await email(page).fill('nobody@example.com')
  await password(page).fill('not this one')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').filter({ hasText: 'Wrong email address or password.' }).waitFor()
})

test('signing in: ?to= leads to this host only', async t => {
  const page = await open(t)
  await signIn(page, server, ada, '?to=https://evil.test/')
  assert.equal(page.url(), `${server.url}/`)
  for (const [to, want] of [
    ['/favicon.svg?x=1#y', '/favicon.svg?x=1#y'],
    ['/./a//b', '/a//b'],
    ['//evil.test/', '/'],
    ['/\\evil.test/', '/'],
    ['\\\\evil.test', '/'],
    ['/\t/evil.test', '/'],
    ['/\n/evil.test', '/'],
    ['/.//evil.test', '//evil.test'], // a path: the address stays this host's
    ['javascript:alert(1)', '/'],
    ['evil.test', '/'],
    ['', '/'],
    ['/login', '/'],
  ]) {
    await page.goto(`${server.url}/login?to=${encodeURIComponent(String(to))}`)
    const link = page.getByRole('link', { name: 'Go on' })
    assert.equal(await link.getAttribute('href'), server.url + want, JSON.stringify(to))
  }
})

test('signing in: faults are named, the first has the focus, nothing is sent', async t => {
  const page = await open(t)
  /** @type {string[]} */
  const asked = []
  page.on('request', request => {
    if (request.method() === 'POST') asked.push(request.url())
  })
  await page.goto(`${server.url}/login`)
  const button = page.getByRole('button', { name: 'Sign in' })
  await button.waitFor()
  const before = await button.boundingBox()
  await button.click()
  assert.equal(await focused(page), 'email')
  assert.equal(await email(page).getAttribute('aria-invalid'), 'true')
  assert.equal(await page.locator('#email-note').textContent(), 'Type your email address.')
  assert.equal(await page.locator('#password-note').textContent(), 'Type your password.')
  await email(page).fill('ada@example.com')
  assert.equal(await email(page).getAttribute('aria-invalid'), null)
  await page.keyboard.press('Enter')
  assert.equal(await focused(page), 'password')
  assert.deepEqual(await button.boundingBox(), before, 'the button has moved')
  assert.deepEqual(asked, [])
})

test('signing in: a token that the server no longer takes is fetched anew', async t => {
  const page = await open(t)
  await page.context().addCookies([{ name: 'XSRF-TOKEN', value: 'stale', url: server.url }])
  await signIn(page, server, ada)
  await page.getByText('Ada Lovelace').waitFor()
})

test('signing in: the password can be shown, and is hidden again when it is sent', async t => {
  const page = await open(t)
  await page.goto(`${server.url}/login`)
  await password(page).fill('seen')
  const show = page.getByRole('button', { name: 'Show the password' })
  await show.click()
  assert.equal(await password(page).getAttribute('type'), 'text')
  assert.equal(await show.getAttribute('aria-pressed'), 'true')
  await password(page).press('Enter')
  assert.equal(await password(page).getAttribute('type'), 'password')
})

test('signing in: password managers know the fields', async t => {
  const page = await open(t)
  await page.goto(`${server.url}/login`)
  assert.equal(await email(page).getAttribute('autocomplete'), 'username')
  assert.equal(await password(page).getAttribute('autocomplete'), 'current-password')
})

test('signing in: too many tries count down, an outage is said', async t => {
  const page = await open(t)
  const say = (/** @type {number} */ status, /** @type {string} */ error, headers = {}) =>
    page.route(
      `${server.url}/login`,
      route => route.fulfill({ status, headers, json: { error, code: 'x' } }),
      { times: 1 },
    )
  await page.goto(`${server.url}/login`)
  await email(page).fill(ada.email)
  await password(page).fill(ada.password)
  await say(429, 'Too many tries.', { 'Retry-After': '2' })
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: /^Try again in [12] s$/ }).waitFor()
  await page.getByRole('alert').filter({ hasText: 'Too many tries.' }).waitFor()
  await say(503, 'The database does not answer.')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').filter({ hasText: 'The database does not answer.' }).waitFor()
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('Ada Lovelace').waitFor()
})

test('signing in: after wrong passwords the server asks for patience, then lets in', async t => {
  const page = await open(t) // closed first
  const strict = await Server.start()
  t.after(() => strict.stop())
  const person = await addPerson(strict, 'ada@example.com', { password: 'engine of 1843' })
  await page.goto(`${strict.url}/login`)
  await email(page).fill(person.email)
  const wait = page.getByRole('button', { name: /^Try again in/ })
  const wrong = page.getByRole('alert').filter({ hasText: 'Wrong email address or password.' })
  for (let n = 0; n < 20 && !(await wait.isVisible()); n++) {
    await password(page).fill(`not this one either, ${n}`)
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: /^(Sign in|Try again in .*)$/ }).waitFor()
    await wait.or(wrong).waitFor()
  }
  await wait.waitFor()
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor({ timeout: 60_000 })
  await password(page).fill(person.password)
  await page.keyboard.press('Enter')
  await page.waitForURL(`${strict.url}/`)
})

test('signed in already: the page says who, goes on, and offers to sign out', async t => {
  const page = await open(t)
  await signIn(page, server, ada)
  await page.goto(`${server.url}/login?to=/favicon.svg`)
  await page.getByRole('heading', { name: 'You are signed in' }).waitFor()
  await page.getByText(ada.email).waitFor()
  assert.equal(
    await page.getByRole('link', { name: 'Go on' }).getAttribute('href'),
    `${server.url}/favicon.svg`,
  )
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('status').filter({ hasText: 'You are signed out.' }).waitFor()
  assert.equal(await focused(page), 'email')
  const status = await page.evaluate(async () => (await fetch('api/user')).status)
  assert.equal(status, 401)
})

test('the start page offers a way in without a word in the console', async t => {
  const page = await open(t)
  /** @type {string[]} */
  const said = []
  page.on('console', message => said.push(message.text()))
  await page.goto(`${server.url}/`)
  await page.locator('.chip[data-state=subscribed]').waitFor()
  await page.getByRole('link', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  assert.deepEqual(said, [])
})

test('the pages carry a strict policy', async () => {
  for (const path of ['login', 'setup']) {
    const response = await fetch(`${server.url}/${path}`)
    assert.equal(response.status, 200)
    const policy = response.headers.get('content-security-policy') ?? ''
    assert.match(policy, /frame-ancestors 'none'/)
    assert.ok(!policy.includes('unsafe-'), policy)
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
    assert.equal(response.headers.get('referrer-policy'), 'no-referrer')
  }
})

test('setting up: the printed link makes one administrator, once', async t => {
  const page = await open(t) // closed first
  const fresh = await Server.start()
  t.after(() => fresh.stop())
  const link = fresh.greeting.match(/http\S+\/setup\?token=\S+/)?.[0]
  assert.ok(link, `no link in:\n${fresh.greeting}`)
  const form = async (/** @type {string} */ secret) => {
    // The link names the public address, which no test has.
    await page.goto(`${fresh.url}/setup${new URL(link).search}`)
    await page.getByLabel('Name').fill('Grace')
    await email(page).fill('grace@example.com')
    await password(page).fill(secret)
    await page.keyboard.press('Enter')
  }
  await form('short')
  await page.getByText('This password has 5 characters; 8 are the least.').waitFor()
  assert.equal(await focused(page), 'password')
  await form('a compiler of 1952')
  await page.waitForURL(`${fresh.url}/`)
  await page.getByText('Grace').waitFor()
  const user = await page.evaluate(async () => (await fetch('api/user')).json())
  assert.deepEqual(user.roles, ['admin'])
  await form('a compiler of 1952')
  await page.getByRole('heading', { name: 'This link cannot be used' }).waitFor()
  await page.goto(`${fresh.url}/setup`)
  await page.getByRole('heading', { name: 'This link cannot be used' }).waitFor()
})

for (const [size, viewport] of /** @type {const} */ ([
  ['desktop', { width: 1280, height: 900 }],
  ['phone', { width: 390, height: 844 }],
])) {
  for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
    test(`the pages: ${size} in ${colorScheme}`, async t => {
      const page = await open(t, { viewport, colorScheme })
      const shot = async (/** @type {string} */ name) => {
        await page.screenshot({ path: join(screenshots, `${name}-${size}-${colorScheme}.png`) })
        const wide = await page.evaluate(() => document.documentElement.scrollWidth)
        assert.ok(wide <= viewport.width, `${name}: ${wide} px of content`)
      }
      await page.goto(`${server.url}/setup?token=none`)
      await page.getByLabel('Name').waitFor()
      await shot('setup')
      await page.goto(`${server.url}/login`)
      await email(page).waitFor()
      await shot('login')
      await email(page).fill(ada.email)
      await password(page).fill('not this one')
      await page.keyboard.press('Enter')
      await page.getByText('Wrong email address or password.').waitFor()
      await shot('login-wrong')
      await signIn(page, server, ada)
      await page.locator('.chip[data-state=subscribed]').waitFor()
      await page.getByText('Ada Lovelace').waitFor()
      await shot('start-signed-in')
      await page.goto(`${server.url}/login`)
      await page.getByRole('heading', { name: 'You are signed in' }).waitFor()
      await shot('login-signed-in')
    })
  }
}
