import { once } from 'node:events'
import { createServer } from 'node:http'

/**
 * Serves requests on a free loopback port; the handler gets the whole body.
 *
 * @param {(request: import('node:http').IncomingMessage, body: string,
 *   response: import('node:http').ServerResponse) => void} handle
 */
export async function serve(handle) {
  const server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    handle(request, Buffer.concat(chunks).toString(), response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
