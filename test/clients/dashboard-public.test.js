import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { noViolations } from './helpers/axe.js'
import { launchBrowser } from './helpers/browser.js'
import { addPerson } from './helpers/people.js'
import { Server } from './helpers/server.js'

/** @type {Server} */
let server
/** @type {import('playwright-core').Browser} */
let browser
let folder = ''

const people = {
  name: 'people',
  title: 'People',
  kind: 'number',
  sql: 'SELECT count(*) FROM users',
}
const named = { name: 'newest', kind: 'rows', personal: true, sql: 'SELECT name FROM users' }

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'belfry-public-'))
  server = await Server.start({
    config: {
      dashboards: [
        { name: 'default', title: 'Ours', database: 'belfry', figures: [people] },
        { name: 'open', title: 'Open', database: 'belfry', public: true, figures: [people, named] },
      ],
    },
    env: { SERVICES_WEBHOOK_SHARED_SECRET: 'a-secret-of-these-tests-and-of-nothing-else' },
  })
  await addPerson(server, 'ada@example.test', { name: 'Ada' })
  browser = await launchBrowser()
})
after(async () => {
  await browser?.close()
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

test('dashboard: a public one is live for everybody, without what names people', async t => {
  const page = await browser.newPage()
  t.after(() => page.close())
  await page.goto(`${server.url}/dashboard/open`)
  await page.locator('.board-status[data-connection=live]').waitFor()
  const value = page.locator('[data-figure=people] .figure-value')
  assert.equal(await value.innerText(), '1')
  assert.equal(await page.locator('[data-figure=newest]').count(), 0)
  assert.ok(!(await page.content()).includes('Ada'))
  await noViolations(page)

  await addPerson(server, 'bert@example.test', { name: 'Bert' })
  const body = join(folder, 'body.json')
  await writeFile(body, JSON.stringify({ reason: 'user added', stats: null, dashboard: 'open' }))
  await server.run('webhook:send', `${server.url}/api/dashboard/notify-update`, body)
  await value.getByText('2', { exact: true }).waitFor()

  // The others stay closed.
  assert.equal(await page.getByRole('navigation', { name: 'Dashboards' }).count(), 0)
  await page.goto(`${server.url}/dashboard`)
  await page.getByRole('heading', { name: 'Sign in first' }).waitFor()
})
