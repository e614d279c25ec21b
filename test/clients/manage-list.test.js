import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Office } from './helpers/office.js'

const office = Office.forTests(async office => {
  await office.add('ada@example.com', 'Ada Lovelace', 'crew')
  await office.add('bob@example.com', 'Bob Moran', 'crew')
  await office.add('cyd@example.net', 'Cyd Kern', 'crew', 'guest')
})

test('people are found by name and email, with keys alone', async t => {
  const page = await office.open(t, '/new')
  await page.page.getByText('Named people').click()
  await page.audience.getByText('Name somebody.').waitFor()
  const find = page.page.getByRole('combobox', { name: 'Find people' })
  const offers = page.page.getByRole('listbox', { name: 'Fitting people' }).getByRole('option')
  await find.fill('EXAMPLE.com')
  await offers.filter({ hasText: 'bob@example.com' }).waitFor()
  await find.press('ArrowDown')
  await find.press('Enter')
  await page.counts(1, 0)
  await find.fill('cyd')
  await offers.filter({ hasText: 'Cyd Kern' }).waitFor()
  assert.equal(await offers.count(), 1)
  await find.press('Enter')
  await page.counts(2, 0)
  await find.fill('nobody of this name')
  await page.page.getByText('Nobody else fits.').waitFor()
  await find.press('Escape')
  await page.page.getByRole('button', { name: 'Remove Ada Lovelace' }).click()
  await page.counts(1, 0)
  await page.field('Title').fill('For one')
  await page.field('Message').fill('You.')
  await page.button('Save draft').click()
  await page.says('Saved as a draft.')
  // Its names are known again when it is opened anew.
  await page.page.reload()
  await page.page.getByRole('button', { name: 'Remove Cyd Kern' }).waitFor()
})

test('the list: status, search, filters and pages stand in the address', async t => {
  for (let n = 1; n <= 30; n++) {
    await office.make({ title: `Paged ${n}`, category: 'pages', priority: n % 2 ? 'low' : 'high' })
  }
  const page = await office.open(t, '?category=pages')
  await page.row('Paged 30').waitFor()
  assert.equal(await page.rows.count(), 25)
  await page.button('Show more').click()
  await page.row('Paged 1').waitFor()
  assert.equal(await page.rows.count(), 30)
  assert.equal(await page.button('Show more').count(), 0)
  await page.page.getByLabel('Priority').selectOption('high')
  await page.row('Paged 29').waitFor({ state: 'detached' })
  assert.equal(await page.rows.count(), 15)
  await page.page.getByRole('searchbox', { name: 'Search' }).fill('PAGED 2')
  await page.row('Paged 30').waitFor({ state: 'detached' })
  await page.row('Paged 2').waitFor()
  assert.equal(await page.rows.count(), 6) // 2, 20, 22, 24, 26, 28
  await page.page.reload()
  await page.row('Paged 28').waitFor()
  assert.equal(await page.rows.count(), 6)
  await page.page.getByRole('link', { name: 'Sent', exact: true }).click()
  await page.page.getByText('Nothing fits').waitFor()
  assert.match(page.page.url(), /\?status=sent&priority=high&category=pages&q=PAGED\+2$/)
  await page.page.getByRole('link', { name: 'Show all' }).click()
  await page.row('Paged 29').waitFor()
})

test('leaving asks when something was typed', async t => {
  const page = await office.open(t)
  const url = () => new URL(page.page.url()).pathname
  await page.page.getByRole('link', { name: 'New notification' }).click()
  // Nothing was typed: it is left without a word.
  await page.page.getByRole('link', { name: 'Statistics' }).click()
  await page.page.getByRole('heading', { name: 'Statistics' }).waitFor()
  await page.page.goBack()
  await page.field('Title').fill('Unsaved')
  await page.page.getByRole('link', { name: 'Statistics' }).click()
  await page.dialog.getByText('Leave without saving?').waitFor()
  await page.answer('Stay').click()
  assert.equal(await page.field('Title').inputValue(), 'Unsaved')
  await page.page.evaluate(() => history.back())
  await page.dialog.getByText('Leave without saving?').waitFor()
  assert.equal(url(), '/admin/notifications/new')
  await page.answer('Stay').click()
  assert.equal(await page.field('Title').inputValue(), 'Unsaved')
  // The browser itself asks when the tab is closed or reloaded.
  const asked = page.page.waitForEvent('dialog')
  await page.page.evaluate(() => {
    setTimeout(() => location.reload())
  })
  const question = await asked
  assert.equal(question.type(), 'beforeunload')
  await question.dismiss()
  assert.equal(await page.field('Title').inputValue(), 'Unsaved')
  await page.page.evaluate(() => history.back())
  await page.answer('Leave').click()
  await page.page.waitForURL(`${office.server.url}/admin/notifications`)
})

test('what does not load says so, and can be asked for again', async t => {
  const page = await office.open(t)
  let broken = true
  await page.page.route('**/api/notifications?*', route =>
    broken
      ? route.fulfill({ status: 403, json: { error: 'the moon is full', code: 'x' } })
      : route.continue(),
  )
  await page.go('')
  await page.page.getByRole('alert').filter({ hasText: 'The moon is full.' }).waitFor()
  broken = false
  await page.button('Try again').click()
  await page.rows.first().waitFor()
})
