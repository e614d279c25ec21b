import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Line } from './helpers/proxy.js'
import { live, numberOf, Stage, shows } from './helpers/stage.js'

/** @type {Stage} */
let stage

before(async () => {
  stage = await Stage.start()
})
after(() => stage?.stop())

test('dashboard: a change while the receiver is down for ten seconds arrives', async t => {
  const hook = await Line.open(t, stage.server)
  // The same database, and a sender of its own that posts through the line.
  const away = await stage.serviceVia(t, hook.url)
  const { page, count } = await stage.open(t)
  hook.cut()
  await away.checkIn(stage.student)
  await pause(10_000)
  assert.equal(await numberOf(page), count)
  hook.mend()
  const mended = performance.now()
  await shows(page, count + 1)
  t.diagnostic(`${Math.round(performance.now() - mended)} ms after the receiver was back`)
})

test('dashboard: a server that was down for ten seconds tells of the change', async t => {
  const { page, count } = await stage.open(t)
  await stage.server.end('SIGTERM')
  await stage.service.checkIn(stage.student)
  await live(page, false)
  await pause(10_000)
  await stage.server.begin()
  await shows(page, count + 1)
  await live(page)
})
