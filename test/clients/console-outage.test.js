import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ControlRoom } from './helpers/console.js'

const room = ControlRoom.forTests()

/** @param {import('playwright-core').Page} page */
function banners(page) {
  return {
    lost: page.locator('[data-banner=lost]'),
    unready: page.locator('[data-banner=unready]'),
  }
}

test('a page says that the server was stopped, and is live again by itself', async t => {
  const page = await room.open(t)
  const figures = page.locator('[data-figure="Failed jobs"]')
  await figures.waitFor()
  const { lost, unready } = banners(page)
  assert.equal(await lost.count(), 0)
  assert.equal(await unready.count(), 0)

  await room.server.end('SIGTERM')
  await unready.getByText('it takes no new connections').waitFor()
  await lost.getByText('What stands below may be old').waitFor()
  await figures.waitFor()

  await room.server.begin()
  await lost.waitFor({ state: 'detached' })
  await unready.waitFor({ state: 'detached' })
  await figures.waitFor()
})

test('a page whose server was killed says that it is not live, and no more', async t => {
  const page = await room.open(t, '/health')
  await page.getByRole('heading', { level: 1, name: 'Health' }).waitFor()
  const { lost, unready } = banners(page)
  await room.server.end('SIGKILL')
  await lost.getByText('The stream from the server is lost').waitFor()
  assert.equal(await unready.count(), 0)
  // It is tried again and again meanwhile, which is no reason to say otherwise.
  const flickers = await page.evaluate(
    () =>
      new Promise(done => {
        let n = 0
        const seen = new MutationObserver(() => n++)
        const all = /** @type {Element} */ (document.querySelector('.c-banners'))
        seen.observe(all, { childList: true })
        setTimeout(() => done(n), 5000)
      }),
  )
  assert.equal(flickers, 0)
  await room.server.begin()
  await lost.waitFor({ state: 'detached' })
})

test('a part of a page that cannot be loaded at first comes later, with its styles', async t => {
  const page = await room.open(t, '/queues')
  await page.getByRole('heading', { level: 1, name: 'Queues' }).waitFor()
  const lost = new Set()
  await page.route(/\/assets\/Plot-/, route => {
    const url = route.request().url()
    if (lost.has(url)) return route.continue()
    lost.add(url)
    return route.abort()
  })
  await page.goto(`${room.server.url}/console/health`)
  await page.getByRole('heading', { level: 1, name: 'Health' }).waitFor()
  const plot = page.locator('.uplot').first()
  await plot.waitFor()
  assert.equal(lost.size, 1, [...lost].join(' '))
  assert.equal(
    await plot.locator('.u-over').evaluate(e => getComputedStyle(e).position),
    'absolute',
  )
})
