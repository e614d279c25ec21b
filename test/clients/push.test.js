import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launchBrowser } from './helpers/browser.js'
import { send, Window } from './helpers/notifications.js'
import { addPerson, addToken } from './helpers/people.js'
import { Server } from './helpers/server.js'

/** @type {import('playwright-core').Browser} */
let browser
/** @type {Server} */
let server
let manager = ''
let people = 0

before(async () => {
  browser = await launchBrowser()
  server = await Server.start()
  const mira = await addPerson(server, 'mira@example.com', { roles: ['manager'] })
  manager = await addToken(server, mira, 'notifications:manage')
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

/**
 * Somebody new with a window, whose browser may show notifications.
 *
 * @param {import('node:test').TestContext} t
 * @param {(page: import('playwright-core').Page) => Promise<unknown>} [prepare]
 */
async function open(t, prepare) {
  const person = await addPerson(server, `reader-${++people}@example.com`)
  const options = { permissions: ['notifications'], ...(prepare && { prepare }) }
  return { person, window: await Window.open(t, browser, server, person, options) }
}

/**
 * Installs the service worker, and gives what delivers a message to it as the
 * browser's push service does.
 *
 * @param {import('playwright-core').Page} page
 */
async function install(page) {
  const session = await page.context().newCDPSession(page)
  /** @type {Promise<string>} */
  const registered = new Promise(resolve => {
    session.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      const ours = registrations.find(({ scopeURL }) => scopeURL === `${server.url}/`)
      if (ours) resolve(ours.registrationId)
    })
  })
  await session.send('ServiceWorker.enable')
  await page.evaluate(async () => {
    await navigator.serviceWorker.register('/sw.js?open=/notifications')
    await navigator.serviceWorker.ready
  })
  const registrationId = await registered
  return (/** @type {object} */ message) =>
    session.send('ServiceWorker.deliverPushMessage', {
      origin: server.url,
      registrationId,
      data: JSON.stringify(message),
    })
}

/**
 * What the service worker shows.
 *
 * @param {import('playwright-core').Page} page
 * @returns {Promise<{title: string, body: string, data: any}[]>}
 */
function shown(page) {
  return page.evaluate(async () => {
    const worker = await navigator.serviceWorker.ready
    const all = await worker.getNotifications()
    return all.map(({ title, body, data }) => ({ title, body, data }))
  })
}

/**
 * Waits until the service worker shows so many.
 *
 * @param {import('playwright-core').Page} page
 * @param {number} count
 */
async function shows(page, count) {
  for (const until = Date.now() + 20_000; ; ) {
    const all = await shown(page)
    if (all.length === count) return all
    assert.ok(Date.now() < until, `${all.length} are shown, not ${count}`)
    await page.waitForTimeout(50)
  }
}

test('a message of Web Push is shown as text, with an address that is safe', async t => {
  const { window } = await open(t)
  const deliver = await install(window.page)
  const title = '<b>Bold?</b>'
  const message = '<img src=x onerror=alert(1)>'
  await deliver({ id: 'one', title, message, action_url: '/orders/7', unread_count: 1 })
  await deliver({ id: 'two', title: 'Odd', message: '', action_url: 'javascript:alert(1)' })
  await deliver({ id: 'one', title, message, action_url: '/orders/7' }) // once more
  const all = await shows(window.page, 2)
  const [one, two] = ['one', 'two'].map(id => all.find(({ data }) => data.id === id))
  assert.equal(one?.title, title)
  assert.equal(one?.body, message)
  assert.equal(one?.data.url, `${server.url}/orders/7`)
  assert.equal(two?.data.url, '')
})

test('what a page that is looked at shows, the worker does not', async t => {
  const { window, person } = await open(t)
  const deliver = await install(window.page)
  const { id, title } = await send(server, manager, {
    title: 'Seen in the page',
    target: { type: 'users', users: [person.id] },
  })
  await window.counts(1)
  await deliver({ id, title, message: 'x' })
  await deliver({ id: 'unknown', title: 'Of somebody else', message: 'x' })
  const [only] = await shows(window.page, 1)
  assert.equal(only?.title, 'Of somebody else')
  // The page has no more messages to answer for, so the first is not to come.
  assert.equal((await shown(window.page)).length, 1)
})

test('the settings turn Web Push on and off, and signing out ends it', async t => {
  // There is no push service here that Chromium could subscribe at.
  const { window } = await open(t, page =>
    page.addInitScript(() => {
      const kept = 'test:subscription'
      const text = (/** @type {ArrayBuffer} */ bytes) =>
        btoa(String.fromCharCode(...new Uint8Array(bytes)))
          .replaceAll('+', '-')
          .replaceAll('/', '_')
          .replaceAll('=', '')
      /** @param {any} raw */
      const subscription = raw => ({
        ...raw,
        options: { applicationServerKey: Uint8Array.from(raw.key).buffer },
        toJSON: () => ({ endpoint: raw.endpoint, expirationTime: null, keys: raw.keys }),
        unsubscribe: async () => {
          localStorage.removeItem(kept)
          return true
        },
      })
      PushManager.prototype.getSubscription = async () => {
        const raw = localStorage.getItem(kept)
        return raw ? subscription(JSON.parse(raw)) : null
      }
      PushManager.prototype.subscribe = async options => {
        const curve = { name: 'ECDH', namedCurve: 'P-256' }
        const pair = await crypto.subtle.generateKey(curve, true, ['deriveBits'])
        const raw = {
          endpoint: `https://push.example.com/${crypto.randomUUID()}`,
          key: Array.from(/** @type {any} */ (options).applicationServerKey),
          keys: {
            p256dh: text(await crypto.subtle.exportKey('raw', pair.publicKey)),
            auth: text(crypto.getRandomValues(new Uint8Array(16)).buffer),
          },
        }
        localStorage.setItem(kept, JSON.stringify(raw))
        return subscription(raw)
      }
    }),
  )
  const { page } = window
  /** @type {string[]} */
  const asked = []
  page.on('response', response => {
    const { pathname } = new URL(response.url())
    if (pathname !== '/api/user/push-subscriptions') return
    asked.push(`${response.request().method()} ${response.status()}`)
  })
  await page.getByRole('button', { name: 'Settings' }).click()
  const name = 'Reach this browser when no page is open'
  const reach = page.getByRole('switch', { name })
  const stands = (/** @type {boolean} */ checked) =>
    page.getByRole('switch', { name, checked }).waitFor({ timeout: 20_000 })
  const last = async (/** @type {string} */ answer) => {
    for (const until = Date.now() + 20_000; asked.at(-1) !== answer; ) {
      assert.ok(Date.now() < until, `${asked}`)
      await page.waitForTimeout(50)
    }
    asked.length = 0
  }
  await reach.click()
  await stands(true)
  await last('POST 200')
  await page.reload()
  await window.live()
  await page.getByRole('button', { name: 'Settings' }).click()
  await stands(true)
  await last('POST 200') // it is still there
  await reach.click()
  await stands(false)
  await last('DELETE 204')
  await reach.click()
  await stands(true)
  await last('POST 200')
  await page.getByRole('button', { name: 'Done' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await last('DELETE 204')
})
