import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/**
 * A line to a server that can be cut: a TCP proxy on a loopback port of its own.
 */
export class Line {
  /** @type {Set<import('node:net').Socket>} */
  #sockets = new Set()
  #whole = true
  /** @type {import('node:net').Server} */
  #listener

  /** @param {{host: string, port: number}} server */
  constructor(server) {
    this.#listener = createServer(near => {
      if (!this.#whole) {
        near.destroy()
        return
      }
      const far = connect(server.port, server.host)
      for (const [one, other] of [
        [near, far],
        [far, near],
      ]) {
        this.#sockets.add(one)
        one.on('error', () => {})
        one.on('close', () => {
          this.#sockets.delete(one)
          other.destroy()
        })
        one.pipe(other)
      }
    })
  }

  /**
   * Opens a line until the test ends.
   *
   * @param {import('node:test').TestContext} t
   * @param {{host: string, port: number}} server
   */
  static async open(t, server) {
    const line = new Line(server)
    line.#listener.listen(0, '127.0.0.1')
    await once(line.#listener, 'listening')
    t.after(async () => {
      line.cut()
      line.#listener.close()
      await once(line.#listener, 'close')
    })
    return line
  }

  /** The server's address at the near end of the line. */
  get url() {
    const { port } = /** @type {import('node:net').AddressInfo} */ (this.#listener.address())
    return `http://127.0.0.1:${port}`
  }

  /** Ends all connections; new ones are ended at once. */
  cut() {
    this.#whole = false
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Lets new connections through again. */
  mend() {
    this.#whole = true
  }
}
