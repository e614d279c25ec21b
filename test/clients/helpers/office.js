import { after, before } from 'node:test'
import { launchBrowser } from './browser.js'
import { Manage } from './manage.js'
import { api, send, Window } from './notifications.js'
import { addPerson, addToken } from './people.js'
import { Server } from './server.js'

/** @typedef {import('./people.js').Person} Person */

/** Where notifications are managed, for a file of tests: a server, a browser, a manager. */
export class Office {
  /** @type {import('playwright-core').Browser} */
  #browser = /** @type {any} */ (undefined)
  server = /** @type {Server} */ (/** @type {any} */ (undefined))
  mira = /** @type {Person} */ (/** @type {any} */ (undefined))
  /** An API token of Mira's. */
  token = ''
  #people = 0

  /**
   * An office that is there for all tests of the file that calls this.
   *
   * @param {(office: Office) => Promise<void>} [prepare] what there is at the beginning
   */
  static forTests(prepare = async () => {}) {
    const office = new Office()
    before(async () => {
      office.#browser = await launchBrowser()
      office.server = await Server.start()
      office.mira = await addPerson(office.server, 'mira@example.com', {
        name: 'Mira Okafor',
        roles: ['manager'],
      })
      office.token = await addToken(office.server, office.mira, 'notifications:manage')
      await prepare(office)
    })
    after(async () => {
      await office.#browser?.close()
      await office.server?.stop()
    })
    return office
  }

  /**
   * Adds somebody new with a role that nobody else has.
   *
   * @returns {Promise<Person & {role: string, target: object}>}
   */
  async somebody() {
    const role = `team-${++this.#people}`
    const person = await this.add(`${role}@example.com`, role, role)
    return { ...person, role, target: { type: 'roles', roles: [role] } }
  }

  /**
   * @param {string} email
   * @param {string} name
   * @param {string[]} roles
   */
  add(email, name, ...roles) {
    return addPerson(this.server, email, { name, roles })
  }

  /**
   * Opens a page of the management as Mira.
   *
   * @param {import('node:test').TestContext} t
   * @param {string} [path]
   * @param {import('playwright-core').BrowserContextOptions} [options]
   */
  open(t, path = '', options = {}) {
    return this.openAs(t, this.mira, path, options)
  }

  /**
   * @param {import('node:test').TestContext} t
   * @param {Person} person
   * @param {string} [path]
   * @param {import('playwright-core').BrowserContextOptions} [options]
   */
  openAs(t, person, path = '', options = {}) {
    return Manage.open(t, this.#browser, this.server, person, path, options)
  }

  /**
   * Opens a receiver's own page.
   *
   * @param {import('node:test').TestContext} t
   * @param {Person} person
   */
  window(t, person) {
    return Window.open(t, this.#browser, this.server, person)
  }

  /**
   * Opens a page where nobody is signed in.
   *
   * @param {import('node:test').TestContext} t
   */
  async guest(t) {
    const context = await this.#browser.newContext()
    t.after(() => context.close())
    return context.newPage()
  }

  /**
   * Asks the managers' API as Mira.
   *
   * @param {string} method
   * @param {string} [path] below /api/notifications
   * @param {object} [body]
   */
  ask(method, path = '', body = undefined) {
    return api(this.server, this.token, method, `/api/notifications${path}`, body)
  }

  /**
   * Makes a draft, or a scheduled one; default: to all.
   *
   * @param {object} fields
   */
  make(fields) {
    return this.ask('POST', '', { message: 'A message.', target: { type: 'all' }, ...fields })
  }

  /** @param {object} fields */
  send(fields) {
    return send(this.server, this.token, fields)
  }

  /**
   * All notifications with just this title.
   *
   * @param {string} title
   * @returns {Promise<any[]>}
   */
  async titled(title) {
    const { notifications } = await this.ask('GET', `?q=${encodeURIComponent(title)}`)
    return notifications.filter((/** @type {any} */ one) => one.title === title)
  }
}
