import assert from 'node:assert/strict'
import { createECDH, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { Inbox } from './helpers/inbox.js'

const inbox = Inbox.forTests()

const titles = (/** @type {number} */ count) =>
  Array.from({ length: count }, (_, n) => ({ title: `Number ${n + 1}` }))

test('filters and search are in the address, and hold for what comes', async t => {
  const { window, page, person } = await inbox.withList(t, [
    { title: 'Backup done', type: 'system', category: 'operations' },
    { title: 'Backup failed', type: 'alert', priority: 'high', category: 'operations' },
    { title: 'Lunch', type: 'reminder', category: 'team', message: 'Soup at noon.' },
  ])
  await page.getByLabel('Type').selectOption('alert')
  await window.row('Lunch').waitFor({ state: 'detached' })
  await window.lists(['Backup failed'])
  assert.equal(new URL(page.url()).search, '?type=alert')
  await inbox.send({ target: person.target, title: 'Another alert', type: 'alert' })
  await inbox.send({ target: person.target, title: 'No alert' })
  await window.counts(5)
  await window.lists(['Another alert', 'Backup failed'])
  await page.getByLabel('Priority').selectOption('high')
  await window.row('Another alert').waitFor({ state: 'detached' })
  await page.reload()
  await window.row('Backup failed').waitFor()
  await window.lists(['Backup failed'])
  await page.getByRole('button', { name: 'Clear' }).click()
  await window.row('Lunch').waitFor()
  await page.getByLabel('Category').selectOption('operations')
  await window.row('Lunch').waitFor({ state: 'detached' })
  await window.lists(['Backup failed', 'Backup done'])
  await page.goBack()
  await window.row('Lunch').waitFor()

  // The text is looked for in title, message and category, in whatever case.
  await page.getByLabel('Search').fill('SOUP')
  await window.row('Backup done').waitFor({ state: 'detached' })
  await window.lists(['Lunch'])
  assert.equal(new URL(page.url()).searchParams.get('q'), 'SOUP')
  await page.getByLabel('Search').fill('nothing of the kind')
  await page.getByRole('heading', { name: 'Nothing matches' }).waitFor()
  await page.getByLabel('Search').fill('')
  await window.row('Lunch').waitFor()

  await page.getByRole('button', { name: 'Mark as read: Lunch' }).click()
  await page.getByRole('button', { name: 'Archive: Backup done' }).click()
  await page.getByRole('button', { name: /^Unread/ }).click()
  await window.row('Lunch').waitFor({ state: 'detached' })
  assert.equal((await window.titles()).length, 3)
  await page.getByRole('button', { name: 'Read', exact: true }).click()
  await window.row('Lunch').waitFor()
  await window.lists(['Lunch'])
  await page.getByRole('button', { name: 'Archived' }).click()
  await window.row('Backup done').waitFor()
  await page.getByRole('button', { name: 'Dismissed' }).click()
  await page.getByRole('heading', { name: 'Nothing dismissed' }).waitFor()
})

test('what is done with many says what it failed for', async t => {
  const { window, page, person } = await inbox.withList(t, titles(8))
  const kept = await inbox.send({ target: person.target, title: 'Stays', dismissible: false })
  await window.counts(9)
  const own = await inbox.own(person)
  const { notifications } = await own('GET')
  const bad = notifications.find((/** @type {any} */ row) => row.title === 'Number 5')
  let most = 0
  let now = 0
  await page.route(/\/api\/user\/notifications\/[^/]+\/\w+$/, async route => {
    most = Math.max(most, ++now)
    if (route.request().url().includes(bad.id)) {
      await route.fulfill({ status: 500, json: { error: 'the disk is full', code: 'internal' } })
    } else await route.continue()
    now--
  })
  await page.getByLabel('Pick: Number 8').check()
  await page.getByLabel('Pick: Number 2').click({ modifiers: ['Shift'] })
  await page.getByText('7 picked').waitFor()
  await page.getByRole('button', { name: 'Mark as read', exact: true }).click()
  const alert = page.getByRole('alert').filter({ hasText: 'Number 5' })
  await alert.waitFor()
  assert.equal(
    await alert.textContent(),
    'Not marked as read: “Number 5”. The server says: the disk is full. 6 marked as read.',
  )
  await window.counts(3)
  assert.ok(most <= 4, `${most} requests at once`)
  // What failed stays picked, for another try.
  await page.getByText('1 picked').waitFor()
  await page.unroute(/\/api\/user\/notifications\/[^/]+\/\w+$/)
  await page.getByRole('button', { name: 'Mark as read', exact: true }).click()
  await window.counts(2)
  await page.getByRole('checkbox', { name: 'Pick all' }).check()
  await page.getByRole('button', { name: 'Dismiss', exact: true }).click()
  await page.getByText('8 dismissed. 1 cannot be dismissed.').waitFor()
  await window.lists(['Stays'])
  await page.getByRole('button', { name: 'Mark all as read' }).first().click()
  await window.counts(0)
  await inbox.withdraw(kept)
  await page.getByRole('heading', { name: 'No notifications' }).waitFor()
})

test('the list can be used by keyboard alone', async t => {
  const { window, page } = await inbox.withList(t, titles(5))
  const focused = () =>
    page.evaluate(
      () => document.activeElement?.querySelector('.n-title a')?.textContent ?? 'elsewhere',
    )
  /** @param {string} title */
  const focuses = async title => {
    for (const end = Date.now() + 20_000; (await focused()) !== title; ) {
      assert.ok(Date.now() < end, `the focus is on ${await focused()}, not on ${title}`)
    }
  }
  await page.getByRole('checkbox', { name: 'Pick all' }).focus()
  await page.keyboard.press('Tab')
  await focuses('Number 5')
  await page.keyboard.press('ArrowDown')
  await focuses('Number 4')
  await page.keyboard.press('r')
  await window.counts(4)
  await page.keyboard.press('r')
  await window.counts(5)
  await page.keyboard.press('x')
  await page.getByText('1 picked').waitFor()
  await page.keyboard.press('x')
  // What goes leaves the focus with its neighbour.
  await page.keyboard.press('d')
  await window.row('Number 4').waitFor({ state: 'detached' })
  await focuses('Number 3')
  await page.keyboard.press('e')
  await window.row('Number 3').waitFor({ state: 'detached' })
  await focuses('Number 2')
  await page.keyboard.press('ArrowUp')
  await focuses('Number 5')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog', { name: 'Number 5' }).waitFor()
  await window.counts(2)
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await focuses('Number 5')
})

test('a link leads to one notification, whatever became of it', async t => {
  const { window, page, person } = await inbox.withList(t, titles(2))
  await window.bell.click()
  await window.panel.getByRole('button', { name: /^Unread: Number 1/ }).click()
  await page.getByRole('dialog', { name: 'Number 1' }).waitFor()
  await window.panel.waitFor({ state: 'detached' })
  await window.counts(1)
  const address = page.url()
  assert.match(address, /\/notifications\?id=\w/)
  await page.getByRole('dialog').getByRole('button', { name: 'Dismiss' }).click()
  await window.row('Number 1').waitFor({ state: 'detached' })
  await page.goto(address)
  await page.getByRole('dialog', { name: 'Number 1' }).getByText('A message.').waitFor()
  await page.goto(`${inbox.server.url}/notifications?id=unknown`)
  await page.getByText('It is not there any more.').waitFor()
  await page.keyboard.press('Escape')
  await window.row('Number 2').waitFor()
  assert.equal(new URL(page.url()).search, '')

  // One that comes as a toast opens too, from another page as well.
  await page.getByRole('link', { name: 'Dashboard' }).click()
  await inbox.send({ target: person.target, title: 'Third' })
  await window.toasts.getByRole('button', { name: 'Show' }).click({ timeout: 20_000 })
  await page.getByRole('dialog', { name: 'Third' }).waitFor()
})

test('what comes while somebody reads further down waits above', async t => {
  const { window, page, person } = await inbox.withList(t, titles(30))
  await page.mouse.move(640, 500)
  await page.mouse.wheel(0, 900)
  await page.waitForFunction(() => scrollY > 500)
  const seen = async () => {
    const box = await window.row('Number 18').boundingBox()
    return Math.round(box?.y ?? -1)
  }
  await window.row('Number 18').waitFor()
  const at = await seen()
  for (const title of ['New 1', 'New 2', 'New 3'])
    await inbox.send({ target: person.target, title })
  const pill = page.getByRole('button', { name: '3 new', exact: true })
  await pill.waitFor({ timeout: 20_000 })
  assert.equal(await seen(), at)
  await pill.click()
  await window.row('New 3').waitFor()
  await pill.waitFor({ state: 'detached' })
  assert.deepEqual((await window.titles()).slice(0, 4), ['New 3', 'New 2', 'New 1', 'Number 30'])
})

test('settings are asked for at a click and kept', async t => {
  const { window, page } = await inbox.withList(t, titles(1), {
    prepare: page =>
      page.addInitScript(() => {
        const spy = /** @type {any} */ (globalThis)
        spy.asked = 0
        const permitted = () => {
          spy.asked++
          spy.Notification.permission = 'granted'
          return Promise.resolve('granted')
        }
        const made = () => {}
        spy.Notification = Object.assign(made, {
          permission: 'default',
          requestPermission: permitted,
        })
      }),
  })
  const asked = () => page.evaluate(() => /** @type {any} */ (globalThis).asked)
  await page.getByRole('button', { name: 'Settings' }).click()
  const dialog = page.getByRole('dialog', { name: 'Settings' })
  assert.equal(await asked(), 0)
  await dialog.getByRole('switch', { name: 'Show them outside of this page' }).click()
  await dialog
    .getByRole('switch', { name: 'Show them outside of this page', checked: true })
    .waitFor()
  assert.equal(await asked(), 1)
  await dialog.getByRole('switch', { name: 'Play a sound' }).click()
  await dialog.getByRole('button', { name: 'Done' }).click()
  await window.bell.click()
  assert.equal(
    await window.panel.getByRole('button', { name: 'Mute' }).getAttribute('aria-pressed'),
    'true',
  )
  await page.reload()
  await window.live()
  await page.getByRole('button', { name: 'Settings' }).click()
  await dialog.getByRole('switch', { name: 'Play a sound', checked: false }).waitFor()
})

test('Web Push is turned on in the settings, and ends with signing out', async t => {
  const ecdh = createECDH('prime256v1')
  const keys = {
    p256dh: ecdh.generateKeys('base64url'),
    auth: randomBytes(16).toString('base64url'),
  }
  const { page } = await inbox.withList(t, titles(1), {
    permissions: ['notifications'],
    // Chromium without its maker's services has no push service to ask.
    prepare: page =>
      page.addInitScript(keys => {
        const endpoint = 'https://push.example.com/browser-1'
        const kept = 'test:subscribed'
        const subscription = {
          endpoint,
          toJSON: () => ({ endpoint, expirationTime: null, keys }),
          unsubscribe: async () => {
            localStorage.removeItem(kept)
            return true
          },
        }
        Object.assign(PushManager.prototype, {
          getSubscription: async () => (localStorage.getItem(kept) ? subscription : null),
          subscribe: async () => {
            localStorage.setItem(kept, 'yes')
            return subscription
          },
        })
      }, keys),
  })
  await page.getByRole('button', { name: 'Settings' }).click()
  const name = 'Reach this browser when no page is open'
  const asked = (/** @type {string} */ method) =>
    page.waitForResponse(
      response =>
        response.url().endsWith('/api/user/push-subscriptions') &&
        response.request().method() === method,
    )
  const told = asked('POST')
  await page.getByRole('switch', { name, checked: false }).click()
  assert.ok((await told).ok())
  await page.getByRole('switch', { name, checked: true }).waitFor({ timeout: 20_000 })
  await page.getByRole('button', { name: 'Done' }).click()
  const ended = asked('DELETE')
  await page.getByRole('button', { name: 'Sign out' }).click()
  assert.ok((await ended).ok())
  await page.getByRole('heading', { name: 'Sign in first' }).waitFor()
  assert.equal(await page.evaluate(() => localStorage.getItem('test:subscribed')), null)
})

test('a list that cannot be loaded says why, and loads once it can', async t => {
  const { window, page } = await inbox.withList(t, titles(3))
  const outage = /\/api\/user\/notifications\?.*status=/
  await page.route(outage, route =>
    route.fulfill({ status: 503, json: { error: 'the database does not answer', code: 'down' } }),
  )
  await page.getByRole('button', { name: 'Read', exact: true }).click()
  await page.getByRole('alert').filter({ hasText: 'The database does not answer.' }).waitFor()
  await page.unroute(outage)
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole('heading', { name: 'Nothing read yet' }).waitFor()
  // Signed out elsewhere: the page says so, and the way in leads back to it.
  await page.context().clearCookies()
  await page.evaluate(() => dispatchEvent(new Event('visibilitychange')))
  await page.getByRole('heading', { name: 'Sign in first' }).waitFor({ timeout: 20_000 })
  assert.equal(await window.rows.count(), 0)
})
