import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launchBrowser, openPage } from './browser.js'
import { CheckIns, exampleConfig } from './checkins.js'
import { addPerson, signIn } from './people.js'
import { Server } from './server.js'

export const secret = 'a-secret-of-these-tests-and-of-nothing-else'

/** The number that most tests look at. */
const figure = '[data-figure=this_week_checkins] .figure-value'

/** A server with the example's dashboard, the check-in service and a browser. */
export class Stage {
  student = 0
  #folder
  #built

  /**
   * @param {string} folder
   * @param {Awaited<ReturnType<typeof CheckIns.build>>} built
   * @param {Server} server
   * @param {CheckIns} service
   * @param {import('./people.js').Person} counselor
   * @param {import('playwright-core').Browser} browser
   */
  constructor(folder, built, server, service, counselor, browser) {
    this.#folder = folder
    this.#built = built
    this.server = server
    this.service = service
    this.counselor = counselor
    this.browser = browser
  }

  static async start() {
    const folder = await mkdtemp(join(tmpdir(), 'belfry-dashboard-'))
    const built = await CheckIns.build()
    const server = await Server.start({
      env: {
        BELFRY_CONFIG: exampleConfig,
        CHECKINS_DATABASE_URL: databaseIn(folder),
        SERVICES_WEBHOOK_SHARED_SECRET: secret,
      },
    })
    const place = { dir: folder, webhook: hookOf(server.url), secret }
    const service = await CheckIns.start(built.program, place)
    const details = { name: 'Casey', roles: ['manager'] }
    const counselor = await addPerson(server, 'counselor@example.test', details)
    const browser = await launchBrowser()
    const stage = new Stage(folder, built, server, service, counselor, browser)
    stage.student = await service.addStudent('Ada Nwosu')
    return stage
  }

  async stop() {
    await this.browser.close()
    await this.service.stop()
    await this.server.stop()
    await this.#built.remove()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /**
   * Another check-in service on the same database, which posts elsewhere.
   *
   * @param {import('node:test').TestContext} t
   * @param {string} url that stands for the server's
   */
  async serviceVia(t, url) {
    const dir = await mkdtemp(join(this.#folder, 'other-'))
    const place = { dir, webhook: hookOf(url), secret, database: databaseIn(this.#folder) }
    const service = await CheckIns.start(this.#built.program, place)
    t.after(() => service.stop())
    return service
  }

  /** The check-in service with FastAPI. @param {import('node:test').TestContext} t */
  async fastAPI(t) {
    const place = { dir: this.#folder, webhook: hookOf(this.server.url), secret }
    const service = await CheckIns.startFastAPI(place)
    t.after(() => service.stop())
    return service
  }

  /**
   * Opens the dashboard as a counselor and waits until it is live. broadcasts are
   * the stats of each DashboardUpdated event, as they come.
   *
   * @param {import('node:test').TestContext} t
   * @param {{url?: string} & import('playwright-core').BrowserContextOptions} [options]
   */
  async open(t, { url = this.server.url, ...options } = {}) {
    const page = await openPage(t, this.browser, { reducedMotion: 'no-preference', ...options })
    /** @type {Record<string, any>[]} */
    const broadcasts = []
    page.on('websocket', socket =>
      socket.on('framereceived', ({ payload }) => {
        const { event, data } = JSON.parse(String(payload))
        if (event === 'DashboardUpdated') broadcasts.push(JSON.parse(data).stats)
      }),
    )
    await signIn(page, /** @type {Server} */ ({ url }), this.counselor)
    await page.goto(`${url}/dashboard`)
    await live(page)
    await page.evaluate(() => {
      Object.assign(window, { sameDocument: true })
    })
    return { page, broadcasts, count: await numberOf(page) }
  }
}

/**
 * Waits until the dashboard is live, or is not.
 *
 * @param {import('playwright-core').Page} page
 */
export async function live(page, is = true) {
  const state = '[data-connection=live]'
  const status = page.locator(`.board-status${is ? state : `:not(${state})`}`)
  await status.waitFor({ timeout: 60_000 })
}

/** @param {import('playwright-core').Page} page */
export const numberOf = async page => Number(await page.locator(figure).innerText())

/**
 * Waits until the figure is a number, in a page that was not loaded anew.
 *
 * @param {import('playwright-core').Page} page
 * @param {number} count
 */
export async function shows(page, count, timeout = 60_000) {
  await page.waitForFunction(
    ([where, text]) => document.querySelector(String(where))?.textContent === text,
    [figure, String(count)],
    { timeout },
  )
  assert.equal(await page.evaluate(() => 'sameDocument' in window), true, 'it was loaded anew')
}

/** @param {string} url of the server */
const hookOf = url => `${url}/api/dashboard/notify-update`

/** @param {string} folder */
const databaseIn = folder => `sqlite://${join(folder, 'checkins.db')}`
