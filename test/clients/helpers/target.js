import { once } from 'node:events'
import { createServer } from 'node:http'

/**
 * What a server broadcasts through: an HTTP API on a loopback port of its own that
 * refuses everything with an error, or hands it on to another server.
 */
export class Target {
  /** Why it refuses; "" hands on. */
  refusal = ''
  /** Where it hands on to. */
  url = ''
  /** @type {import('node:http').Server} */
  server = createServer()

  /** @param {string} refusal */
  static async start(refusal) {
    const target = new Target()
    target.refusal = refusal
    target.server.on('request', async (request, response) => {
      const parts = []
      for await (const part of request) parts.push(part)
      if (target.refusal !== '') {
        response.writeHead(403, { 'Content-Type': 'text/plain' })
        response.end(target.refusal)
        return
      }
      const answer = await fetch(target.url + request.url, {
        method: request.method ?? 'GET',
        headers: { 'Content-Type': 'application/json' },
        ...(parts.length > 0 && { body: Buffer.concat(parts) }),
      })
      response.writeHead(answer.status, { 'Content-Type': 'application/json' })
      response.end(await answer.text())
    })
    target.server.listen(0, '127.0.0.1')
    await once(target.server, 'listening')
    return target
  }

  get port() {
    return /** @type {import('node:net').AddressInfo} */ (this.server.address()).port
  }

  stop() {
    this.server.closeAllConnections()
    this.server.close()
  }
}
