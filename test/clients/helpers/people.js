/**
 * @typedef {{id: string, name: string, email: string, roles: string[], password: string}} Person
 */

/**
 * Adds people with "belfry user:add", a process of its own, in order: their ids
 * count up from 1 on a new server.
 *
 * @param {import('./server.js').Server} server
 * @param {string} email
 * @param {{name?: string, roles?: string[], password?: string}} [details]
 * @returns {Promise<Person>}
 */
export async function addPerson(server, email, { name, roles = [], password } = {}) {
  const made = JSON.parse(
    await server.run(
      'user:add',
      email,
      '--json',
      ...(name === undefined ? [] : ['--name', name]),
      ...(password === undefined ? [] : ['--password', password]),
      ...roles.flatMap(role => ['--role', role]),
    ),
  )
  return { password, ...made }
}

/**
 * Makes an API token of a person with "belfry user:token".
 *
 * @param {import('./server.js').Server} server
 * @param {Person} person
 * @param {string} scopes
 * @param {string[]} [more] further arguments
 * @returns {Promise<string>}
 */
export async function addToken(server, person, scopes, more = []) {
  const args = ['user:token', person.email, '--scope', scopes, '--json', ...more]
  return JSON.parse(await server.run(...args)).token
}

/**
 * The two ways in which an Echo proves who it is.
 *
 * @type {Record<string, (server: import('./server.js').Server, person: Person) =>
 *   Promise<{person?: Person, bearer?: string}>>}
 */
export const ways = {
  'a session and X-CSRF-TOKEN': async (_, person) => ({ person }),
  'a bearer token': async (server, person) => ({
    bearer: await addToken(server, person, 'notifications'),
  }),
}

/**
 * Signs in at /login as a person does, and waits for the page after it.
 *
 * @param {import('playwright-core').Page} page
 * @param {import('./server.js').Server} server
 * @param {Person} person
 * @param {string} [query] of the sign-in page
 */
export async function signIn(page, server, person, query = '') {
  await page.goto(`${server.url}/login${query}`)
  await page.getByLabel('Email').fill(person.email)
  await page.getByLabel('Password', { exact: true }).fill(person.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL(url => url.pathname !== '/login')
}
