import { test } from 'node:test'
import { Inbox } from './helpers/inbox.js'
import { Look } from './helpers/looks.js'

/** @type {import('./helpers/people.js').Person} */
let user
const inbox = Inbox.forTests(async inbox => {
  const seeding = await inbox.server.run('db:seed', '--class=NotificationTestSeeder', '--json')
  const { people } = JSON.parse(seeding)
  user = people.find((/** @type {any} */ person) => person.email === 'user@example.com')
  const inAnHour = new Date(Date.now() + 3_000_000).toISOString()
  await inbox.send({
    ...{ title: 'Deploy of the evening', icon: '🚀', color: '#7a3fb0', priority: 'high' },
    ...{ message: 'It begins soon. '.repeat(30), type: 'announcement', category: 'releases' },
    ...{ expires_at: inAnHour, action_url: '/dashboard', action_text: 'Watch it' },
  })
})

for (const look of Look.all) {
  test(`the notification centre: ${look.name}`, async t => {
    const window = await inbox.window(t, user, look.options)
    const { page } = window
    await window.row('Deploy of the evening').waitFor()
    await look.check(page, 'notifications')
    await window.bell.click()
    await window.panel.getByText('Deploy of the evening').waitFor()
    await look.check(page, 'notifications-bell')
    await page.keyboard.press('Escape')
    for (let n = 1; n < 3; n++) await window.rows.nth(n).locator('.n-pick input').check()
    await inbox.send({
      ...{ title: `Hello, ${look.name}`, priority: 'low', action_url: '/x' },
      ...{ target: { type: 'users', users: [user.id] }, action_text: 'Look' },
    })
    await window.toasts.getByText('Hello').waitFor({ timeout: 20_000 })
    await look.check(page, 'notifications-picked')
    await window.row('Deploy of the evening').getByRole('link').first().click()
    await page.getByRole('dialog').getByText('Watch it').waitFor()
    await window.clearToasts()
    await look.check(page, 'notifications-open')
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Settings' }).click()
    await page.getByRole('dialog', { name: 'Settings' }).waitFor()
    await look.check(page, 'notifications-settings')
    await page.keyboard.press('Escape')
    await page.getByLabel('Search').fill('nothing of the kind')
    await page.getByRole('heading', { name: 'Nothing matches' }).waitFor()
    await look.check(page, 'notifications-nothing')
    await page.route(/\/api\/user\/notifications\?.*status=/, route =>
      route.fulfill({ status: 503, json: { error: 'the database does not answer' } }),
    )
    await page.getByLabel('Search').fill('')
    await page.getByRole('button', { name: 'Archived' }).click()
    await page.getByRole('button', { name: 'Try again' }).waitFor()
    await look.check(page, 'notifications-failed')
  })
}
