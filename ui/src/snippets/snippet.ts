import type { Start } from '../start'

/** What a snippet publishes, and to where. */
export interface Target {
  readonly start: Start
  readonly channel: string
  readonly event: string
}

/** One block of text to copy, named by where it goes. */
export interface Block {
  readonly title: string
  readonly text: string
}

/** One tab of the page: how to publish with one tool or SDK. */
export interface Snippet {
  /** Stable, used for element ids. */
  readonly id: string
  readonly label: string
  /** One sentence above the blocks. */
  readonly hint: string
  readonly blocks: (target: Target) => readonly Block[]
}

/** What stands where the page is not given the secret. */
export const placeholder = 'YOUR_APP_SECRET'

/** The app's secret, or the placeholder. */
export function secretOf(start: Start): string {
  return start.app.secret ?? placeholder
}

/** "http" or "https". */
export function schemeOf(start: Start): 'http' | 'https' {
  return start.tls ? 'https' : 'http'
}

/** Host and port as they stand in a URL: an IPv6 address in brackets. */
export function authorityOf(start: Start): string {
  return `${urlHost(start.host)}:${start.port}`
}

/** A host as it stands in a URL. */
export function urlHost(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}
