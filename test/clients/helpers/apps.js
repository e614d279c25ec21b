/**
 * The apps that the tests configure. Credentials are made up.
 *
 * @typedef {{id: string, key: string, secret: string, [option: string]: unknown}} App
 */

/** The key for encrypted channels: 32 bytes that only the application holds. */
export const masterKey = Buffer.alloc(32, 'belfry').toString('base64')

/** Everything that an app can opt in to. @type {App} */
export const full = {
  id: '2001',
  key: 'test-full-key',
  secret: 'test-full-secret',
  client_events: true,
  subscription_count: true,
  watchlist: true,
}

/** Everything left at its default. @type {App} */
export const plain = { id: '2002', key: 'test-plain-key', secret: 'test-plain-secret' }

/** Switched off. @type {App} */
export const disabled = {
  id: '2003',
  key: 'test-disabled-key',
  secret: 'test-disabled-secret',
  enabled: false,
}

/** Room for one of each. @type {App} */
export const tiny = {
  id: '2004',
  key: 'test-tiny-key',
  secret: 'test-tiny-secret',
  client_events: true,
  limits: { connections: 2, presence_members: 1, event_data: '100B', client_events_per_second: 2 },
}
