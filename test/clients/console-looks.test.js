import { test } from 'node:test'
import { full } from './helpers/apps.js'
import { Client } from './helpers/client.js'
import { ControlRoom } from './helpers/console.js'
import { Look } from './helpers/looks.js'
import { addPerson } from './helpers/people.js'

const room = ControlRoom.forTests()

for (const look of Look.all) {
  test(`every page, ${look.name}`, async t => {
    const client = Client.open(t, room.server, full)
    client.pusher.subscribe('orders')
    await client.event('orders', 'pusher_internal:subscription_succeeded')
    await room.rest.trigger('orders', 'order.paid', { n: 1 })
    const eve = await addPerson(room.server, `eve-${look.file}@example.com`, { name: 'Eve' })
    const context = await room.open(t, '', { person: eve })
    await context.evaluate(async () => {
      const token = /XSRF-TOKEN=([^;]+)/.exec(document.cookie)?.[1] ?? ''
      await fetch('/broadcasting/auth', {
        method: 'POST',
        headers: { 'X-XSRF-TOKEN': decodeURIComponent(token) },
        body: new URLSearchParams({ socket_id: '1.1', channel_name: 'private-admin' }),
      })
    })
    const page = await room.open(t, '', look.options)
    await page.locator('.chart canvas').first().waitFor()
    await look.check(page, 'console-overview')
    for (const [path, shown] of /** @type {const} */ ([
      ['/log', '.c-log li'],
      ['/connections', 'tbody tr'],
      ['/channels', 'tbody tr'],
      [`/channels/${full.id}/orders`, 'tbody tr'],
      ['/explain?user=1&channel=orders&event=order.paid', '.c-verdict'],
      ['/denials', 'tbody tr'],
      ['/webhooks', '.empty'],
      ['/webhooks?side=in', '.empty'],
      ['/apps', '.c-usage li'],
      ['/health', 'tbody tr'],
      ['/audit', 'main h1'],
    ])) {
      await page.goto(`${room.server.url}/console${path}`)
      await page.locator(shown).first().waitFor()
      await look.check(page, `console${path.replaceAll(/[^a-z]+/g, '-')}`)
    }
    await page.goto(`${room.server.url}/console/log?q=order.paid`)
    await page.locator('.c-log li[data-what=published]').first().click()
    await page.locator('.c-timeline li').first().waitFor()
    await look.check(page, 'console-event')
  })
}
