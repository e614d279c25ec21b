import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { noViolations } from './helpers/axe.js'
import { launchBrowser, screenshots } from './helpers/browser.js'
import { CheckIns, exampleConfig } from './helpers/checkins.js'
import { addPerson, signIn } from './helpers/people.js'
import { Line } from './helpers/proxy.js'
import { Server } from './helpers/server.js'

const secret = 'a secret of the tests alone, 32 bytes'

/** @type {Server} */
let server
/** @type {import('playwright-core').Browser} */
let browser
/** @type {Awaited<ReturnType<typeof CheckIns.build>>} */
let built
/** @type {CheckIns} */
let service
/** @type {import('./helpers/people.js').Person} */
let counselor
let folder = ''
let student = 0

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'belfry-dashboard-'))
  built = await CheckIns.build()
  server = await Server.start({
    env: {
      BELFRY_CONFIG: exampleConfig,
      CHECKINS_DATABASE_URL: `sqlite://${join(folder, 'checkins.db')}`,
      SERVICES_WEBHOOK_SHARED_SECRET: secret,
    },
  })
  service = await CheckIns.start(built.program, {
    dir: folder,
    webhook: hookOf(server.url),
    secret,
  })
  student = await service.addStudent('Ada Nwosu')
  counselor = await addPerson(server, 'counselor@example.test', { name: 'Casey' })
  browser = await launchBrowser()
})
after(async () => {
  await browser?.close()
  await service?.stop()
  await server?.stop()
  await built?.remove()
  await rm(folder, { recursive: true, force: true })
})

/** @param {string} url of the server */
const hookOf = url => `${url}/api/dashboard/notify-update`

/**
 * Opens the dashboard as a counselor and waits until it is live. broadcasts are
 * the stats of each DashboardUpdated event, as they come.
 *
 * @param {import('node:test').TestContext} t
 * @param {{url?: string} & import('playwright-core').BrowserContextOptions} [options]
 */
async function open(t, { url = server.url, ...options } = {}) {
  const context = await browser.newContext(options)
  t.after(() => context.close())
  const page = await context.newPage()
  /** @type {Record<string, any>[]} */
  const broadcasts = []
  page.on('websocket', socket =>
    socket.on('framereceived', ({ payload }) => {
      const { event, data } = JSON.parse(String(payload))
      if (event === 'DashboardUpdated') broadcasts.push(JSON.parse(data).stats)
    }),
  )
  /** @type {string[]} */
  const faults = []
  page.on('pageerror', fault => faults.push(String(fault)))
  t.after(() => assert.deepEqual(faults, []))
  await signIn(page, /** @type {Server} */ ({ url }), counselor)
  await page.goto(`${url}/dashboard`)
  await page.locator('.board-status[data-connection=live]').waitFor()
  await page.evaluate(() => {
    Object.assign(window, { sameDocument: true })
  })
  return { page, broadcasts, count: await numberOf(page) }
}

const figure = '[data-figure=this_week_checkins] .figure-value'

/** @param {import('playwright-core').Page} page */
const numberOf = async page => Number(await page.locator(figure).innerText())

/**
 * Waits until the figure is a number, in a page that was not loaded anew.
 *
 * @param {import('playwright-core').Page} page
 * @param {number} count
 */
async function shows(page, count, timeout = 20_000) {
  await page.waitForFunction(
    ([where, text]) => document.querySelector(String(where))?.textContent === text,
    [figure, String(count)],
    { timeout },
  )
  assert.equal(await page.evaluate(() => 'sameDocument' in window), true, 'it was loaded anew')
}

test('dashboard: a check-in changes the figure without a reload', async t => {
  const { page, count } = await open(t)
  const times = []
  for (let n = 1; n <= 5; n++) {
    await service.checkIn(student)
    const answered = performance.now()
    await shows(page, count + n)
    times.push(Math.round(performance.now() - answered))
    await pause(600) // a change long after the one before is told of at once
  }
  t.diagnostic(`from the check-in's answer to the page: ${times.join(', ')} ms`)
  assert.ok(Math.min(...times) < 1000, `${times} ms`)
  await page
    .locator('[data-figure=this_week_checkins][data-changed]')
    .waitFor({ state: 'detached' })
})

