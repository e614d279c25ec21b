import { openPage } from './browser.js'
import { signIn } from './people.js'

/** The management of notifications in a window of its own browser. */
export class Manage {
  /** @param {import('playwright-core').Page} page @param {{url: string}} server */
  constructor(page, server) {
    this.page = page
    this.server = server
    this.rows = page.locator('.row-item')
    this.dialog = page.getByRole('dialog')
    this.audience = page.getByRole('region', { name: 'Who gets it' })
  }

  /**
   * Signs somebody in and opens a page below /admin/notifications. Faults of the
   * page fail the test at its end.
   *
   * @param {import('node:test').TestContext} t
   * @param {import('playwright-core').Browser} browser
   * @param {{url: string}} server
   * @param {import('./people.js').Person} person
   * @param {string} [path]
   * @param {import('playwright-core').BrowserContextOptions} [options]
   */
  static async open(t, browser, server, person, path = '', options = {}) {
    const page = await openPage(t, browser, options)
    await signIn(page, /** @type {any} */ (server), person)
    const manage = new Manage(page, server)
    await manage.go(path)
    return manage
  }

  /** @param {string} path below /admin/notifications */
  async go(path) {
    await this.page.goto(`${this.server.url}/admin/notifications${path}`)
  }

  /** @param {string} label of a field of the form */
  field(label) {
    return this.page.locator('.compose').getByLabel(label, { exact: true })
  }

  /** @param {string | RegExp} name of a button of the page, outside of dialogs */
  button(name) {
    return this.page.getByRole('button', { name, exact: typeof name === 'string' })
  }

  /** @param {string | RegExp} name of a button of the open dialog */
  answer(name) {
    return this.dialog.getByRole('button', { name, exact: typeof name === 'string' })
  }

  /** @param {string} words that are said at the page's foot */
  async says(words) {
    await this.page.locator('.manage-notice', { hasText: words }).waitFor({ timeout: 20_000 })
  }

  /** @param {string} title @returns the row of the list with this title */
  row(title) {
    return this.rows.filter({
      has: this.page.locator('.row-title').getByText(title, { exact: true }),
    })
  }

  /**
   * Chooses from the menu of a row.
   *
   * @param {string} title
   * @param {string} action
   */
  async choose(title, action) {
    await this.page.getByRole('button', { name: `Actions for ${title}`, exact: true }).click()
    await this.row(title).getByRole('button', { name: action, exact: true }).click()
  }

  /** @param {number} receivers @param {number} online */
  async counts(receivers, online) {
    await this.page.waitForFunction(
      want =>
        [...document.querySelectorAll('.audience dd')].map(one => one.textContent).join() === want,
      `${receivers},${online}`,
      { timeout: 20_000 },
    )
  }

  /** What is said to be wrong, by the label of the field. */
  async faults() {
    return Object.fromEntries(
      await this.page.locator('.compose').evaluate(form =>
        [...form.querySelectorAll('[aria-invalid=true]')].map(control => {
          const label =
            control.querySelector('legend') ?? form.querySelector(`label[for="${control.id}"]`)
          const note = document.getElementById(control.getAttribute('aria-describedby') ?? '')
          return [
            label?.textContent,
            note?.querySelector('.note')?.textContent ?? note?.textContent,
          ]
        }),
      ),
    )
  }

  /**
   * A time from now as a datetime-local field of the browser's zone has it.
   *
   * @param {number} seconds
   */
  time(seconds) {
    return this.page.evaluate(seconds => {
      const at = new Date(Math.ceil(Date.now() / 1000 + seconds) * 1000)
      return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
    }, seconds)
  }
}
