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

/** How long after the command's end its effect may take, in milliseconds. */
const second = 1000

before(async () => {
  browser = await launchBrowser()
  server = await Server.start()
  publisher = sdk(server, full)
})
after(async () => {
  await browser?.close()
  await server?.stop()
})

for (const [way, prove] of Object.entries(ways)) {
  describe(`Echo with ${way}`, () => {
    test('a role that a command takes away ends what stood on it, within a second', async t => {
      const person = await addPerson(server, `editor-${way.length}@example.com`, {
        roles: ['editor', 'writer'],
        password: 'password of an editor',
      })
      const page = await Application.open(t, browser, server, full, await prove(server, person))
      const own = `private-user.${person.id}`
      assert.equal((await page.subscribe('private', `user.${person.id}`)).what, 'subscribed')
      assert.equal((await page.subscribe('private', 'role.editor')).what, 'subscribed')
      await publisher.trigger('private-role.editor', 'before', {})
      await page.heard('private-role.editor', 'before')

      await server.run('user:role', person.email, 'editor', '--remove')
      const done = Date.now()
      const closed = await page.told(
        note => note.what === 'error' && note.data?.code === 4200,
        'the close with 4200',
      )
      assert.ok(closed.at - done < second, `${closed.at - done} ms after the command`)
      const refused = await page.told(
        note => note.what === 'refused' && note.channel === 'private-role.editor',
        'the refusal of the lost channel',
      )
      assert.equal(refused.data.status, 403)
      await page.told(
        note => note.what === 'subscribed' && note.channel === own && note.at >= closed.at,
        'the channel that is left, anew',
      )
      await publisher.trigger(['private-role.editor', own], 'after', {})
      await page.heard(own, 'after')
      const late = (await page.notes()).filter(
        note => note.channel === 'private-role.editor' && note.event?.endsWith('after'),
      )
      assert.deepEqual(late, [])
      const times = (await page.notes()).filter(note => note.what === 'connected').length
      assert.equal(times, 2, 'it connected again more than once')
    })

    test('a removed user is closed with 4009 and does not come back', async t => {
      const person = await addPerson(server, `leaver-${way.length}@example.com`, {
        password: 'password of a leaver',
      })
      const page = await Application.open(t, browser, server, full, await prove(server, person))
      assert.equal((await page.subscribe('private', 'system')).what, 'subscribed')
      await server.run('user:remove', person.email)
      const done = Date.now()
      const closed = await page.told(
        note => note.what === 'error' && note.data?.code === 4009,
        'the close with 4009',
      )
      assert.ok(closed.at - done < second, `${closed.at - done} ms after the command`)
      await page.told(note => note.what === 'disconnected', 'the end of the connection')
    })

    test('a disabled user is closed with 4009 too', async t => {
      const person = await addPerson(server, `sleeper-${way.length}@example.com`, {
        password: 'password of a sleeper',
      })
      const page = await Application.open(t, browser, server, full, await prove(server, person))
      assert.equal((await page.subscribe('private', 'system')).what, 'subscribed')
      await server.run('user:disable', person.email)
      await page.told(
        note => note.what === 'error' && note.data?.code === 4009,
        'the close with 4009',
      )
    })
  })
}

test('a session ends its subscriptions when it is signed out elsewhere', async t => {
  const person = await addPerson(server, 'guest@example.com', { password: 'password of a guest' })
  const page = await Application.open(t, browser, server, full, { person })
  assert.equal((await page.subscribe('private', 'system')).what, 'subscribed')
  const other = await page.page.context().newPage()
  await other.goto(`${server.url}/`)
  await other.getByRole('button', { name: 'Sign out' }).click()
  await other.getByRole('link', { name: 'Sign in' }).waitFor()
  await page.told(note => note.what === 'error' && note.data?.code === 4200, 'the close with 4200')
  const refused = await page.told(
    note => note.what === 'refused' && note.channel === 'private-system',
    'the refusal',
  )
  assert.ok([401, 419].includes(refused.data.status), `status ${refused.data.status}`)
})