test('dashboard: ten check-ins at once are three broadcasts at most, and the last is exact', async t => {
  const { page, broadcasts, count } = await open(t)
  const began = performance.now()
  await Promise.all(Array.from({ length: 10 }, () => service.checkIn(student)))
  const took = performance.now() - began
  await shows(page, count + 10)
  // Whatever belongs to the ten comes before what tells of one more.
  await service.checkIn(student)
  await shows(page, count + 11)
  const those = broadcasts.filter(({ this_week_checkins: n }) => n <= count + 10)
  t.diagnostic(`${those.length} broadcasts for ten check-ins in ${Math.round(took)} ms`)
  // One at once, and one each half a second: two more for what took up to 200 ms.
  assert.ok(those.length <= 2 + Math.ceil(took / 500), `${those.length} in ${took} ms`)
  assert.equal(those.at(-1)?.this_week_checkins, count + 10)
})

test('dashboard: after the line was cut during a change it is right', async t => {
  const line = await Line.open(t, server)
  const { page, count } = await open(t, { url: line.url })
  line.cut()
  await service.checkIn(student)
  await page.locator('.board-status:not([data-connection=live])').waitFor()
  assert.equal(await numberOf(page), count)
  line.mend()
  await shows(page, count + 1, 60_000)
  await page.locator('.board-status[data-connection=live]').waitFor({ timeout: 60_000 })
  await service.checkIn(student)
  await shows(page, count + 2)
})

test('dashboard: a change while the receiver is down for ten seconds arrives', async t => {
  const hook = await Line.open(t, server)
  const dir = await mkdtemp(join(folder, 'away-'))
  // The same database, and a sender of its own that posts through the line.
  const away = await CheckIns.start(built.program, {
    dir,
    webhook: hookOf(hook.url),
    secret,
    database: `sqlite://${join(folder, 'checkins.db')}`,
  })
  t.after(() => away.stop())
  const { page, count } = await open(t)
  hook.cut()
  await away.checkIn(student)
  await pause(10_000)
  assert.equal(await numberOf(page), count)
  hook.mend()
  const mended = performance.now()
  await shows(page, count + 1, 60_000)
  t.diagnostic(`${Math.round(performance.now() - mended)} ms after the receiver was back`)
})

test('dashboard: a server that was down for ten seconds tells of the change', async t => {
  const { page, count } = await open(t)
  await server.end('SIGTERM')
  await service.checkIn(student)
  await page.locator('.board-status:not([data-connection=live])').waitFor()
  await pause(10_000)
  await server.begin()
  await shows(page, count + 1, 60_000)
  await page.locator('.board-status[data-connection=live]').waitFor({ timeout: 60_000 })
})

test('dashboard: the Python sender in an application of FastAPI moves the same page', async t => {
  const python = await CheckIns.startFastAPI({ dir: folder, webhook: hookOf(server.url), secret })
  t.after(() => python.stop())
  const { page, count } = await open(t)
  await python.checkIn(student, { mood: 'Awesome' })
  const answered = performance.now()
  await shows(page, count + 1)
  t.diagnostic(`${Math.round(performance.now() - answered)} ms from FastAPI's answer to the page`)
})

test('dashboard: a page on another range follows too', async t => {
  const { page, count } = await open(t)
  await page.getByLabel('Range').selectOption('today')
  await page.waitForFunction(() => document.querySelector('select')?.value === 'today')
  await page.locator('[aria-busy=true]').waitFor({ state: 'detached' })
  const today = await numberOf(page)
  assert.ok(today <= count)
  await service.checkIn(student)
  await shows(page, today + 1)
  assert.match(page.url(), /range=today/)
  await page.reload()
  await page.locator('.board-status[data-connection=live]').waitFor()
  assert.equal(await numberOf(page), today + 1)
})

test('dashboard: nobody sees it without signing in', async t => {
  const page = await browser.newPage()
  t.after(() => page.close())
  await page.goto(`${server.url}/dashboard`)
  await page.getByRole('heading', { name: 'Sign in first' }).waitFor()
  const link = page.locator('main').getByRole('link', { name: 'Sign in' })
  assert.match((await link.getAttribute('href')) ?? '', /login\?to=%2Fdashboard$/)
})

test('dashboard: it is free of what axe-core finds, in light and dark, large and small', async t => {
  await service.checkIn(student, { mood: 'Upset' })
  for (const viewport of [
    { width: 1280, height: 800 },
    { width: 390, height: 844 },
  ]) {
    for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
      const { page } = await open(t, { viewport, colorScheme, reducedMotion: 'reduce' })
      await page.locator('.u-over').waitFor()
      await noViolations(page, `the dashboard, ${viewport.width} wide, ${colorScheme}`)
      await page.screenshot({
        path: join(screenshots, `dashboard-${viewport.width}-${colorScheme}.png`),
        fullPage: true,
      })
    }
  }
})
