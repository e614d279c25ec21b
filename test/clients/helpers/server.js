import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { disabled, full, plain, tiny } from './apps.js'

/** The program under test; BELFRY_BIN names another build. */
const program =
  process.env.BELFRY_BIN ?? fileURLToPath(new URL('../../../bin/belfry', import.meta.url))

/** A real "belfry serve" on ports and in a folder of its own. */
export class Server {
  host = '127.0.0.1'
  port = 0
  metricsPort = 0
  #folder = ''
  #log = ''
  #head = ''
  /** @type {string[]} */
  #args = []
  /** @type {Record<string, string>} */
  #env = {}
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #process

  /** The address of the HTTP side. */
  get url() {
    return `http://${this.host}:${this.port}`
  }

  /**
   * Starts a server and waits until it is ready.
   *
   * @param {{apps?: import('./apps.js').App[], config?: Record<string, unknown>,
   *   args?: string[], env?: Record<string, string>}} [options]
   *   config: further keys of belfry.yaml; args: of serve; env: for commands too
   */
  static async start({
    apps = [full, plain, disabled, tiny],
    config = {},
    args = [],
    env = {},
  } = {}) {
    const server = new Server()
    server.#args = args
    server.#env = env
    server.#folder = await mkdtemp(join(tmpdir(), 'belfry-clients-'))
    ;[server.port, server.metricsPort] = await freePorts()
    // JSON is YAML too.
    const file = {
      apps,
      webhooks: { allow_private_addresses: ['127.0.0.0/8'] },
      server: { drain_window: '1s' },
      ...config,
    }
    await writeFile(join(server.#folder, 'belfry.yaml'), JSON.stringify(file, null, 2))
    await server.begin()
    return server
  }

  /** The first that the process wrote since it was last started. */
  get greeting() {
    return this.#head
  }

  /** Where and with which settings the process and the commands run. */
  get #place() {
    return {
      cwd: this.#folder,
      env: {
        PATH: process.env.PATH,
        HOME: this.#folder,
        BELFRY_CONFIG: join(this.#folder, 'belfry.yaml'),
        BELFRY_LISTEN: `${this.host}:${this.port}`,
        BELFRY_METRICS_LISTEN: `${this.host}:${this.metricsPort}`,
        BELFRY_DATA_DIR: join(this.#folder, 'data'),
        ...this.#env,
      },
    }
  }

  /**
   * Runs a command of the program beside the server, and gives what it prints.
   *
   * @param {string[]} args
   */
  async run(...args) {
    return (await promisify(execFile)(program, args, this.#place)).stdout
  }

  /**
   * Keeps a command of the program running beside the server until the test ends.
   *
   * @param {import('node:test').TestContext} t
   * @param {string[]} args
   */
  beside(t, ...args) {
    const child = spawn(program, args, { ...this.#place, stdio: 'ignore' })
    t.after(() => stop(child))
  }

  /** Starts the process again, on the same ports and data. */
  async begin() {
    const child = spawn(program, ['serve', ...this.#args], {
      ...this.#place,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#process = child
    this.#head = ''
    const log = (/** @type {Buffer} */ chunk) => {
      this.#log = (this.#log + chunk).slice(-20_000)
      this.#head = (this.#head + chunk).slice(0, 20_000)
    }
    child.stdout.on('data', log)
    child.stderr.on('data', log)
    /** @type {Error | undefined} */
    let failed
    child.on('error', error => {
      failed = error
    })
    for (const end = Date.now() + 20_000; ; ) {
      if (failed) throw new Error(`cannot run ${program}; build it with "make build": ${failed}`)
      if (child.exitCode !== null) {
        throw new Error(`belfry exited with ${child.exitCode} at start:\n${this.#log}`)
      }
      const ready = await fetch(`${this.url}/ready`).catch(() => undefined)
      await ready?.arrayBuffer()
      if (ready?.status === 200) return
      if (Date.now() > end) throw new Error(`belfry is not ready after 20 s:\n${this.#log}`)
      await after(25)
    }
  }

  /**
   * Sends the process a signal and waits for its end.
   *
   * @param {NodeJS.Signals} [signal]
   */
  async end(signal = 'SIGTERM') {
    if (this.#process) await stop(this.#process, signal)
  }

  /** Ends the process and removes its data. */
  async stop() {
    await this.end()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/**
 * Sends a process a signal and waits for its end, 40 s at most.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @param {NodeJS.Signals} [signal]
 */
async function stop(child, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), 40_000)
  await gone
  clearTimeout(timer)
}

/**
 * Two ports that nobody listens on at the moment, below those that systems give
 * out by themselves: so they stay free until the server takes them, and while it
 * is away.
 */
async function freePorts() {
  /** @type {number[]} */
  const ports = []
  for (let tries = 50; ports.length < 2 && tries > 0; tries--) {
    const port = 10_000 + Math.floor(Math.random() * 8000)
    if (!ports.includes(port) && (await isFree(port))) ports.push(port)
  }
  assert.equal(ports.length, 2, 'no port is free')
  return ports
}

/** @param {number} port @returns {Promise<boolean>} */
async function isFree(port) {
  const probe = createServer()
  probe.listen(port, '127.0.0.1')
  try {
    await once(probe, 'listening')
  } catch {
    return false
  }
  probe.close()
  await once(probe, 'close')
  return true
}
