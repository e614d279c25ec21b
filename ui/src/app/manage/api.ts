import { get, isRecord, post, request } from '../../request'
import { bodyOf, type Draft, targetIn } from './draft'
import {
  type Counts,
  countsOf,
  listOf,
  type Managed,
  managedOf,
  numberOf,
  type Target,
  textsOf,
} from './model'

const path = 'api/notifications'

const at = (id: string) => `${path}/${encodeURIComponent(id)}`

/** What a list is narrowed down to; "" for all. */
export interface Filter {
  readonly status: string
  readonly type: string
  readonly priority: string
  readonly category: string
  readonly q: string
}

/** One page of a list. */
export interface Page {
  readonly notifications: readonly Managed[]
  /** "" at the end. */
  readonly next: string
}

/** Lists notifications, newest first. Throws a Refusal. */
export async function list(filter: Filter, cursor: string, signal: AbortSignal): Promise<Page> {
  const query = new URLSearchParams({ limit: '25' })
  for (const [name, value] of Object.entries({ ...filter, cursor })) {
    if (value !== '') query.set(name, value)
  }
  const answer = await get(`${path}?${query}`, signal)
  const next = answer['next_cursor']
  return {
    notifications: listOf(answer['notifications']).map(managedOf),
    next: typeof next === 'string' ? next : '',
  }
}

/** Reads one. Throws a Refusal. */
export async function load(id: string, signal?: AbortSignal): Promise<Managed> {
  return managedOf(await get(at(id), signal))
}

/** Throws a Refusal that names all faults of a form. */
export async function check(draft: Draft): Promise<void> {
  await post(`${path}/check`, bodyOf(draft))
}

/** Makes one. The key makes the same request harmless when it is sent again. */
export async function create(body: object, key: string): Promise<Managed> {
  return managedOf(await request('POST', path, body, { headers: { 'Idempotency-Key': key } }))
}

/** Changes one that nobody has changed since the revision. Throws a Refusal. */
export async function change(id: string, revision: number, body: object): Promise<Managed> {
  return managedOf(await request('PATCH', at(id), { ...body, revision }))
}

/** Sends one now. Throws a Refusal. */
export async function send(id: string, revision: number): Promise<Managed> {
  return managedOf(await post(`${at(id)}/send`, { revision }))
}

/** Has one go out at a time. Throws a Refusal. */
export async function schedule(id: string, revision: number, time: string): Promise<Managed> {
  return managedOf(await post(`${at(id)}/schedule`, { revision, scheduled_at: time }))
}

/** Keeps one from going out, or takes it back. Throws a Refusal. */
export async function cancel(id: string, revision: number): Promise<Managed> {
  return managedOf(await post(`${at(id)}/cancel`, { revision }))
}

/** Deletes one, and takes it back from who has it. Throws a Refusal. */
export async function remove(id: string, revision: number): Promise<void> {
  await request('DELETE', at(id), undefined, { headers: { 'If-Match': `"${revision}"` } })
}

/** Who would get a notification now. */
export interface Audience {
  readonly recipients: number
  /** Of them, who has a page open. */
  readonly online: number
  readonly sample: readonly string[]
}

/** Counts whom a target means now. Throws a Refusal. */
export async function preview(target: Target, signal?: AbortSignal): Promise<Audience> {
  const more = signal === undefined ? {} : { signal }
  const answer = await request('POST', `${path}/preview`, { target: targetIn(target) }, more)
  return {
    recipients: numberOf(answer['recipients'], 0),
    online: numberOf(answer['online'], 0),
    sample: listOf(answer['sample']).map(one => {
      const text = isRecord(one) ? textsOf(one) : () => ''
      return text('name') || text('id')
    }),
  }
}

/** Counts of one day or hour. */
export interface Bucket extends Counts {
  /** The day as 2026-11-22, or the hour's beginning in UTC. */
  readonly at: string
  readonly sent: number
}

/** Statistics with their course. */
export interface Statistics extends Counts {
  readonly sent: number
  readonly course: readonly Bucket[]
}

/** What became of what was sent on the last days of a zone. Throws a Refusal. */
export async function totals(days: number, zone: string, signal: AbortSignal): Promise<Statistics> {
  const query = new URLSearchParams({ days: String(days), zone })
  return statisticsOf(await get(`${path}/stats?${query}`, signal), 'by_day', 'day')
}

/** What became of one, by hours. Throws a Refusal. */
export async function statisticsFor(id: string, signal: AbortSignal): Promise<Statistics> {
  return statisticsOf(await get(`${at(id)}/stats`, signal), 'by_hour', 'hour')
}

function statisticsOf(answer: Record<string, unknown>, buckets: string, name: string): Statistics {
  return {
    ...countsOf(answer),
    sent: numberOf(answer['sent'], 0),
    course: listOf(answer[buckets])
      .filter(isRecord)
      .map(one => ({ ...countsOf(one), sent: numberOf(one['sent'], 0), at: textsOf(one)(name) })),
  }
}

/** Somebody who can be addressed. */
export interface Found {
  readonly id: string
  readonly name: string
  readonly email: string
}

/** Finds people by a part of their name or email. Throws a Refusal. */
export async function findPeople(
  text: string,
  signal: AbortSignal,
): Promise<{ people: readonly Found[]; more: boolean }> {
  const answer = await get(`api/users?limit=8&q=${encodeURIComponent(text)}`, signal)
  return { people: peopleOf(answer), more: answer['more'] === true }
}

/** Reads the people with these ids, 100 at most. Throws a Refusal. */
export async function peopleNamed(
  ids: readonly string[],
  signal: AbortSignal,
): Promise<readonly Found[]> {
  return peopleOf(await get(`api/users?ids=${ids.map(encodeURIComponent).join(',')}`, signal))
}

function peopleOf(answer: Record<string, unknown>): readonly Found[] {
  return listOf(answer['users'])
    .filter(isRecord)
    .map(raw => {
      const text = textsOf(raw)
      return { id: text('id'), name: text('name'), email: text('email') }
    })
}

/** The roles that there are, and how many people have each. Throws a Refusal. */
export async function roles(
  signal: AbortSignal,
): Promise<readonly { role: string; users: number }[]> {
  const answer = await get('api/users/roles', signal)
  return listOf(answer['roles'])
    .filter(isRecord)
    .map(raw => ({ role: textsOf(raw)('role'), users: numberOf(raw['users'], 0) }))
}
