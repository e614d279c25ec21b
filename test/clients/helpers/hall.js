import { after, before } from 'node:test'
import { full } from './apps.js'
import { startBackend } from './backend.js'
import { asUser, Client } from './client.js'
import { sdk } from './sdk.js'
import { Server } from './server.js'

/** A server, and an application of it: what publishes, and what authorizes people. */
export class Hall {
  server = /** @type {Server} */ (/** @type {any} */ (undefined))
  publisher = /** @type {import('pusher')} */ (/** @type {any} */ (undefined))
  backend = /** @type {Awaited<ReturnType<typeof startBackend>>} */ (/** @type {any} */ (undefined))

  /** A hall that is there for all tests of the file that calls this. */
  static forTests() {
    const hall = new Hall()
    before(async () => {
      hall.server = await Server.start()
      hall.publisher = sdk(hall.server, full)
      hall.backend = await startBackend(hall.publisher)
    })
    after(async () => {
      await hall.backend?.close()
      await hall.server?.stop()
    })
    return hall
  }

  /**
   * Opens a client that is authorized as somebody.
   *
   * @param {import('node:test').TestContext} t
   * @param {Record<string, string>} [query] who
   */
  open(t, query = {}) {
    return Client.open(t, this.server, full, asUser(this.backend.url, query))
  }
}
