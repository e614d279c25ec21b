import assert from 'node:assert/strict'
import { test } from 'node:test'
import { api } from './helpers/notifications.js'
import { Office } from './helpers/office.js'
import { addToken } from './helpers/people.js'

/** @typedef {import('./helpers/people.js').Person} Person */
/** @type {Person} */
let ada
/** @type {Person} */
let bob

const office = Office.forTests(async office => {
  ada = await office.add('ada@example.com', 'Ada Lovelace', 'crew')
  bob = await office.add('bob@example.com', 'Bob Moran', 'crew')
  await office.add('cyd@example.net', 'Cyd Kern', 'crew', 'guest')
})

test('who lacks the role is told so, and gets nothing from the API', async t => {
  const one = await office.make({ title: 'Not for Ada' })
  const { page } = await office.openAs(t, ada)
  await page.getByRole('heading', { name: 'This page is not yours to open' }).waitFor()
  assert.equal(await page.getByRole('link', { name: 'Manage' }).count(), 0)
  for (const path of ['/new', '/stats', `/${one.id}`]) {
    await page.goto(`${office.server.url}/admin/notifications${path}`)
    await page.getByRole('heading', { name: 'This page is not yours to open' }).waitFor()
  }
  const token = decodeURIComponent(
    (await page.context().cookies()).find(({ name }) => name === 'XSRF-TOKEN')?.value ?? '',
  )
  const all = 'api/notifications'
  for (const [method, path] of [
    ...['', '/stats', `/${one.id}`, `/${one.id}/stats`].map(path => ['GET', all + path]),
    ...['', '/check', '/preview'].map(path => ['POST', all + path]),
    ...['send', 'schedule', 'cancel'].map(step => ['POST', `${all}/${one.id}/${step}`]),
    ['PATCH', `${all}/${one.id}`],
    ['DELETE', `${all}/${one.id}`],
    ['GET', 'api/users?q=mira'],
    ['GET', 'api/users/roles'],
  ]) {
    const answer = await page.evaluate(
      async ([method, path, token]) => {
        const response = await fetch(`/${path}`, {
          method: String(method),
          headers: { 'X-XSRF-TOKEN': String(token), 'Content-Type': 'application/json' },
          ...(method !== 'GET' && { body: '{}' }),
        })
        return [response.status, await response.text()]
      },
      [method, path, token],
    )
    assert.equal(answer[0], 403, `${method} ${path}: ${answer}`)
    assert.ok(!String(answer[1]).includes('mira@'), `${path}: ${answer}`)
  }
  assert.equal((await office.ask('GET', `/${one.id}`)).title, 'Not for Ada')

  const guest = await office.guest(t)
  await guest.goto(`${office.server.url}/admin/notifications`)
  await guest.getByRole('heading', { name: 'Sign in first' }).waitFor()
})

test('statistics count who had a page open, who read and who dismissed', async t => {
  const window = await office.window(t, ada)
  const target = { type: 'roles', roles: ['crew'] }
  const one = await office.send({ title: 'Counted', target })
  await window.counts(1)
  const page = await office.open(t, `/${one.id}`, {
    timezoneId: 'Pacific/Auckland',
  })
  const figures = async (/** @type {string[]} */ ...want) => {
    await page.page.waitForFunction(
      want =>
        [...document.querySelectorAll('.numbers dd')]
          .map(one => one.textContent?.trim())
          .join('|') === want,
      want.join('|'),
      { timeout: 30_000 },
    )
  }
  await figures('3', '1 33 %', '0 0 %', '0 0 %')
  const his = await addToken(office.server, bob, 'notifications')
  for (const mark of ['read', 'dismiss']) {
    await api(office.server, his, 'POST', `/api/user/notifications/${one.id}/${mark}`)
  }
  await window.row('Counted').getByRole('link', { name: 'Counted' }).click()
  await figures('3', '1 33 %', '2 67 %', '1 33 %') // by itself
  const cells = () =>
    page.page
      .locator('.chart table tbody tr')
      .evaluateAll(rows =>
        rows.map(row => [...row.children].slice(1).map(cell => cell.textContent?.trim())),
      )
  await page.button('Table').click()
  const sum = (/** @type {(string | undefined)[][]} */ rows, /** @type {number} */ column) =>
    rows.reduce((all, row) => all + Number(row[column]), 0)
  const hours = await cells()
  assert.deepEqual([sum(hours, 0), sum(hours, 1), sum(hours, 2)], [1, 2, 1])

  await page.go('/stats?days=7')
  const [all] = [await office.ask('GET', '/stats?days=7')]
  assert.deepEqual([all.sent, all.read], [1, 2])
  await figures('1', '3', '1 33 %', '2 67 %', '1 33 %')
  await page.button('Table').click()
  const days = await cells()
  assert.equal(days.length, 7)
  assert.deepEqual([sum(days, 0), sum(days, 1), sum(days, 2)], [1, 2, 1])
  assert.deepEqual(days.at(-1), ['1', '2', '1'], 'today of the browser’s zone is the last day')
})

test('the progress of a sending is shown', async t => {
  const one = await office.make({ title: 'A long way' })
  const page = await office.open(t)
  let reached = 500
  await page.page.route(`**/api/notifications/${one.id}`, route =>
    route.fulfill({
      json: {
        ...one,
        status: reached < 2000 ? 'sending' : 'sent',
        sent_at: new Date().toISOString(),
        stats: { recipients: reached, delivered_live: 0, read: 0, dismissed: 0 },
      },
    }),
  )
  await page.page.route('**/api/notifications/preview', route =>
    route.fulfill({ json: { recipients: 2000, online: 3, sample: [] } }),
  )
  await page.go(`/${one.id}`)
  await page.page.getByText('Going out to 500 of 2,000 people').waitFor()
  const bar = page.page.getByRole('progressbar')
  assert.equal(await bar.evaluate(bar => /** @type {HTMLProgressElement} */ (bar).position), 0.25)
  reached = 2000
  await bar.waitFor({ state: 'detached' })
  await page.page.locator('.badge', { hasText: 'Sent' }).waitFor()
})
