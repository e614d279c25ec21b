import { base } from './base'

/** What the server says about itself at start.json. */
export interface Start {
  /** The name or address under which the server is reached, without a port. */
  readonly host: string
  readonly port: number
  readonly tls: boolean
  /** "" or a path such as "/realtime" in front of every path. */
  readonly pathPrefix: string
  readonly app: App
  readonly version: string
}

/** The app whose channels the page shows. */
export interface App {
  readonly id: string
  readonly key: string
  /** Left out unless the page is read on the server's own machine. */
  readonly secret?: string
}

/** Fetches start.json. Throws an Error whose message can be shown. */
export async function loadStart(): Promise<Start> {
  const response = await fetch(`${base}start.json`, { cache: 'no-store' }).catch(() => {
    throw new Error('The server does not answer. Reload the page once it is up.')
  })
  if (!response.ok) {
    throw new Error(`The server answered ${response.status} to start.json. Reload the page.`)
  }
  const raw: unknown = await response.json()
  if (!isRecord(raw)) throw new Error('start.json is not an object. Reload the page.')
  const app = raw['app']
  if (!isRecord(app)) {
    throw new Error('This server has no app yet. Add one with "belfry app:add", then reload.')
  }
  const secret = app['secret']
  return {
    host: String(raw['host'] ?? location.hostname),
    port: Number(raw['port'] ?? location.port),
    tls: raw['tls'] === true,
    pathPrefix: String(raw['pathPrefix'] ?? ''),
    version: String(raw['version'] ?? ''),
    app: {
      id: String(app['id']),
      key: String(app['key']),
      ...(typeof secret === 'string' && secret !== '' ? { secret } : {}),
    },
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
