import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { full } from './helpers/apps.js'
import { Client } from './helpers/client.js'
import { ControlRoom } from './helpers/console.js'
import { Look } from './helpers/looks.js'
import { api } from './helpers/notifications.js'
import { Target } from './helpers/target.js'

const room = new ControlRoom()
/** @type {Target} */
let target

before(async () => {
  target = await Target.start('over quota: plan "sandbox" of account 4711 is used up')
  await room.start({
    env: {
      BROADCAST_CONNECTION: 'pusher',
      PUSHER_APP_ID: full.id,
      PUSHER_APP_KEY: full.key,
      PUSHER_APP_SECRET: full.secret,
      PUSHER_HOST: '127.0.0.1',
      PUSHER_PORT: String(target.port),
      PUSHER_SCHEME: 'http',
    },
  })
  target.url = room.server.url
})
after(async () => {
  await room.stop()
  target?.stop()
})

/** @param {string} event @param {object} data */
const queued = (event, data) =>
  api(room.server, room.token, 'POST', '/api/events', { event, channels: ['orders'], data })

test('an operator finds a failed job, reads its error, retries it, and sees its event arrive', async t => {
  const client = Client.open(t, room.server, full)
  client.pusher.subscribe('orders')
  await client.event('orders', 'pusher_internal:subscription_succeeded')
  const { id } = await queued('order.paid', { order: 17 })

  // The overview says that there is something to look at, and leads there.
  const page = await room.open(t)
  await page.locator('[data-figure="Failed jobs"][data-bad]').waitFor({ timeout: 30_000 })
  const banner = page.locator('[data-banner=degraded]')
  await banner.getByText(/jobs? failed/).waitFor({ timeout: 30_000 })
  await page.getByRole('link', { name: /^Failed jobs 1/ }).click()
  const group = page.getByRole('table', { name: 'Failed jobs by error' }).getByRole('row').nth(1)
  await group.getByText('over quota: plan "sandbox" of account # is used up').waitFor()

  const row = page.getByRole('table', { name: 'Failed jobs', exact: true }).getByRole('row').nth(1)
  await row.getByRole('button', { name: 'order.paid' }).click()
  const dialog = page.getByRole('dialog', { name: 'Failed job' })
  await dialog.locator('[data-error]', { hasText: 'account 4711 is used up' }).waitFor()
  await dialog.locator('pre', { hasText: '"order": 17' }).waitFor()
  await dialog.getByText(id, { exact: true }).waitFor()
  assert.equal(client.count('orders', 'order.paid'), 0)

  // The cause is mended; another try goes through.
  target.refusal = ''
  await dialog.getByRole('button', { name: 'Retry' }).click()
  const question = page.getByRole('dialog', { name: 'Try again?' })
  await question.getByText('order.paid').waitFor()
  await question.getByRole('button', { name: 'Retry' }).click()
  await page.getByText('1 job back in the queue.').waitFor()
  await page.getByText('No job has failed').waitFor()
  const heard = await client.event('orders', 'order.paid')
  assert.equal(heard.data.order, 17)

  // The operator sees it arrive: in the log, and in the event's timeline.
  await page.getByRole('link', { name: 'Live log' }).click()
  await page.getByLabel('Search').fill(id)
  const sent = page.locator('.c-log li[data-what=sent]')
  await sent.getByRole('button').first().click()
  const event = page.getByRole('dialog', { name: 'Event order.paid' })
  for (const step of ['queued', 'gave_up', 'sent']) {
    await event.locator(`[data-step=${step}]`).first().waitFor()
  }

  const { audit } = await room.ask('GET', 'audit')
  assert.equal(audit[0].action, 'failed.retry')
  assert.equal(audit[0].user.id, room.ada.id)
  assert.equal(audit[0].by, 'session')
})

test('failed jobs are retried and forgotten by their error', async t => {
  target.refusal = 'the plan of account 1 has no more events'
  for (let order = 1; order <= 3; order++) await queued('order.lost', { order })
  const page = await room.open(t, '/failed')
  const groups = page.getByRole('table', { name: 'Failed jobs by error' })
  await groups.getByRole('button', { name: 'Retry 3' }).waitFor({ timeout: 30_000 })
  target.refusal = 'another cause altogether'
  await queued('order.other', {})
  await groups.getByText('another cause altogether').waitFor({ timeout: 30_000 })
  await groups.getByRole('button', { name: /the plan of account #/ }).click()
  const jobs = page.getByRole('table', { name: 'Failed jobs', exact: true })
  await page.waitForFunction(
    () => document.querySelectorAll('[aria-label="Failed jobs"] tbody tr').length === 3,
  )
  assert.equal(await jobs.getByText('order.lost').count(), 3)
  await page.getByRole('button', { name: 'Forget all that fit' }).click()
  await page.getByRole('dialog').getByText('All failed jobs that fit the filters').waitFor()
  await page.getByRole('dialog').getByRole('button', { name: 'Forget', exact: true }).click()
  await page.getByText('3 jobs forgotten.').waitFor()
  await page.getByText('Nothing fits').waitFor()
  await page.getByRole('link', { name: 'Show all' }).click()
  await jobs.getByText('order.other').waitFor()
  assert.equal((await room.ask('GET', 'failed')).failed.length, 1)
})

for (const look of Look.all) {
  test(`failed jobs and queues, ${look.name}`, async t => {
    target.refusal = 'over quota: plan "sandbox" of account 4711 is used up'
    if ((await room.ask('GET', 'failed')).failed.length < 3) {
      for (let order = 1; order <= 2; order++) await queued('order.paid', { order })
    }
    const page = await room.open(t, '/failed', look.options)
    const groups = page.getByRole('table', { name: 'Failed jobs by error' })
    await groups.getByText('over quota').waitFor({ timeout: 30_000 })
    await look.check(page, 'console-failed')
    await page.getByRole('button', { name: 'order.paid' }).first().click()
    await page.getByRole('dialog').locator('pre').waitFor()
    await look.check(page, 'console-failed-one')
    await page.goto(`${room.server.url}/console/queues`)
    await page.getByRole('table', { name: 'Workers' }).waitFor()
    await look.check(page, 'console-queues')
  })
}
