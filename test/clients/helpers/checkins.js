import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** The example's own file, so that what users begin with is what is tested. */
export const exampleConfig = join(root, 'examples/checkins/belfry.yaml')

/** The check-in service of examples/checkins, or that of examples/fastapi. */
export class CheckIns {
  /** @type {string} */
  url = ''
  #process

  /**
   * @param {string} url
   * @param {import('node:child_process').ChildProcess} child
   */
  constructor(url, child) {
    this.url = url
    this.#process = child
  }

  /**
   * Builds the service in Go once for a file of tests, into a folder of its own.
   * BELFRY_CHECKINS names a program that is there.
   */
  static async build() {
    const folder = await mkdtemp(join(tmpdir(), 'belfry-checkins-'))
    let program = process.env.BELFRY_CHECKINS
    if (program === undefined) {
      program = join(folder, 'checkins')
      // As "make build" does it, so that little is left to compile.
      const args = ['build', '-trimpath', '-o', program, './examples/checkins']
      const env = { ...process.env, CGO_ENABLED: '0' }
      await promisify(execFile)('go', args, { cwd: root, env })
    }
    return { program, remove: () => rm(folder, { recursive: true, force: true }) }
  }

  /**
   * Starts the service in Go.
   *
   * @param {string} program
   * @param {{dir: string, webhook: string, secret: string, database?: string}} place
   */
  static start(program, { dir, webhook, secret, database = '' }) {
    const args = ['--listen', '127.0.0.1:0', '--data-dir', dir, '--database', database]
    const child = spawn(program, args, {
      cwd: dir,
      env: { PATH: process.env.PATH, ...senderOf(webhook, secret) },
    })
    return CheckIns.#when(child, /on (http:\/\/[\d.:]+)/)
  }

  /**
   * Starts the service with FastAPI, with clients/python's sender.
   *
   * @param {{dir: string, webhook: string, secret: string}} place
   */
  static startFastAPI({ dir, webhook, secret }) {
    const python = join(root, 'clients/python/.venv/bin/python')
    const app = join(root, 'examples/fastapi')
    const args = [
      '-m',
      'uvicorn',
      '--app-dir',
      app,
      '--host',
      '127.0.0.1',
      '--port',
      '0',
      'app:app',
    ]
    const child = spawn(python, args, {
      cwd: dir,
      env: {
        PATH: process.env.PATH,
        PYTHONPATH: join(root, 'clients/python/src'),
        PYTHONDONTWRITEBYTECODE: '1',
        CHECKINS_DIR: dir,
        ...senderOf(webhook, secret),
      },
    })
    return CheckIns.#when(child, /running on (http:\/\/[\d.:]+)/)
  }

  /**
   * @param {import('node:child_process').ChildProcessByStdio<any, any, any>} child
   * @param {RegExp} greeting
   * @returns {Promise<CheckIns>}
   */
  static async #when(child, greeting) {
    let log = ''
    return new Promise((resolve, reject) => {
      const hear = (/** @type {Buffer} */ chunk) => {
        log = (log + chunk).slice(-20_000)
        const found = greeting.exec(log)
        if (found) resolve(new CheckIns(found[1] ?? '', child))
      }
      child.stdout.on('data', hear)
      child.stderr.on('data', hear)
      child.on('error', reject)
      child.on('exit', code =>
        reject(new Error(`the check-in service ended with ${code}:\n${log}`)),
      )
    })
  }

  /** @param {string} name @returns {Promise<number>} the student's id */
  async addStudent(name) {
    return (await this.#post('/api/students', { name })).id
  }

  /** @param {number} student @param {object} [more] */
  checkIn(student, more = {}) {
    const levels = { mood: 'Great', energy: 'High', stress: 'No Stress' }
    return this.#post('/api/checkins', { student_id: student, ...levels, ...more })
  }

  /** @param {string} path @param {object} body */
  async #post(path, body) {
    const response = await fetch(this.url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    })
    const answer = await response.json()
    if (!response.ok) throw new Error(`${path}: ${response.status} ${JSON.stringify(answer)}`)
    return answer.data ?? answer
  }

  async stop() {
    const child = this.#process
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
    await gone
    clearTimeout(timer)
  }
}

/** @param {string} webhook @param {string} secret */
function senderOf(webhook, secret) {
  return { LARAVEL_WEBHOOK_URL: webhook, SERVICES_WEBHOOK_SHARED_SECRET: secret }
}
