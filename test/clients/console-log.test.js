import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as after } from 'node:timers/promises'
import { full } from './helpers/apps.js'
import { Client } from './helpers/client.js'
import { ControlRoom } from './helpers/console.js'

const room = ControlRoom.forTests()

/**
 * Publishes this many events a second, in batches, until the test ends.
 *
 * @param {import('node:test').TestContext} t
 * @param {number} rate
 */
function flood(t, rate) {
  const state = { sent: 0, ended: false }
  const began = Date.now()
  const run = async () => {
    while (!state.ended) {
      const due = Math.floor(((Date.now() - began) / 1000) * rate) - state.sent
      if (due < 50) {
        await after(10)
        continue
      }
      const batch = Array.from({ length: 50 }, (_, n) => ({
        channel: `flood-${n % 5}`,
        name: 'tick',
        data: { n: state.sent + n },
      }))
      for (let n = 0; n < 50; n += 10) await room.rest.triggerBatch(batch.slice(n, n + 10))
      state.sent += 50
    }
  }
  const done = run()
  t.after(async () => {
    state.ended = true
    await done
  })
  return state
}

test('the log follows 1,000 events a second, says that it is sampled, and answers at once', async t => {
  const client = Client.open(t, room.server, full)
  for (let n = 0; n < 5; n++) client.pusher.subscribe(`flood-${n}`)
  await client.event('flood-4', 'pusher_internal:subscription_succeeded')
  const page = await room.open(t, '/log', { viewport: { width: 1280, height: 800 } })
  await page.locator('.c-log-state', { hasText: 'Live.' }).waitFor()
  const state = flood(t, 1000)
  await page.locator('.c-log-state[data-sampled=true]').waitFor({ timeout: 30_000 })
  await page.locator('.c-log-state', { hasText: /Sampled: [\d,]+ of [\d,]+ entries/ }).waitFor()

  // How long the page was busy at a time, over some seconds of it.
  const before = state.sent
  const measured = await page.evaluate(async () => {
    /** @type {number[]} */
    const tasks = []
    const observer = new PerformanceObserver(list => {
      for (const { duration } of list.getEntries()) tasks.push(duration)
    })
    observer.observe({ type: 'longtask' })
    let frames = 0
    const began = performance.now()
    while (performance.now() - began < 5000) {
      await new Promise(resolve => requestAnimationFrame(resolve))
      frames++
    }
    observer.disconnect()
    const rows = document.querySelectorAll('.c-log li').length
    return { longest: Math.max(0, ...tasks), frames, rows }
  })
  t.diagnostic(`${(state.sent - before) / 5} events a second, ${JSON.stringify(measured)}`)
  assert.ok(measured.longest < 1000, `the page froze for ${measured.longest} ms`)
  assert.ok(measured.frames > 25, `${measured.frames} frames in five seconds`)
  assert.ok(measured.rows < 100, `${measured.rows} rows stand in the page`)

  // What is clicked and typed while it goes on takes effect.
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.getByText(/more came/).waitFor()
  const top = page.locator('.c-log li').first()
  const held = await top.textContent()
  await after(1000)
  assert.equal(await top.textContent(), held, 'a paused log stands still')
  await top.getByRole('button').click()
  await page.getByRole('dialog').getByRole('list', { name: 'Timeline' }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.waitForFunction(
    held => document.querySelector('.c-log li')?.textContent !== held,
    held,
  )
  await page.getByRole('button', { name: 'Denials' }).click()
  await page.getByText('Nothing fits yet').waitFor()
  await page.getByRole('button', { name: 'Denials' }).click()
  await page.getByLabel('Search').fill('flood-3')
  await page.waitForFunction(() => {
    const rows = [...document.querySelectorAll('.c-log li')]
    return rows.length > 0 && rows.every(row => row.textContent?.includes('flood-3'))
  })
  const { search } = new URL(page.url())
  assert.equal(search, '?q=flood-3')
})

test('a row leads to its timeline, and who scrolls down is left to read', async t => {
  const page = await room.open(t, '/log')
  await page.locator('.c-log-state', { hasText: 'Live.' }).waitFor()
  await room.rest.trigger('orders', 'order.paid', { n: 1 })
  await page.getByLabel('Search').fill('order.paid')
  const row = page.locator('.c-log li[data-what=published]', { hasText: 'order.paid' }).first()
  await row.getByText('nobody was subscribed').waitFor()
  await row.getByRole('button').click()
  const dialog = page.getByRole('dialog', { name: 'Event order.paid' })
  await dialog.locator('[data-step=published]').waitFor()
  await dialog.getByRole('region', { name: 'Verdict' }).waitFor()
  await dialog.getByRole('button', { name: 'Close' }).click()
  await page.getByLabel('Search').fill('')
  for (let n = 0; n < 30; n++) await room.rest.trigger('orders', 'order.many', { n })
  await page.locator('.c-log li', { hasText: 'order.many' }).first().waitFor()
  await page.locator('.c-log').evaluate(box => box.scrollTo({ top: 400 }))
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByRole('button', { name: 'Pause' }).waitFor()
  await page.waitForFunction(() => document.querySelector('.c-log')?.scrollTop === 0)
})
