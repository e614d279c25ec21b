import { fileURLToPath } from 'node:url'
import { signIn } from './people.js'

const file = (/** @type {string} */ name) =>
  fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url))

/**
 * @typedef {{at: number, what: string, channel?: string, event?: string, data?: any}} Note
 *   something that the page was told, and when
 */

/**
 * An application's page in Chromium, at the server's own address, with
 * laravel-echo and pusher-js from npm as they are. It notes all that it is told.
 */
export class Application {
  /** @param {import('playwright-core').Page} page */
  constructor(page) {
    this.page = page
  }

  /**
   * Opens the page and connects: with a session and Echo's csrfToken when a
   * person signs in, or with a bearer token. at: the address of the page where
   * it is not the server's.
   *
   * @param {import('node:test').TestContext} t
   * @param {import('playwright-core').Browser} browser
   * @param {import('./server.js').Server} server
   * @param {import('./apps.js').App} app
   * @param {{person?: import('./people.js').Person, bearer?: string, at?: string}} who
   */
  static async open(t, browser, server, app, { person, bearer, at = `${server.url}/up` }) {
    const context = await browser.newContext({ bypassCSP: true })
    t.after(() => context.close())
    const page = await context.newPage()
    if (person) await signIn(page, server, person)
    // Any page of this address that has no scripts of its own.
    await page.goto(at)
    await page.addScriptTag({ path: file('pusher-js/dist/web/pusher.js') })
    await page.addScriptTag({ path: file('laravel-echo/dist/echo.iife.js') })
    await page.evaluate(connect, {
      key: app.key,
      host: server.host,
      port: server.port,
      endpoint: `${server.url}/broadcasting/auth`,
      bearer,
    })
    const application = new Application(page)
    await application.told(note => note.what === 'connected', 'the connection')
    return application
  }

  /**
   * Subscribes through Echo and waits for the answer: "subscribed" with the data,
   * or "refused" with the error.
   *
   * @param {'channel' | 'private' | 'join'} how
   * @param {string} name without prefix
   */
  async subscribe(how, name) {
    const channel = await this.page.evaluate(subscribe, { how, name })
    return this.told(
      note => note.channel === channel && (note.what === 'subscribed' || note.what === 'refused'),
      `the answer for ${channel}`,
    )
  }

  /** Signs the connection's user in through /broadcasting/user-auth. */
  async signInUser() {
    await this.page.evaluate(() => /** @type {any} */ (window).echo.connector.pusher.signin())
  }

  /** All that was noted so far. @returns {Promise<Note[]>} */
  notes() {
    return this.page.evaluate(() => /** @type {any} */ (window).notes)
  }

  /**
   * Waits for a note; from: the index to look from.
   *
   * @param {(note: Note) => boolean} match
   * @param {string} what
   * @param {{from?: number, ms?: number}} [options]
   * @returns {Promise<Note>}
   */
  async told(match, what, { from = 0, ms = 10_000 } = {}) {
    for (const end = Date.now() + ms; ; ) {
      const notes = await this.notes()
      const found = notes.find((note, index) => index >= from && match(note))
      if (found) return found
      if (Date.now() > end) {
        throw new Error(`waited ${ms} ms for ${what}; noted: ${JSON.stringify(notes)}`)
      }
      const seen = notes.length
      await this.page
        .waitForFunction(count => /** @type {any} */ (window).notes.length > count, seen, {
          timeout: Math.max(1, end - Date.now()),
        })
        .catch(() => {}) // the time is up, which the next round says
    }
  }

  /**
   * Waits for an event as Echo gives it to a listener of the channel.
   *
   * @param {string} channel
   * @param {string} event
   * @param {(data: any) => boolean} [fits]
   */
  heard(channel, event, fits = () => true) {
    return this.told(
      note =>
        note.what === 'heard' &&
        note.channel === channel &&
        note.event === `.${event}` &&
        fits(note.data),
      `${event} on ${channel}`,
    )
  }
}

/**
 * Runs in the page.
 *
 * @param {{key: string, host: string, port: number, endpoint: string, bearer?: string}} options
 */
function connect({ key, host, port, endpoint, bearer }) {
  const page = /** @type {any} */ (window)
  page.notes = []
  page.note = (/** @type {object} */ note) => page.notes.push({ at: Date.now(), ...note })
  const cookie = document.cookie.split('; ').find(pair => pair.startsWith('XSRF-TOKEN='))
  const csrfToken = decodeURIComponent((cookie ?? '').slice('XSRF-TOKEN='.length))
  page.echo = new page.Echo.default({
    broadcaster: 'pusher',
    key,
    cluster: 'mt1',
    wsHost: host,
    wsPort: port,
    wssPort: port,
    forceTLS: false,
    enabledTransports: ['ws', 'wss'],
    ...(endpoint.startsWith(location.origin) ? {} : { authEndpoint: endpoint }),
    ...(bearer === undefined ? { csrfToken } : { bearerToken: bearer }),
  })
  const { connection } = page.echo.connector.pusher
  connection.bind('connected', () => page.note({ what: 'connected' }))
  connection.bind('disconnected', () => page.note({ what: 'disconnected' }))
  connection.bind('error', (/** @type {any} */ error) =>
    page.note({ what: 'error', data: error.error?.data ?? error.data }),
  )
  connection.bind('message', (/** @type {any} */ frame) => {
    page.note({ what: 'frame', channel: frame.channel, event: frame.event, data: frame.data })
  })
}

/**
 * Runs in the page.
 *
 * @param {{how: 'channel' | 'private' | 'join', name: string}} options
 */
function subscribe({ how, name }) {
  const page = /** @type {any} */ (window)
  const channel = page.echo[how](name)
  channel.subscription.bind('pusher:subscription_succeeded', (/** @type {any} */ data) =>
    page.note({ what: 'subscribed', channel: channel.name, data: data?.members }),
  )
  channel.error((/** @type {any} */ error) =>
    page.note({ what: 'refused', channel: channel.name, data: error }),
  )
  channel.listenToAll((/** @type {string} */ event, /** @type {any} */ data) =>
    page.note({ what: 'heard', channel: channel.name, event, data }),
  )
  return channel.name
}
