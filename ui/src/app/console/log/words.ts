import type { Entry, Receipt } from '../model'
import { bytes, count, many } from '../parts/words'

/** The kinds of entries, by which the log can be narrowed down. */
export const kinds: readonly (readonly [string, string])[] = [
  ['event', 'Events'],
  ['client_event', 'Client events'],
  ['job', 'Jobs'],
  ['connection', 'Connections'],
  ['subscription', 'Subscriptions'],
  ['webhook', 'Webhooks'],
  ['denial', 'Denials'],
  ['refusal', 'Refusals'],
]

/** The kind of entries that are there only while payloads may be shown. */
export const payloadKind = ['payload', 'Payloads'] as const

/** How an entry is to be taken. */
export type Tone = 'good' | 'warn' | 'fault' | ''

/** What became of something, as a word or two. */
export function wordOf(what: string): string {
  return what.replaceAll('_', ' ')
}

/** How it is to be taken that something became of an event. */
export function toneOf(one: {
  readonly what: string
  readonly code?: string
  readonly receipt?: Receipt
}): Tone {
  switch (one.what) {
    case 'failed':
    case 'gave_up':
    case 'refused':
    case 'denied':
      return 'fault'
    case 'retrying':
    case 'skipped':
      return 'warn'
    case 'webhook':
      return one.code === undefined || one.code === 'delivered' ? '' : 'fault'
    case 'published':
    case 'sent':
      if ((one.receipt?.dropped ?? 0) > 0) return 'fault'
      if (one.receipt?.matched === 0) return ''
      return (one.receipt?.waiting ?? 0) > 0 ? 'warn' : 'good'
    default:
      return ''
  }
}

/** A receipt in words: "3 subscribers", "2 of 3 written, 1 dropped". */
export function receiptOf({ matched, written, waiting, dropped }: Receipt): string {
  if (matched === 0) return 'nobody was subscribed'
  const parts = [`${count(written)} of ${many(matched, 'subscriber')} written to`]
  if (waiting > 0) parts.push(`${count(waiting)} waiting`)
  if (dropped > 0) parts.push(`${count(dropped)} dropped`)
  return parts.join(', ')
}

/** What an entry is about. */
export function subjectOf(entry: Entry): { main: string; on: string } {
  const { event = '', channel = '', channels = [], socket_id = '', user_id = '' } = entry
  const on = channel || channels.join(', ')
  if (event !== '') return { main: event, on }
  if (on !== '') return { main: on, on: user_id === '' ? '' : `user ${user_id}` }
  if (socket_id !== '') return { main: socket_id, on: user_id === '' ? '' : `user ${user_id}` }
  return { main: entry.queue || entry.target || entry.address || entry.id || '', on: '' }
}

/** What else is to be said of an entry. */
export function detailOf(entry: Entry): string {
  const parts: string[] = []
  const say = (text: string | undefined) => {
    if (text !== undefined && text !== '') parts.push(text)
  }
  if (entry.payload) {
    return entry.payload.encrypted
      ? 'encrypted: only its receivers can read it'
      : entry.payload.data
  }
  say(entry.text)
  if (entry.receipt) parts.push(receiptOf(entry.receipt))
  if (entry.queue) parts.push(`queue ${entry.queue}`)
  say(entry.target)
  if (entry.status) parts.push(String(entry.status))
  if (entry.code && entry.code !== entry.text) parts.push(entry.code)
  if (entry.by) parts.push(`by ${entry.by}`)
  if (entry.address) parts.push(entry.address)
  if (entry.size) parts.push(bytes(entry.size))
  if (entry.socket_id && subjectOf(entry).main !== entry.socket_id) {
    parts.push(`socket ${entry.socket_id}`)
  }
  return parts.join(' · ')
}
