import type { LiveStatus } from './live.js'

/**
 * How news comes. live: at once. connecting: soon at once. polling: every some
 * seconds, by requests. offline: not at all. unauthorized: not until somebody
 * signs in.
 */
export type Connection = 'live' | 'connecting' | 'polling' | 'offline' | 'unauthorized'

/** How the requests fare. */
export type HttpStatus =
  | { kind: 'unknown' | 'ok' }
  | { kind: 'unauthorized' | 'failed'; problem: string }

/**
 * How news comes, and why not better. without: why there can be no live
 * connection; patient: it may yet come.
 */
export function connectionOf(
  live: LiveStatus,
  http: HttpStatus,
  without: string | undefined,
  patient: boolean,
): [Connection, string | null] {
  const refused = live.kind === 'refused' ? live.status : undefined
  if (http.kind === 'unauthorized') return ['unauthorized', http.problem]
  if (live.kind === 'live') return ['live', null]
  if (refused === 401) return ['unauthorized', 'nobody is signed in']
  if (http.kind === 'failed') return ['offline', http.problem]
  if (globalThis.navigator?.onLine === false) return ['offline', 'there is no network']
  if (without !== undefined) return ['polling', without]
  if (refused !== undefined) return ['polling', `the channel was refused with ${refused}`]
  return patient ? ['connecting', null] : ['polling', 'the live connection is away']
}
