import { isRecord } from '../../request'

export const types = ['announcement', 'system', 'alert', 'reminder'] as const
export const priorities = ['high', 'medium', 'low'] as const
export const statuses = ['draft', 'scheduled', 'sending', 'sent', 'cancelled'] as const
export const targetTypes = ['all', 'roles', 'users', 'active', 'inactive'] as const

export type Type = (typeof types)[number]
export type Priority = (typeof priorities)[number]
export type Status = (typeof statuses)[number]
export type TargetType = (typeof targetTypes)[number]

/** Whom a notification is for. */
export interface Target {
  readonly type: TargetType
  /** Ids, for the type users. */
  readonly users: readonly string[]
  readonly roles: readonly string[]
  /** How far active and inactive reach back. */
  readonly days: number
}

/** What became of notifications. */
export interface Counts {
  readonly recipients: number
  /** Who had a page open. */
  readonly live: number
  readonly read: number
  readonly dismissed: number
}

/** What a notification says, and to whom. Times are in UTC, "" for none. */
export interface Content {
  readonly title: string
  readonly message: string
  readonly type: Type
  readonly priority: Priority
  readonly importance: number
  readonly category: string
  readonly icon: string
  readonly color: string
  readonly actionUrl: string
  readonly actionText: string
  readonly dismissible: boolean
  readonly expiresAt: string
  readonly data: Readonly<Record<string, unknown>>
  readonly target: Target
  readonly scheduledAt: string
}

/** A notification as its managers see it. */
export interface Managed extends Content {
  readonly id: string
  readonly status: Status
  readonly createdAt: string
  readonly sentAt: string
  readonly createdBy: string
  readonly revision: number
  readonly stats: Counts
}

/** Reads a notification of the server's answer. */
export function managedOf(value: unknown): Managed {
  const raw = isRecord(value) ? value : {}
  const text = textsOf(raw)
  const by = isRecord(raw['created_by']) ? textsOf(raw['created_by']) : () => ''
  return {
    id: text('id'),
    status: oneOf(statuses, raw['status'], 'draft'),
    title: text('title'),
    message: text('message'),
    type: oneOf(types, raw['type'], 'announcement'),
    priority: oneOf(priorities, raw['priority'], 'medium'),
    importance: numberOf(raw['importance'], 50),
    category: text('category'),
    icon: text('icon'),
    color: text('color'),
    actionUrl: text('action_url'),
    actionText: text('action_text'),
    dismissible: raw['dismissible'] !== false,
    expiresAt: text('expires_at'),
    data: isRecord(raw['data']) ? raw['data'] : {},
    target: targetOf(raw['target']),
    scheduledAt: text('scheduled_at'),
    createdAt: text('created_at'),
    sentAt: text('sent_at'),
    createdBy: by('name') || by('id'),
    revision: numberOf(raw['revision'], 0),
    stats: countsOf(raw['stats']),
  }
}

function targetOf(value: unknown): Target {
  const raw = isRecord(value) ? value : {}
  return {
    type: oneOf(targetTypes, raw['type'], 'all'),
    users: listOf(raw['users']).filter(id => typeof id === 'string'),
    roles: listOf(raw['roles']).filter(role => typeof role === 'string'),
    days: numberOf(raw['days'], 30),
  }
}

/** Reads the counts that a value has among its members. */
export function countsOf(value: unknown): Counts {
  const raw = isRecord(value) ? value : {}
  return {
    recipients: numberOf(raw['recipients'], 0),
    live: numberOf(raw['delivered_live'], 0),
    read: numberOf(raw['read'], 0),
    dismissed: numberOf(raw['dismissed'], 0),
  }
}

/** The list that a value is, empty when it is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** The number that a value is, or another. */
export function numberOf(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise
}

/** Reads texts by their names; what is no text is "". */
export function textsOf(raw: Record<string, unknown>): (name: string) => string {
  return name => (typeof raw[name] === 'string' ? raw[name] : '')
}

/** The choice that a value is, or another. */
function oneOf<T extends string>(from: readonly T[], value: unknown, otherwise: T): T {
  return from.find(one => one === value) ?? otherwise
}
