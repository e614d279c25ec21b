import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { noViolations } from './helpers/axe.js'
import { screenshots } from './helpers/browser.js'
import { addPerson, signIn } from './helpers/people.js'
import { Line } from './helpers/proxy.js'
import { live, numberOf, Stage, shows } from './helpers/stage.js'

/** @type {Stage} */
let stage

before(async () => {
  stage = await Stage.start()
})
after(() => stage?.stop())

test('dashboard: a check-in changes the figure without a reload', async t => {
  const { page, count } = await stage.open(t)
  const times = []
  for (let n = 1; n <= 5; n++) {
    await stage.service.checkIn(stage.student)
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
  const { page, broadcasts, count } = await stage.open(t)
  const began = performance.now()
  await Promise.all(Array.from({ length: 10 }, () => stage.service.checkIn(stage.student)))
  const took = performance.now() - began
  await shows(page, count + 10)
  // Whatever belongs to the ten comes before what tells of one more.
  await stage.service.checkIn(stage.student)
  await shows(page, count + 11)
  const those = broadcasts.filter(({ this_week_checkins: n }) => n <= count + 10)
  t.diagnostic(`${those.length} broadcasts for ten check-ins in ${Math.round(took)} ms`)
  // One at once, and one each half a second: two more for what took up to 200 ms.
  assert.ok(those.length <= 2 + Math.ceil(took / 500), `${those.length} in ${took} ms`)
  assert.equal(those.at(-1)?.this_week_checkins, count + 10)
})

test('dashboard: after the line was cut during a change it is right', async t => {
  const line = await Line.open(t, stage.server)
  const { page, count } = await stage.open(t, { url: line.url })
  line.cut()
  await stage.service.checkIn(stage.student)
  await live(page, false)
  assert.equal(await numberOf(page), count)
  line.mend()
  await shows(page, count + 1)
  await live(page)
  await stage.service.checkIn(stage.student)
  await shows(page, count + 2)
})

test('dashboard: the Python sender in an application of FastAPI moves the same page', async t => {
  const python = await stage.fastAPI(t)
  const { page, count } = await stage.open(t)
  await python.checkIn(stage.student, { mood: 'Awesome' })
  const answered = performance.now()
  await shows(page, count + 1)
  t.diagnostic(`${Math.round(performance.now() - answered)} ms from FastAPI's answer to the page`)
})

test('dashboard: a page on another range follows too', async t => {
  const { page, count } = await stage.open(t)
  await page.getByLabel('Range').selectOption('today')
  await page.waitForFunction(() => document.querySelector('select')?.value === 'today')
  await page.locator('[aria-busy=true]').waitFor({ state: 'detached' })
  const today = await numberOf(page)
  assert.ok(today <= count)
  await stage.service.checkIn(stage.student)
  await shows(page, today + 1)
  assert.match(page.url(), /range=today/)
  await page.reload()
  await live(page)
  assert.equal(await numberOf(page), today + 1)
})

test('dashboard: nobody sees it without signing in', async t => {
  const page = await stage.browser.newPage()
  t.after(() => page.close())
  await page.goto(`${stage.server.url}/dashboard`)
  await page.getByRole('heading', { name: 'Sign in first' }).waitFor()
  const link = page.locator('main').getByRole('link', { name: 'Sign in' })
  assert.match((await link.getAttribute('href')) ?? '', /login\?to=%2Fdashboard$/)
})

test('dashboard: who has no right to it is told so', async t => {
  const page = await stage.browser.newPage()
  t.after(() => page.close())
  const guest = await addPerson(stage.server, 'guest@example.test')
  await signIn(page, stage.server, guest)
  await page.goto(`${stage.server.url}/dashboard`)
  await page.getByRole('heading', { name: 'This dashboard is not yours to see' }).waitFor()
  await noViolations(page)
})

test('dashboard: one that is not there is told of', async t => {
  const { page } = await stage.open(t)
  await page.goto(`${stage.server.url}/dashboard/nowhere`)
  await page.getByRole('heading', { name: 'There is no such dashboard' }).waitFor()
  await noViolations(page)
})

test('dashboard: it is free of what axe-core finds, in light and dark, large and small', async t => {
  await stage.service.checkIn(stage.student, { mood: 'Upset' })
  for (const viewport of [
    { width: 1280, height: 800 },
    { width: 390, height: 844 },
  ]) {
    for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
      const { page } = await stage.open(t, { viewport, colorScheme, reducedMotion: 'reduce' })
      await page.locator('.u-over').waitFor()
      await noViolations(page, `the dashboard, ${viewport.width} wide, ${colorScheme}`)
      await page.screenshot({
        path: join(screenshots, `dashboard-${viewport.width}-${colorScheme}.png`),
        fullPage: true,
      })
    }
  }
})
