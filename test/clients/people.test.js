import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Application } from './helpers/application.js'
import { full } from './helpers/apps.js'
import { launchBrowser } from './helpers/browser.js'
import { addPerson, ways } from './helpers/people.js'
import { sdk } from './helpers/sdk.js'
import { Server } from './helpers/server.js'

/** @type {import('playwright-core').Browser} */
let browser
/** @type {Server} */
let server
/** @type {import('pusher')} */
let publisher
/** The user with the id 7. @type {import('./helpers/people.js').Person} */
let seven

before(async () => {
  browser = await launchBrowser()
  server = await Server.start()
  publisher = sdk(server, full)
  for (let n = 1; n <= 6; n++) {
    await addPerson(server, `user-${n}@example.com`, { password: `password of ${n}` })
  }
  seven = await addPerson(server, 'seven@example.com', {
    name: 'Seven',
    roles: ['editor'],
    password: 'password of 7',
  })
  assert.equal(seven.id, '7')
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

for (const [way, prove] of Object.entries(ways)) {
  describe(`Echo with ${way}`, () => {
    test('gets the channels that it has a right to, and is refused the others', async t => {
      const page = await Application.open(t, browser, server, full, await prove(server, seven))
      for (const [how, name, allowed] of /** @type {const} */ ([
        ['private', 'user.7', true],
        ['private', 'user.07', false],
        ['private', 'user.6', false],
        ['private', 'user.7abc', false],
        ['private', 'admin', false],
        ['private', 'role.editor', true],
        ['private', 'role.admin', false],
        ['private', 'system', true],
        ['private', 'nobody.wrote.a.rule', false],
        ['join', 'role.editor', true],
        ['join', 'admin', false],
      ])) {
        const answer = await page.subscribe(how, name)
        assert.equal(answer.what, allowed ? 'subscribed' : 'refused', `${how} ${name}`)
        if (!allowed) assert.equal(answer.data.status, 403, `${how} ${name}`)
        if (!allowed) continue
        await publisher.trigger(String(answer.channel), 'greeting', { to: name })
        const { data } = await page.heard(String(answer.channel), 'greeting')
        assert.deepEqual(data, { to: name })
      }
      const present = (await page.notes()).find(
        note => note.what === 'subscribed' && note.channel === 'presence-role.editor',
      )
      assert.deepEqual(Object.keys(present?.data), ['7'])
      assert.equal(present?.data['7'].name, 'Seven')
    })

    test('an administrator is let into the administrators’ channel', async t => {
      const admin = await addPerson(server, `admin-${way.length}@example.com`, {
        roles: ['admin'],
        password: 'password of an admin',
      })
      const page = await Application.open(t, browser, server, full, await prove(server, admin))
      assert.equal((await page.subscribe('private', 'admin')).what, 'subscribed')
      assert.equal((await page.subscribe('private', `user.${admin.id}`)).what, 'subscribed')
      assert.equal((await page.subscribe('private', 'user.7')).what, 'refused')
    })

    test('the user signs in through /broadcasting/user-auth and is reached as a user', async t => {
      const page = await Application.open(t, browser, server, full, await prove(server, seven))
      await page.signInUser()
      const success = await page.told(
        note => note.event === 'pusher:signin_success',
        'signin_success',
      )
      assert.equal(JSON.parse(success.data.user_data).id, '7')
      await page.told(
        note =>
          note.channel === '#server-to-user-7' &&
          note.event === 'pusher_internal:subscription_succeeded',
        'the user’s own channel',
      )
      await publisher.sendToUser('7', 'nudge', { n: 1 })
      const nudge = await page.told(note => note.event === 'nudge', 'the event to the user')
      assert.equal(nudge.channel, '#server-to-user-7')
      assert.deepEqual(nudge.data, { n: 1 })
    })
  })
}

test('nobody is let in without a session or a token', async t => {
  const page = await Application.open(t, browser, server, full, {})
  const answer = await page.subscribe('private', 'system')
  assert.equal(answer.what, 'refused')
  assert.ok([401, 419].includes(answer.data.status), `status ${answer.data.status}`)
})

test('a made-up bearer token is 401', async t => {
  const page = await Application.open(t, browser, server, full, { bearer: 'belfry_1_made-up' })
  const answer = await page.subscribe('private', 'system')
  assert.equal(answer.what, 'refused')
  assert.equal(answer.data.status, 401)
})
