import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { noViolations } from './helpers/axe.js'
import { Board, figure, sample } from './helpers/board.js'
import { launchBrowser, openPage, screenshots } from './helpers/browser.js'
import { addPerson, signIn } from './helpers/people.js'
import { Server } from './helpers/server.js'

/** @type {Server} */
let server
/** @type {import('playwright-core').Browser} */
let browser
/** Cookies of a manager. @type {Awaited<ReturnType<import('playwright-core').BrowserContext['storageState']>>} */
let session

before(async () => {
  server = await Server.start()
  const manager = await addPerson(server, 'manager@example.test', { roles: ['manager'] })
  browser = await launchBrowser()
  const page = await browser.newPage()
  await signIn(page, server, manager)
  session = await page.context().storageState()
  await page.context().close()
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

/**
 * Opens the page on figures that the test makes up.
 *
 * @param {import('node:test').TestContext} t
 * @param {Board} board
 * @param {{socket?: boolean, path?: string} &
 *   import('playwright-core').BrowserContextOptions} [options]
 */
async function open(t, board, { socket = true, path = '/dashboard', ...options } = {}) {
  const page = await openPage(t, browser, {
    reducedMotion: 'no-preference',
    ...options,
    storageState: session,
  })
  await board.attach(page)
  if (!socket) await page.routeWebSocket(/.*/, route => route.close())
  await page.goto(server.url + path)
  return page
}

/** @param {import('playwright-core').Page} page @param {string} name */
const card = (page, name) => page.locator(`[data-figure=${name}]`)

/** @param {import('playwright-core').Page} page */
const refresh = page => page.getByRole('button', { name: 'Refresh' }).click()

test('dashboard states: a figure that fails shows its last value and its time, never zero', async t => {
  const board = new Board(
    { ...sample, students_monitored: null, flags: 5 },
    {
      meta: {
        students_monitored: { stale: true, as_of: null },
        flags: { stale: true, as_of: '2026-11-20T10:30:00.000Z' },
      },
    },
  )
  const page = await open(t, board, { timezoneId: 'Europe/Berlin', locale: 'en-GB' })
  await card(page, 'students_monitored').getByText('could not be computed').waitFor()
  const text = await card(page, 'students_monitored').innerText()
  assert.ok(text.includes('–') && !text.includes('0'), text)
  // The time is that of the browser's zone, an hour ahead.
  await card(page, 'flags').getByText('as of 20 Nov 2026, 11:30:00').waitFor()
  assert.match(await card(page, 'flags').innerText(), /^High-risk flags\s+5\s/)
  await noViolations(page)
  await page.screenshot({ path: join(screenshots, 'dashboard-stale.png'), fullPage: true })
})

test('dashboard states: a number says how it compares, by more than colour', async t => {
  const page = await open(t, new Board())
  const flags = card(page, 'flags').locator('.figure-change')
  await flags.waitFor()
  assert.equal(await flags.getAttribute('data-tone'), 'bad')
  assert.match((await flags.textContent()) ?? '', /up by 3 \(150%\) last week: 2/)
  const checkins = card(page, 'checkins').locator('.figure-change')
  assert.match((await checkins.textContent()) ?? '', /down by 7 \(7%\) last week: 100/)
  assert.equal(await card(page, 'rate').locator('.figure-change').count(), 0)
  assert.equal(await card(page, 'rate').locator('.figure-value').innerText(), '87.5 %')
})

test('dashboard states: what the database holds is text', async t => {
  const page = await open(t, new Board())
  await page.getByRole('cell', { name: 'Zoë <b>Müller</b>' }).waitFor()
  assert.equal(await page.locator('main b').count(), 0)
})

test('dashboard states: figures stay when they cannot be fetched again', async t => {
  const board = new Board()
  const page = await open(t, board)
  await card(page, 'checkins').waitFor()
  board.refusal = {
    status: 503,
    body: { error: 'the database does not answer', code: 'unavailable' },
  }
  await refresh(page)
  const notice = page.locator('.board-notice')
  await notice.getByText('the database does not answer').waitFor()
  assert.equal(await card(page, 'checkins').locator('.figure-value').innerText(), '93')
  await noViolations(page)
  board.refusal = undefined
  board.stats = { ...sample, checkins: 94 }
  await notice.getByRole('button', { name: 'Try again' }).click()
  await notice.waitFor({ state: 'detached' })
  assert.equal(await card(page, 'checkins').locator('.figure-value').innerText(), '94')
})

test('dashboard states: nothing came at all', async t => {
  const board = new Board()
  board.refusal = { status: 500, body: { error: 'internal error', code: 'internal' } }
  const page = await open(t, board)
  await page.getByRole('alert').getByText('internal error').waitFor()
  board.refusal = undefined
  await page.getByRole('button', { name: 'Try again' }).click()
  await card(page, 'checkins').waitFor()
})

test('dashboard states: a range that there is not leaves the choice of another', async t => {
  const page = await open(t, new Board(), { path: '/dashboard?range=ever' })
  await page.getByRole('alert').getByText('there is no such range').waitFor()
  await noViolations(page)
  await page.getByLabel('Range').selectOption('This week')
  await card(page, 'checkins').waitFor()
  await page.getByRole('alert').waitFor({ state: 'detached' })
})

test('dashboard states: an empty range', async t => {
  const board = new Board({ ...sample, checkins: 0, by_mood: [], recent_alerts: [] })
  const page = await open(t, board)
  await card(page, 'by_mood').getByText('Nothing in this time.').waitFor()
  await card(page, 'recent_alerts').getByText('None in this time.').waitFor()
  assert.equal(await card(page, 'checkins').locator('.figure-value').innerText(), '0')
  await noViolations(page)
})

test('dashboard states: without a socket it polls, and says so', async t => {
  const board = new Board()
  const page = await open(t, board, { socket: false })
  await page.locator('.board-status[data-connection=polling]').waitFor()
  await page.locator('.board-notice').getByText('the live connection is away').waitFor()
  await noViolations(page)
})

test('dashboard states: a session that ended leads to the sign-in', async t => {
  const board = new Board()
  const page = await open(t, board)
  await card(page, 'checkins').waitFor()
  await page.route('**/api/user', route => route.fulfill({ status: 401, json: { error: 'x' } }))
  board.refusal = { status: 401, body: { error: 'nobody is signed in', code: 'unauthorized' } }
  // The page may have asked already, and be gone.
  await page.evaluate(() => {
    for (const button of document.querySelectorAll('button')) {
      if (button.textContent === 'Refresh') button.click()
    }
  })
  await page.getByRole('heading', { name: 'Sign in first' }).waitFor()
  assert.equal(await card(page, 'checkins').count(), 0)
})

test('dashboard states: there is none', async t => {
  const board = new Board()
  board.refusal = {
    status: 404,
    body: { error: 'there is no dashboard default', code: 'not_found' },
  }
  const page = await open(t, board)
  await page.getByRole('heading', { name: 'There is no dashboard yet' }).waitFor()
  await noViolations(page)
})

test('dashboard states: days are those of the dashboard’s zone, also when the clocks change', async t => {
  const board = new Board(
    {
      ...sample,
      by_mood: [
        { time: '2026-10-19T00:00:00+02:00', series: 'Great', value: 3 },
        { time: '2026-10-25T00:00:00+02:00', series: 'Great', value: 25 },
      ],
    },
    {
      timezone: 'Europe/Berlin',
      start: '2026-10-19T00:00:00+02:00',
      end: '2026-10-26T00:00:00+01:00',
    },
  )
  const page = await open(t, board, { timezoneId: 'America/New_York', locale: 'en-GB' })
  await card(page, 'by_mood').getByRole('button', { name: 'Table' }).click()
  const rows = await card(page, 'by_mood').locator('tbody tr').allInnerTexts()
  assert.deepEqual(
    rows.map(text => text.replace(/\s+/g, ' ').trim()),
    ['19 3', '20 0', '21 0', '22 0', '23 0', '24 0', '25 25'].map((of, n) => {
      const [day, value] = of.split(' ')
      return `${'Mon Tue Wed Thu Fri Sat Sun'.split(' ')[n]}, ${day} Oct 2026 ${value}`
    }),
  )
  await page
    .locator('.board-days')
    .getByText(/^Mon.*19.*Sun.*25 Oct 2026 \(Europe.Berlin\)$/)
    .waitFor()
})

test('dashboard states: hours of a day of 25, weeks, and names beyond the ninth', async t => {
  const names = Array.from({ length: 12 }, (_, n) => `Mood ${String(n).padStart(2, '0')}`)
  const series = names.map(name => ({ time: '2026-10-25T02:00:00+02:00', series: name, value: 1 }))
  const board = new Board(
    { by_hour: series, by_week: [{ time: '2026-10-18T00:00:00+02:00', value: 4 }] },
    {
      timezone: 'Europe/Berlin',
      week_starts: 'sunday',
      start: '2026-10-25T00:00:00+02:00',
      end: '2026-10-26T00:00:00+01:00',
      figures: [
        figure('by_hour', 'By hour', 'series', { bucket: 'hour' }),
        figure('by_week', 'By week', 'series', { bucket: 'week' }),
      ],
    },
  )
  const page = await open(t, board, { locale: 'en-GB' })
  const hours = card(page, 'by_hour')
  await hours.getByRole('button', { name: 'Table' }).click()
  assert.equal(await hours.locator('tbody tr').count(), 25)
  const heads = await hours.locator('thead th').allInnerTexts()
  assert.deepEqual(heads, ['Time', ...names.slice(0, 8), '4 others'])
  assert.match(
    await hours.locator('tbody tr').nth(2).innerText(),
    /1\s+1\s+1\s+1\s+1\s+1\s+1\s+1\s+4$/,
  )
  const weeks = card(page, 'by_week')
  await weeks.getByRole('button', { name: 'Table' }).click()
  assert.deepEqual(
    (await weeks.locator('tbody tr').allInnerTexts()).map(text => text.replace(/\s+/g, ' ')),
    ['Week of Sun, 18 Oct 2026 4', 'Week of Sun, 25 Oct 2026 0'],
  )
})

test('dashboard states: the keys read the chart, hide a series and change the range', async t => {
  const page = await open(t, new Board(), { locale: 'en-GB' })
  const chart = page.getByRole('application', { name: 'Check-ins by mood' })
  await chart.locator('.u-over').waitFor()
  await chart.focus()
  await page.keyboard.press('ArrowRight')
  const said = card(page, 'by_mood').getByRole('status')
  assert.match((await said.textContent()) ?? '', /^Mon, .*: Anxious \d, Awesome \d, .* total \d+$/)
  await page.keyboard.press('End')
  assert.match((await said.textContent()) ?? '', /^Sun, .* total 0$/)
  await page.locator('.chart-tooltip').waitFor()
  await page.keyboard.press('Escape')
  await page.locator('.chart-tooltip').waitFor({ state: 'detached' })
  const awesome = page.getByRole('button', { name: 'Awesome' })
  await awesome.focus()
  await page.keyboard.press('Space')
  assert.equal(await awesome.getAttribute('aria-pressed'), 'false')
  await chart.focus()
  await page.keyboard.press('ArrowRight')
  assert.doesNotMatch((await said.textContent()) ?? '', /Awesome/)
  await page.getByLabel('Range').focus()
  await page.keyboard.press('ArrowDown')
  await page.waitForURL(/range=last_week/)
})

for (const reducedMotion of /** @type {const} */ (['reduce', 'no-preference'])) {
  test(`dashboard states: a changed figure is marked, motion: ${reducedMotion}`, async t => {
    const board = new Board()
    const page = await open(t, board, { reducedMotion })
    await card(page, 'checkins').waitFor()
    await page.locator('.board-status[data-connection=live]').waitFor()
    board.stats = { ...sample, checkins: 94 }
    // What moves is looked at in the moment in which the mark appears.
    const moves = page.evaluate(
      () =>
        new Promise(resolve => {
          new MutationObserver((_, observer) => {
            if (!document.querySelector('[data-figure=checkins][data-changed]')) return
            observer.disconnect()
            requestAnimationFrame(() =>
              resolve(
                document
                  .getAnimations()
                  .map(one => /** @type {any} */ (one).animationName ?? 'transition'),
              ),
            )
          }).observe(document.body, { subtree: true, childList: true, attributes: true })
        }),
    )
    await refresh(page)
    const found = /** @type {string[]} */ (await moves)
    if (reducedMotion === 'reduce') assert.deepEqual(found, [])
    else assert.ok(found.includes('glow'), String(found))
    assert.equal(await page.locator('[data-figure=flags][data-changed]').count(), 0)
    await page.locator('[data-changed]').first().waitFor({ state: 'detached' })
  })
}

test('dashboard states: several dashboards lead to each other', async t => {
  const board = new Board()
  const page = await open(t, board)
  await page.route('**/api/dashboards', route =>
    route.fulfill({
      json: {
        dashboards: [
          { name: 'default', title: 'Check-ins' },
          { name: 'schools', title: 'Schools' },
        ],
      },
    }),
  )
  await page.reload()
  board.view = { dashboard: 'schools', title: 'Schools' }
  await page
    .getByRole('navigation', { name: 'Dashboards' })
    .getByRole('link', { name: 'Schools' })
    .click()
  await page.getByRole('heading', { name: 'Schools', level: 1 }).waitFor()
  assert.equal(new URL(page.url()).pathname, '/dashboard/schools')
  assert.match(await page.title(), /Schools/)
  await noViolations(page)
})
