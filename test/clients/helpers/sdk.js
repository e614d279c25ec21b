import Pusher from 'pusher'
import { masterKey } from './apps.js'

/**
 * The official server SDK for an app of a server.
 *
 * @param {import('./server.js').Server} server
 * @param {import('./apps.js').App} app
 */
export function sdk(server, app) {
  return new Pusher({
    appId: app.id,
    key: app.key,
    secret: app.secret,
    host: server.host,
    port: String(server.port),
    useTLS: false,
    encryptionMasterKeyBase64: masterKey,
  })
}
