import { after, before } from 'node:test'
import { launchBrowser } from './browser.js'
import { api, send, Window } from './notifications.js'
import { addPerson, addToken } from './people.js'
import { Server } from './server.js'

/** @typedef {import('./people.js').Person} Person */

/** Where notifications are received, for a file of tests: a server, a browser, a manager. */
export class Inbox {
  browser = /** @type {import('playwright-core').Browser} */ (/** @type {any} */ (undefined))
  server = /** @type {Server} */ (/** @type {any} */ (undefined))
  mira = /** @type {Person} */ (/** @type {any} */ (undefined))
  #token = ''
  #people = 0

  /**
   * An inbox that is there for all tests of the file that calls this.
   *
   * @param {(inbox: Inbox) => Promise<void>} [prepare] what there is at the beginning
   */
  static forTests(prepare = async () => {}) {
    const inbox = new Inbox()
    before(async () => {
      inbox.browser = await launchBrowser()
      inbox.server = await Server.start()
      inbox.mira = await addPerson(inbox.server, 'mira@example.org', { roles: ['manager'] })
      inbox.#token = await addToken(inbox.server, inbox.mira, 'notifications:manage')
      await prepare(inbox)
    })
    after(async () => {
      await inbox.browser?.close()
      await inbox.server?.stop()
    })
    return inbox
  }

  /**
   * Adds somebody with a role that nobody else has; target: just they.
   *
   * @returns {Promise<Person & {role: string, target: object}>}
   */
  async somebody() {
    const role = `crew-${++this.#people}`
    const person = await addPerson(this.server, `${role}@example.com`, {
      name: role,
      roles: [role],
    })
    return { ...person, role, target: { type: 'roles', roles: [role] } }
  }

  /**
   * Somebody new with notifications, in a window that shows all of them.
   *
   * @param {import('node:test').TestContext} t
   * @param {object[]} notifications
   * @param {Parameters<typeof Window.open>[4]} [options]
   */
  async withList(t, notifications, options) {
    const person = await this.somebody()
    for (const fields of notifications) await this.send({ target: person.target, ...fields })
    const window = await this.window(t, person, options)
    await window.counts(notifications.length)
    return { person, window, page: window.page }
  }

  /**
   * Opens somebody's own page.
   *
   * @param {import('node:test').TestContext} t
   * @param {Person} person
   * @param {Parameters<typeof Window.open>[4]} [options]
   * @param {{url: string}} [at] the address, where it is not the server's
   */
  window(t, person, options, at = this.server) {
    return Window.open(t, this.browser, at, person, options)
  }

  /**
   * Sends a notification, to all unless a target is given.
   *
   * @param {object} fields
   */
  send(fields) {
    return send(this.server, this.#token, fields)
  }

  /**
   * Takes a notification back.
   *
   * @param {{id: string}} notification
   */
  withdraw({ id }) {
    return api(this.server, this.#token, 'DELETE', `/api/notifications/${id}`)
  }

  /**
   * Somebody's own API, with a token.
   *
   * @param {Person} person
   * @returns {Promise<(method: string, path?: string) => Promise<any>>} path: below
   *   /api/user/notifications
   */
  async own(person) {
    const token = await addToken(this.server, person, 'notifications')
    return (method, path = '') => api(this.server, token, method, `/api/user/notifications${path}`)
  }
}
