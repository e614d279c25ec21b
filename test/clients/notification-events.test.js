import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Inbox } from './helpers/inbox.js'

const inbox = Inbox.forTests()

test('what expires and what is taken back leave list, bell and toasts', async t => {
  const ada = await inbox.somebody()
  const window = await inbox.window(t, ada)
  await inbox.send({ title: 'Stays', target: ada.target })
  const withdrawn = await inbox.send({ title: 'Withdrawn', target: ada.target })
  const expires_at = new Date(Date.now() + 4000).toISOString()
  await inbox.send({ title: 'Short', expires_at, target: ada.target })
  await window.row('Withdrawn').waitFor({ timeout: 20_000 })
  await window.row('Short').waitFor({ state: 'detached', timeout: 20_000 })
  assert.ok(Date.now() >= Date.parse(expires_at) - 1000, 'not before its time')
  await window.counts(2)
  await inbox.withdraw(withdrawn)
  await window.row('Withdrawn').waitFor({ state: 'detached', timeout: 20_000 })
  await window.counts(1)
  await window.lists(['Stays'])
  assert.equal(await window.page.title(), '(1) Notifications – Belfry')
})

test('events that come twice and in any order leave bell, list and title true', async t => {
  const ada = await inbox.somebody()
  const own = await inbox.own(ada)
  /** @type {(string | Buffer)[]} */
  const held = []
  let deliver = (/** @type {string | Buffer} */ _) => {}
  const window = await inbox.window(t, ada, {
    viewport: { width: 1280, height: 4000 }, // so that all rows are there
    prepare: page =>
      page.routeWebSocket(/\/app\//, socket => {
        const far = socket.connectToServer()
        deliver = frame => socket.send(frame)
        far.onMessage(frame => {
          if (String(frame).includes('notification.')) held.push(frame)
          else socket.send(frame)
        })
      }),
  })
  const roll = dice(20_261_122)
  /** @type {Set<number>} */
  const versions = new Set()
  for (let round = 0; round < 3; round++) {
    /** @type {any[]} */
    const sent = []
    for (let n = 0; n < 8; n++) {
      sent.push(await inbox.send({ title: `${round}.${n}`, target: ada.target }))
    }
    // All that can happen to them, from another device.
    const mark = (/** @type {number} */ n, /** @type {string} */ what) =>
      own('POST', `/${sent[n].id}/${what}`)
    // Several workers send them: the last need not be the last to arrive.
    await until(async () => {
      const { notifications } = await own('GET', '?limit=100')
      const there = new Set(notifications.map((/** @type {any} */ row) => row.title))
      return sent.every(one => there.has(one.title))
    }, 'all eight')
    await mark(0, 'read')
    await mark(1, 'read')
    await mark(1, 'unread')
    await mark(2, 'dismiss')
    await mark(3, 'archive')
    if (round === 1) await own('POST', '/read-all')
    await mark(4, 'unread')
    await inbox.withdraw(sent[5])
    await until(
      async () => held.some(frame => `${frame}`.includes('expired')),
      'what was taken back',
    )
    const truth = await own('GET', '?limit=100')
    await until(async () => {
      for (const frame of held) versions.add(JSON.parse(JSON.parse(`${frame}`).data).state_version)
      return versions.size === truth.state_version
    }, 'the events of all changes')
    const frames = [...held, ...held]
    held.length = 0
    for (; frames.length > 0; ) deliver(frames.splice(roll(frames.length), 1)[0])

    const want = truth.notifications
      .map((/** @type {any} */ row) => `${row.title} ${row.read_at === null}`)
      .sort()
    await window.counts(truth.unread_count)
    await window.page.waitForFunction(
      ([want, unread]) => {
        const rows = [...document.querySelectorAll('.n-row')].map(
          row =>
            `${row.querySelector('.n-title a')?.textContent} ${row.getAttribute('data-unread')}`,
        )
        return (
          JSON.stringify(rows.sort()) === want &&
          document.title === `(${unread}) Notifications – Belfry`
        )
      },
      /** @type {[string, number]} */ ([JSON.stringify(want), truth.unread_count]),
      { timeout: 20_000 },
    )
  }
})

test('markup is text on the page, in toasts, in the bell, outside of the page and in the API', async t => {
  const ada = await inbox.somebody()
  const own = await inbox.own(ada)
  const window = await inbox.window(t, ada, {
    prepare: page =>
      page.addInitScript(() => {
        const spy = /** @type {any} */ (globalThis)
        spy.told = []
        spy.Notification = class {
          static permission = 'granted'
          constructor(/** @type {string} */ title, /** @type {any} */ options) {
            spy.told.push([title, options.body])
          }
          close() {}
        }
        Object.defineProperty(document, 'visibilityState', {
          get: () => (spy.behind ? 'hidden' : 'visible'),
        })
      }),
  })
  const { page } = window
  await page.evaluate(() => Object.assign(globalThis, { behind: true }))
  const title = '<img src=x onerror="window.hacked=1"><b>bold</b> & “more”'
  const message = '<script>window.hacked=1</script><a href="javascript:hacked=1">x</a>'
  await inbox.send({ title, message, target: ada.target })
  await window.row(title).waitFor({ timeout: 20_000 })
  assert.equal(await window.row(title).locator('.n-message').textContent(), message)
  assert.equal(await window.toasts.locator('.belfry-item-title').textContent(), title)
  assert.equal(await window.toasts.locator('.belfry-item-message').textContent(), message)
  await page.waitForFunction(() => /** @type {any} */ (window).told.length > 0)
  const told = await page.evaluate(() => /** @type {any} */ (window).told)
  assert.deepEqual(told, [[title, message]])
  await window.bell.click()
  assert.equal(await window.panel.locator('.belfry-item-title').textContent(), title)
  await page.keyboard.press('Escape')
  await window.row(title).getByRole('link').click()
  await page.getByRole('dialog').getByText(message).waitFor()
  assert.equal(await page.getByRole('dialog').getByRole('heading').textContent(), title)
  assert.equal(await page.locator('.n-page img, .n-page b, .belfry-bell img, dialog b').count(), 0)
  assert.equal(await page.evaluate(() => /** @type {any} */ (window).hacked), undefined)

  const { notifications } = await own('GET')
  assert.equal(notifications[0].title, title)
  for (const html of [notifications[0].title_html, notifications[0].message_html]) {
    assert.ok(!/[<>"]/.test(html), html)
  }
  assert.ok(notifications[0].title_html.startsWith('&lt;img src=x onerror='))
})

/**
 * Numbers below a bound that follow from a seed.
 *
 * @param {number} seed
 */
function dice(seed) {
  let state = seed
  return (/** @type {number} */ bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

/**
 * Waits until something holds, 20 s at most.
 *
 * @param {() => Promise<boolean>} holds
 * @param {string} what
 */
async function until(holds, what) {
  for (const end = Date.now() + 20_000; !(await holds()); ) {
    if (Date.now() > end) throw new Error(`waited 20 s for ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
