import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Office } from './helpers/office.js'

const office = Office.forTests()

test('what is composed is counted, shown, sent once, and arrives in an open window', async t => {
  const ada = await office.somebody()
  const page = await office.open(t, '/new')
  const title = '<b>Fire</b> drill & <img src=x onerror=alert(1)>'
  await page.field('Title').fill(title)
  await page.field('Message').fill('At <i>noon</i>.')
  await page.button(/^Send now/).waitFor()
  await page.page.getByText('People with a role').click()
  await page.audience.getByText('Choose a role.').waitFor()
  await page.page.getByRole('checkbox', { name: ada.role }).check()
  await page.counts(1, 0)
  await page.audience.getByText(ada.name).waitFor()
  const window = await office.window(t, ada)
  await page.counts(1, 1) // without a reload

  // The preview is text, everywhere.
  const preview = page.page.getByRole('region', { name: 'How it looks' })
  assert.equal(await preview.getByText(title, { exact: true }).count(), 3)
  assert.equal(await preview.locator('b, i, img').count(), 0)

  await page.button(/^Send now/).click()
  await page.dialog.getByText('1 person gets it, 1 of them has a page open now.').waitFor()
  await page.answer('Send to 1 person').dblclick()
  await page.says('It is on its way.')
  await window.counts(1)
  await window.toasts.getByText(title).waitFor()
  assert.equal(await window.toasts.locator('b, i, img').count(), 0)
  await window.row(title).waitFor()

  // The page shows what became of it, and nothing was sent twice.
  await page.page.getByRole('heading', { level: 1, name: title }).waitFor()
  const figures = page.page.locator('.numbers dd')
  await figures.nth(1).getByText('1 100 %').waitFor()
  assert.equal((await office.titled(title)).length, 1)
})

test('another try after a lost answer sends nothing twice', async t => {
  const ada = await office.somebody()
  const page = await office.open(t, '/new')
  let sent = 0
  await page.page.route('**/api/notifications', async route => {
    if (route.request().method() === 'POST' && ++sent === 1) {
      await route.fetch()
      return route.abort()
    }
    return route.continue()
  })
  const title = `Sent by ${ada.role}`
  await page.field('Title').fill(title)
  await page.field('Message').fill('Once.')
  await page.page.getByText('People with a role').click()
  await page.page.getByRole('checkbox', { name: ada.role }).check()
  await page.button(/^Send now/).click()
  await page.answer(/^Send to/).click()
  await page.page.getByRole('alert').filter({ hasText: 'The server does not answer.' }).waitFor()
  await page.button(/^Send now/).click()
  await page.answer(/^Send to/).click()
  await page.says('It is on its way.')
  assert.equal(sent, 2)
  assert.equal((await office.titled(title)).length, 1)
})

test('a scheduled one goes out by itself, at the time of the browser’s zone', async t => {
  const ada = await office.somebody()
  const window = await office.window(t, ada)
  const page = await office.open(t, '/new', { timezoneId: 'Asia/Kolkata' })
  const title = `Soon for ${ada.role}`
  await page.field('Title').fill(title)
  await page.field('Message').fill('By itself.')
  await page.page.getByText('People with a role').click()
  await page.page.getByRole('checkbox', { name: ada.role }).check()
  await page.page.getByText('At a time', { exact: true }).click()
  await page.page.getByText(/^In your zone, Asia.(Kolkata|Calcutta)\.$/).waitFor()
  const time = await page.time(8)
  await page.field('Goes out at').fill(time)
  await page.button(/^Schedule/).click()
  await page.answer('Schedule').click()
  await page.says('It is scheduled.')
  await page.row(title).locator('.badge', { hasText: 'Scheduled' }).waitFor()
  await window.counts(1)
  const [one] = await office.titled(title)
  assert.equal(Date.parse(one.scheduled_at), Date.parse(`${time}+05:30`))
  assert.ok(Date.parse(one.sent_at) >= Date.parse(one.scheduled_at), JSON.stringify(one))
  t.diagnostic(`sent ${Date.parse(one.sent_at) - Date.parse(one.scheduled_at)} ms after its time`)
  // The list of scheduled ones has nothing to show then; that of all says it went.
  await page.page.getByText('Nothing fits').waitFor()
  await page.page.getByRole('link', { name: 'All', exact: true }).click()
  await page.row(title).locator('.badge', { hasText: 'Sent' }).waitFor()
})

test('everything that is wrong is said at its field, and nothing is stored', async t => {
  const page = await office.open(t, '/new')
  const before = (await office.ask('GET')).notifications.length
  await page.field('Title').fill('x'.repeat(256))
  await page.field('Link').fill('javascript:alert(1)')
  await page.page.getByText(/^More:/).click()
  await page.field('Importance').fill('many')
  await page.field('Colour').fill('red')
  await page.field('Data').fill('[1]')
  await page.page.getByText('Named people').click()
  await page.page.getByText('At a time', { exact: true }).click()
  await page.field('Goes out at').fill('2001-01-01T09:00')
  await page.field('Expires').fill('2000-01-01T09:00')
  for (const name of [/^Schedule/, 'Save draft']) {
    await page.button(name).click()
    await page.page.getByText(/fields have a fault\./).waitFor()
    const faults = await page.faults()
    const all = {
      Title: /256 characters/,
      Message: /missing/,
      Link: /https:/,
      Importance: /whole number/,
      Colour: /hexadecimal/,
      Data: /JSON object/,
      'Whom it is for': /empty/,
      'Goes out at': /past/,
      Expires: /past/,
    }
    if (name === 'Save draft') delete (/** @type {any} */ (all)['Goes out at']) // has no time
    assert.deepEqual(Object.keys(faults).sort(), Object.keys(all).sort())
    for (const [label, words] of Object.entries(all)) assert.match(faults[label], words)
    assert.equal(await page.dialog.count(), 0)
    const focused = () => page.page.evaluate(() => document.activeElement?.getAttribute('name'))
    assert.equal(await focused(), 'title')
  }
  // What is mended is no longer marked.
  await page.field('Title').fill('Short')
  assert.equal((await page.faults())['Title'], undefined)
  await page.field('Expires').fill('')
  assert.equal((await page.faults())['Expires'], undefined)
  assert.equal((await office.ask('GET')).notifications.length, before)
})

test('an expiry before the schedule is refused in the dialog’s place', async t => {
  const page = await office.open(t, '/new')
  await page.field('Title').fill('Late')
  await page.field('Message').fill('Later.')
  await page.page.getByText('At a time', { exact: true }).click()
  await page.field('Goes out at').fill(await page.time(7200))
  await page.field('Expires').fill(await page.time(3600))
  await page.button(/^Schedule/).click()
  await page.page.getByText('One field has a fault.').waitFor()
  assert.match((await page.faults())['Expires'], /expire before it is sent/)
})
