import { after, before, test } from 'node:test'
import { Stage } from './helpers/stage.js'

/** @type {Stage} */
let stage

before(async () => {
  stage = await Stage.start()
})
after(() => stage?.stop())

test('dashboard: without a socket the figure comes by polling', async t => {
  const { page, count } = await stage.open(t)
  await page.routeWebSocket(/.*/, route => route.close())
  await page.reload()
  await page.locator('.board-status[data-connection=polling]').waitFor()
  await page.locator('.board-notice').getByText('the live connection is away').waitFor()
  await stage.service.checkIn(stage.student)
  await page
    .locator('[data-figure=this_week_checkins] .figure-value')
    .getByText(String(count + 1), { exact: true })
    .waitFor({ timeout: 60_000 })
})
