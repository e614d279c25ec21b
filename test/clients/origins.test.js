import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Application } from './helpers/application.js'
import { full } from './helpers/apps.js'
import { launchBrowser } from './helpers/browser.js'
import { serve } from './helpers/http.js'
import { addPerson, addToken } from './helpers/people.js'
import { Server } from './helpers/server.js'

/** @type {import('playwright-core').Browser} */
let browser
/** @type {Server} */
let server
/** Where front ends live: one that the settings list and one that they do not. */
/** @type {Awaited<ReturnType<typeof serve>>[]} */
let places
/** @type {import('./helpers/people.js').Person} */
let person

before(async () => {
  const page = () =>
    serve((_request, _body, response) => {
      response.setHeader('Content-Type', 'text/html')
      response.end('<!doctype html><title>A front end elsewhere</title>')
    })
  places = await Promise.all([page(), page()])
  browser = await launchBrowser()
  server = await Server.start({ env: { BELFRY_CORS_ORIGINS: places[0]?.url ?? '' } })
  person = await addPerson(server, 'ada@example.com', { password: 'engine of 1843' })
})
after(async () => {
  await browser?.close()
  await server?.stop()
  for (const place of places ?? []) await place.close()
})

const [listed, unlisted] = [() => String(places[0]?.url), () => String(places[1]?.url)]

test('Echo on a listed origin is authorized with a bearer token', async t => {
  const bearer = await addToken(server, person, 'notifications')
  const page = await Application.open(t, browser, server, full, { bearer, at: listed() })
  assert.equal((await page.subscribe('private', `user.${person.id}`)).what, 'subscribed')
  const refused = await page.subscribe('private', 'admin')
  assert.equal(refused.data.status, 403, 'the page cannot read the refusal')
})

test('Echo on an origin that is not listed gets no answer that it can read', async t => {
  const bearer = await addToken(server, person, 'notifications')
  const page = await Application.open(t, browser, server, full, { bearer, at: unlisted() })
  const answer = await page.subscribe('private', `user.${person.id}`)
  assert.equal(answer.what, 'refused')
  assert.equal(answer.data.status, 0)
})

/**
 * Signs in from a page elsewhere, as a front end with axios does, and tells who
 * is signed in then; "" when the browser keeps the answers from the page.
 *
 * @param {import('playwright-core').Page} page
 */
const signInFrom = page =>
  page.evaluate(
    async ({ url, email, password }) => {
      const credentials = 'include'
      try {
        await fetch(`${url}/sanctum/csrf-cookie`, { credentials })
        const cookie = document.cookie.split('; ').find(pair => pair.startsWith('XSRF-TOKEN='))
        await fetch(`${url}/login`, {
          method: 'POST',
          credentials,
          headers: {
            'Content-Type': 'application/json',
            'X-XSRF-TOKEN': decodeURIComponent(cookie?.slice('XSRF-TOKEN='.length) ?? ''),
          },
          body: JSON.stringify({ email, password }),
        })
        return (await (await fetch(`${url}/api/user`, { credentials })).json()).email
      } catch {
        return ''
      }
    },
    { url: server.url, email: person.email, password: person.password },
  )

test('a front end on a listed origin signs in, one elsewhere does not', async t => {
  for (const [at, want] of /** @type {const} */ ([
    [listed(), person.email],
    [unlisted(), ''],
  ])) {
    const context = await browser.newContext()
    t.after(() => context.close())
    const page = await context.newPage()
    await page.goto(at)
    assert.equal(await signInFrom(page), want, at)
    const status = (await context.request.get(`${server.url}/api/user`)).status()
    assert.equal(status, want === '' ? 401 : 200, at)
  }
})

test('a form that another site sends changes nothing', async t => {
  const context = await browser.newContext()
  t.after(() => context.close())
  const page = await context.newPage()
  await page.goto(listed())
  assert.equal(await signInFrom(page), person.email)
  await page.goto(unlisted())
  await page.evaluate(url => {
    const form = document.createElement('form')
    form.method = 'post'
    form.action = `${url}/logout`
    document.body.append(form)
    form.submit()
  }, server.url)
  await page.waitForURL(`${server.url}/logout`)
  assert.equal((await context.request.get(`${server.url}/api/user`)).status(), 200)
})
