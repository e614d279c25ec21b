import assert from 'node:assert/strict'
import { openPage } from './browser.js'
import { signIn } from './people.js'

/**
 * Asks the API, and gives the object of its answer. Fails on any refusal.
 *
 * @param {{url: string}} server
 * @param {string} token
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
export async function api(server, token, method, path, body) {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`)
  return text === '' ? {} : JSON.parse(text)
}

/**
 * Sends a notification and gives it as managers see it. Default: to all.
 *
 * @param {{url: string}} server
 * @param {string} token of a manager
 * @param {object} fields
 */
export function send(server, token, fields) {
  const draft = {
    message: 'A message.',
    type: 'system',
    priority: 'medium',
    target: { type: 'all' },
  }
  return api(server, token, 'POST', '/api/notifications', { ...draft, ...fields, send: true })
}

/** A window of a browser in which somebody is signed in. */
export class Window {
  /** @param {import('playwright-core').Page} page */
  constructor(page) {
    this.page = page
    this.bell = page.locator('.belfry-bell-button')
    this.panel = page.locator('.belfry-panel')
    this.rows = page.locator('.n-row')
    this.toasts = page.locator('.belfry-toast')
  }

  /**
   * Signs somebody in, in a browser of their own, and opens a page of the
   * application. Faults of the page fail the test at its end.
   *
   * @param {import('node:test').TestContext} t
   * @param {import('playwright-core').Browser} browser
   * @param {{url: string}} server
   * @param {import('./people.js').Person} person
   * @param {{path?: string, prepare?: (page: import('playwright-core').Page) => Promise<unknown>}
   *   & import('playwright-core').BrowserContextOptions} [options]
   */
  static async open(t, browser, server, person, options = {}) {
    const { path = '/notifications', prepare, ...rest } = options
    const page = await openPage(t, browser, rest)
    await prepare?.(page)
    await signIn(page, /** @type {any} */ (server), person)
    await page.goto(`${server.url}${path}`)
    const window = new Window(page)
    await window.live()
    return window
  }

  /** Waits until news comes at once. */
  async live() {
    await this.page.waitForFunction(
      () =>
        document.querySelector('.lamp-state[data-state=connected]') &&
        document.querySelector('.belfry-bell-button') &&
        (document.querySelector('.n-row') || document.querySelector('.state-box.empty')),
      undefined,
      { timeout: 20_000 },
    )
  }

  /**
   * The row of a notification in the page's list.
   *
   * @param {string} title
   */
  row(title) {
    return this.rows.filter({
      has: this.page.locator('.n-title a').getByText(title, { exact: true }),
    })
  }

  /**
   * Waits until the bell has a count.
   *
   * @param {number} count
   */
  async counts(count) {
    const words = count === 0 ? 'none unread' : `${count} unread`
    await this.page
      .getByRole('button', { name: `Notifications, ${words}`, exact: true })
      .waitFor({ timeout: 20_000 })
  }

  /** The titles of the list, in its order. */
  titles() {
    return this.rows.evaluateAll(rows =>
      rows
        .sort((a, b) => Number(a.getAttribute('data-index')) - Number(b.getAttribute('data-index')))
        .map(row => row.querySelector('.n-title a')?.textContent ?? ''),
    )
  }

  /**
   * Waits until the list shows these titles, in this order.
   *
   * @param {string[]} titles
   */
  async lists(titles) {
    for (const end = Date.now() + 20_000; ; ) {
      const shown = await this.titles()
      if (JSON.stringify(shown) === JSON.stringify(titles)) return
      if (Date.now() > end) assert.deepEqual(shown, titles)
      await this.page.waitForTimeout(50)
    }
  }

  /** Takes all toasts away. */
  async clearToasts() {
    for (;;) {
      const close = this.page.locator('.belfry-toast .belfry-dismiss').first()
      if (!(await close.isVisible())) return
      await close.click({ timeout: 2000 }).catch(() => {}) // it may go by itself
    }
  }
}
