import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Inbox } from './helpers/inbox.js'

const inbox = Inbox.forTests()

test('ten thousand rows scroll to the end with some dozen in the page', async t => {
  const total = 10_000
  const row = (/** @type {number} */ n) => {
    const sent = new Date(Date.UTC(2026, 0, 1) - n * 60_000).toISOString()
    return {
      ...{
        id: `n${n}`,
        title: `Number ${n}`,
        message: n % 3 ? 'Short.' : 'A longer one. '.repeat(20),
      },
      ...{ type: 'system', priority: 'medium', dismissible: true, data: {}, version: 1 },
      ...{ created_at: sent, sent_at: sent, expires_at: null, read_at: null },
    }
  }
  const person = await inbox.somebody()
  const window = await inbox.window(t, person, {
    prepare: page =>
      page.route(/\/api\/user\/notifications\?/, route => {
        const query = new URL(route.request().url()).searchParams
        const from = Number(query.get('cursor') ?? 0)
        const to = Math.min(total, from + Number(query.get('limit')))
        const standing = { unread_count: total, state_version: 1 }
        const rows = Array.from({ length: to - from }, (_, n) => row(from + n))
        return route.fulfill({
          json: query.has('since')
            ? { notifications: [], removed: [], more: false, ...standing }
            : { notifications: rows, next_cursor: to < total ? `${to}` : null, ...standing },
        })
      }),
  })
  const { page } = window
  const found = await page.evaluate(async total => {
    let most = 0
    let slowest = 0
    const frame = () => new Promise(resolve => requestAnimationFrame(resolve))
    for (const end = Date.now() + 75_000; Date.now() < end; ) {
      scrollTo(0, document.documentElement.scrollHeight)
      const before = performance.now()
      await frame()
      slowest = Math.max(slowest, performance.now() - before)
      const rows = [...document.querySelectorAll('.n-row')]
      most = Math.max(most, rows.length)
      const last = Math.max(...rows.map(row => Number(row.getAttribute('aria-posinset'))))
      if (last === total) return { most, slowest, last }
    }
    return { most, slowest, last: document.querySelector('.n-end')?.textContent }
  }, total)
  assert.equal(found.last, total, `reached ${JSON.stringify(found)}`)
  assert.ok(found.most <= 60, `${found.most} rows in the page`)
  t.diagnostic(`slowest frame ${Math.round(found.slowest)} ms, at most ${found.most} rows`)
  // What is not loaded by the page itself is there at once on the way back.
  await page.evaluate(() => scrollTo(0, 0))
  await window.row('Number 0').waitFor()
  assert.equal(await window.rows.first().getAttribute('aria-setsize'), `${total}`)
})
