import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import Rest from 'pusher'
import { full, plain } from './apps.js'
import { launchBrowser, openPage } from './browser.js'
import { addPerson, addToken, signIn } from './people.js'
import { Server } from './server.js'

/** @typedef {import('./people.js').Person} Person */

/** A server with a browser and an administrator, for a file of tests of the console. */
export class ControlRoom {
  browser = /** @type {import('playwright-core').Browser} */ (/** @type {any} */ (undefined))
  server = /** @type {Server} */ (/** @type {any} */ (undefined))
  ada = /** @type {Person} */ (/** @type {any} */ (undefined))
  /** An API token of Ada's. */
  token = ''

  /**
   * A room that is there for all tests of the file that calls this.
   *
   * @param {Parameters<typeof Server.start>[0]} [options]
   */
  static forTests(options = {}) {
    const room = new ControlRoom()
    before(() => room.start(options))
    after(() => room.stop())
    return room
  }

  /** @param {Parameters<typeof Server.start>[0]} [options] */
  async start(options = {}) {
    this.browser = await launchBrowser()
    this.server = await Server.start({ apps: [full, plain], ...options })
    this.ada = await addPerson(this.server, 'ada@example.com', {
      name: 'Ada Nwosu',
      roles: ['admin'],
    })
    this.token = await addToken(this.server, this.ada, 'admin,events')
  }

  async stop() {
    await this.browser?.close()
    await this.server?.stop()
  }

  /** What an application publishes with. */
  get rest() {
    return new Rest({
      appId: full.id,
      key: full.key,
      secret: full.secret,
      host: this.server.host,
      port: String(this.server.port),
      useTLS: false,
    })
  }

  /**
   * Asks the console's API with Ada's token.
   *
   * @param {string} method
   * @param {string} path below /console/api/
   * @param {object} [body]
   * @returns {Promise<any>}
   */
  async ask(method, path, body) {
    const response = await fetch(`${this.server.url}/console/api/${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.token}`, 'Content-Type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`)
    return JSON.parse(text)
  }

  /**
   * Signs somebody in, in a browser of their own, and opens a page of the console.
   * Faults of the page fail the test at its end.
   *
   * @param {import('node:test').TestContext} t
   * @param {string} [path] below /console
   * @param {{person?: Person} & import('playwright-core').BrowserContextOptions} [options]
   */
  async open(t, path = '', { person = this.ada, ...options } = {}) {
    const page = await openPage(t, this.browser, options)
    await signIn(page, this.server, person)
    await page.goto(`${this.server.url}/console${path}`)
    return page
  }
}
