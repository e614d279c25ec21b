import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Office } from './helpers/office.js'

const office = Office.forTests()

test('two who edit one see both versions, and choose', async t => {
  const one = await office.make({ title: 'First words', category: 'old' })
  const page = await office.open(t, `/${one.id}`)
  await page.field('Title').fill('My words')
  await office.ask('PATCH', `/${one.id}`, {
    ...{ title: 'Their words', message: 'Their message.', revision: one.revision },
  })
  await page.button('Save draft').click()
  const part = (/** @type {string} */ name) => page.dialog.getByRole('group', { name })
  await part('Title').getByText('Their words').waitFor()
  await part('Title').getByText('My words').waitFor()
  // Each keeps what only they have changed, until it is chosen otherwise.
  assert.ok(await part('Title').getByLabel('Yours').isChecked())
  assert.ok(await part('Message').getByLabel('Theirs').isChecked())
  assert.equal(await part('Category').count(), 0)
  await page.answer('Save what is chosen').click()
  await page.says('Saved.')
  const now = await office.ask('GET', `/${one.id}`)
  assert.deepEqual([now.title, now.message, now.category], ['My words', 'Their message.', 'old'])
  assert.equal(await page.field('Message').inputValue(), 'Their message.')

  // What another saves shows at once while nothing is typed here.
  await office.ask('PATCH', `/${one.id}`, {
    ...{ title: 'Once more', revision: now.revision },
  })
  await page.page.waitForFunction(
    () => document.querySelector('input[name=title]')?.getAttribute('value') === 'Once more',
    undefined,
    { timeout: 20_000 },
  )
})

test('one that goes out while it is edited keeps what was typed in sight', async t => {
  const one = await office.make({ title: 'Going soon' })
  const page = await office.open(t, `/${one.id}`)
  await page.field('Message').fill('Typed too late.')
  await office.ask('POST', `/${one.id}/send`)
  await page.button('Save draft').click()
  await page.page.getByText('It has gone out or was cancelled meanwhile').first().waitFor()
  assert.equal(await page.field('Message').inputValue(), 'Typed too late.')
})

test('cancelling, taking back and deleting say what they do, and do it', async t => {
  const ada = await office.somebody()
  const { target } = ada
  const scheduled_at = new Date(Date.now() + 3_600_000).toISOString()
  await office.make({ title: 'Planned', target, scheduled_at })
  await office.make({ title: 'Unsent', target })
  const sent = await office.send({ title: 'Out already', target })
  const window = await office.window(t, ada)
  await window.counts(1)
  const page = await office.open(t)

  await page.choose('Planned', 'Cancel')
  await page.dialog.getByText('It will not go out.').waitFor()
  await page.answer('Back').click()
  await page.choose('Planned', 'Cancel')
  await page.answer('Do not send it').click()
  await page.row('Planned').locator('.badge', { hasText: 'Cancelled' }).waitFor()

  await page.choose('Unsent', 'Delete')
  await page.dialog.getByText('It is removed for good.').waitFor()
  await page.answer('Delete').click()
  await page.says('“Unsent” is deleted.')
  await page.row('Unsent').waitFor({ state: 'detached' })

  await page.choose('Out already', 'Take back')
  await page.dialog.getByText('It vanishes from the lists and bells of 1 person').waitFor()
  await page.answer('Take it back').click()
  await page.row('Out already').locator('.badge', { hasText: 'Cancelled' }).waitFor()
  await window.counts(0)
  assert.equal((await office.ask('GET', `/${sent.id}`)).status, 'cancelled')

  // Another time, from its own page.
  const more = await office.send({ title: 'Out again', target })
  await window.counts(1)
  await page.go(`/${more.id}`)
  await page.button('Delete').click()
  await page.dialog.getByText('removed with its statistics').waitFor()
  await page.answer('Delete').click()
  await page.says('“Out again” is deleted.')
  await window.counts(0)
  await page.go(`/${more.id}`)
  await page.page.getByText('There is no such notification').waitFor()
})

test('scheduling, sending and duplicating from the list', async t => {
  const ada = await office.somebody()
  const { target } = ada
  await office.make({ title: 'From the list', target, category: 'copied', icon: '🔥' })
  const page = await office.open(t)
  await page.choose('From the list', 'Schedule')
  await page.dialog.getByLabel('Goes out at').fill('2001-01-01T09:00')
  await page.answer('Set the time').click()
  await page.dialog.getByText('This time is past').waitFor()
  await page.dialog.getByRole('button', { name: 'In an hour' }).click()
  await page.answer('Set the time').click()
  await page.row('From the list').locator('.badge', { hasText: 'Scheduled' }).waitFor()
  await page.choose('From the list', 'Send now')
  await page.dialog.getByText('1 person gets it, 0 of them have a page open now.').waitFor()
  await page.answer('Send now').click()
  await page.row('From the list').locator('.badge', { hasText: 'Sent' }).waitFor()
  await page.choose('From the list', 'Duplicate')
  await page.page.getByRole('heading', { name: 'New notification' }).waitFor()
  assert.equal(await page.field('Title').inputValue(), 'From the list')
  await page.counts(1, 0)
  await page.button('Save draft').click()
  await page.says('Saved as a draft.')
  const drafts = (await office.ask('GET', '?status=draft&category=copied')).notifications
  assert.deepEqual(
    drafts.map((/** @type {any} */ one) => [one.title, one.icon, one.target.roles]),
    [['From the list', '🔥', [ada.role]]],
  )
  assert.ok(page.page.url().endsWith(drafts[0].id), page.page.url())
})
