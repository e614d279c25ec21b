import { api } from './notifications.js'
import { addToken } from './people.js'

/**
 * Takes pictures of all pages of the management, and asks axe-core about each.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('./office.js').Office} office
 * @param {import('./people.js').Person[]} people whom a draft is for, Ada first
 * @param {import('./looks.js').Look} look
 */
export async function takePictures(t, office, people, look) {
  const long = 'A title of many words that has to break somewhere, <b>whatever</b> it says'
  const day = 86_400_000
  const sent = await office.send({
    ...{ title: `Sent: ${long}`, category: 'shots', priority: 'high', type: 'alert' },
    action_url: '/news',
  })
  await counted(office, people, sent.id)
  const draft = await office.make({
    ...{ title: 'A draft', category: 'shots', message: 'word '.repeat(60) },
    target: { type: 'users', users: people.map(({ id }) => id) },
  })
  const planned = await office.make({
    ...{ title: 'A scheduled one', category: 'shots', type: 'reminder' },
    scheduled_at: new Date(Date.now() + day).toISOString(),
    target: { type: 'active', days: 7 },
  })
  const manage = await office.open(t, '?category=shots', look.options)
  const { page } = manage
  const shot = (/** @type {string} */ name) => look.check(page, `manage-${name}`)
  await manage.row('A draft').first().waitFor()
  await shot('list')
  await page.getByRole('button', { name: 'Actions for A scheduled one' }).first().click()
  await shot('menu')
  await manage.rows.first().getByRole('button', { name: 'Cancel' }).click()
  await shot('cancel')
  await manage.go('?category=none')
  await page.getByText('Nothing fits').waitFor()
  await shot('none')
  await manage.go('/new')
  await manage.counts(4, 1)
  await shot('new')
  await page.getByText(/^More:/).click()
  await manage.field('Link').fill('javascript:alert(1)')
  await manage.button(/^Send now/).click()
  await page.getByText('3 fields have a fault.').waitFor()
  await shot('faults')
  await page.getByRole('link', { name: 'Statistics' }).click()
  await manage.answer('Leave').waitFor()
  await shot('leave')
  await manage.answer('Leave').click()
  await manage.go(`/${draft.id}`)
  await page.getByRole('button', { name: 'Remove Ada Lovelace' }).waitFor()
  await page.getByRole('combobox', { name: 'Find people' }).fill('c')
  await page.getByRole('option', { name: /Cyd/ }).waitFor()
  await shot('people')
  await page.keyboard.press('Escape')
  await manage.field('Title').fill('My title')
  await office.ask('PATCH', `/${draft.id}`, {
    ...{ title: 'Their title', message: 'Their message.', revision: draft.revision },
  })
  await manage.button('Save draft').click()
  await manage.dialog.getByText('Their title').waitFor()
  await shot('conflict')
  await manage.answer('Take all of theirs').click()
  await manage.says('Saved.')
  await manage.button(/^Send now/).click()
  await manage.answer('Send to 2 people').waitFor()
  await shot('send')
  await manage.answer('Back').click()
  await manage.go(`/${planned.id}`)
  await page.getByRole('heading', { name: 'Edit', exact: true }).waitFor()
  await shot('scheduled')
  await manage.go(`/${sent.id}`)
  await page.locator('.chart').waitFor()
  await shot('one')
  await manage.go('/stats')
  await page.locator('.chart').waitFor()
  await shot('stats')
}

/**
 * Has the first of some people read one, and the others dismiss it.
 *
 * @param {import('./office.js').Office} office
 * @param {import('./people.js').Person[]} people
 * @param {string} id
 */
async function counted(office, people, id) {
  for (const [n, person] of people.entries()) {
    const token = await addToken(office.server, person, 'notifications')
    const path = `/api/user/notifications/${id}/${n === 0 ? 'read' : 'dismiss'}`
    for (const end = Date.now() + 20_000; ; ) {
      const mine = await api(office.server, token, 'GET', '/api/user/notifications')
      if (mine.notifications.some((/** @type {any} */ one) => one.id === id)) break
      if (Date.now() > end) throw new Error('it did not arrive within 20 s')
    }
    await api(office.server, token, 'POST', path)
  }
}
