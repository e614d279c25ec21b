import type { Content, Managed, Priority, Target, Type } from './model'
import { fromInput, toInput } from './times'

/** Bounds of the server, in characters. */
export const limits = {
  title: 255,
  message: 10_000,
  category: 64,
  icon: 64,
  action_text: 64,
  action_url: 2048,
  data: 8192,
  users: 10_000,
} as const

/** What the form holds: texts as they are typed. */
export interface Draft {
  readonly title: string
  readonly message: string
  readonly type: Type
  readonly priority: Priority
  readonly importance: string
  readonly category: string
  readonly icon: string
  readonly color: string
  readonly actionUrl: string
  readonly actionText: string
  readonly dismissible: boolean
  /** As a datetime-local input has it; "" for never. */
  readonly expires: string
  /** JSON; "" for none. */
  readonly data: string
  readonly target: Target
  /** Whether it is to go out at a time of its own. */
  readonly later: boolean
  readonly scheduled: string
}

/** A form that nothing was typed into. */
export const blank: Draft = {
  title: '',
  message: '',
  type: 'announcement',
  priority: 'medium',
  importance: '50',
  category: '',
  icon: '',
  color: '',
  actionUrl: '',
  actionText: '',
  dismissible: true,
  expires: '',
  data: '',
  target: { type: 'all', users: [], roles: [], days: 30 },
  later: false,
  scheduled: '',
}

/** The form for a notification that there is. */
export function draftOf(from: Content): Draft {
  const { type, priority, title, message, category, icon, color, dismissible, target } = from
  return {
    ...{ type, priority, title, message, category, icon, color, dismissible, target },
    importance: String(from.importance),
    actionUrl: from.actionUrl,
    actionText: from.actionText,
    expires: toInput(from.expiresAt),
    data: Object.keys(from.data).length === 0 ? '' : JSON.stringify(from.data, null, 2),
    later: from.scheduledAt !== '',
    scheduled: toInput(from.scheduledAt),
  }
}

/** The form for another one like it: its times are over, so they are left out. */
export function copyOf(from: Managed): Draft {
  const past = (time: string) => time !== '' && Date.parse(time) <= Date.now()
  const expiresAt = past(from.expiresAt) ? '' : from.expiresAt
  return draftOf({ ...from, scheduledAt: '', expiresAt })
}

/** The body that the form stands for. What cannot be read goes as it is typed,
    so that the server says what is wrong with it. */
export function bodyOf(draft: Draft, schedule = draft.later): Record<string, unknown> {
  return {
    title: draft.title,
    message: draft.message,
    type: draft.type,
    priority: draft.priority,
    importance: numberIn(draft.importance),
    category: draft.category,
    icon: draft.icon,
    color: draft.color,
    action_url: draft.actionUrl,
    action_text: draft.actionText,
    dismissible: draft.dismissible,
    expires_at: draft.expires === '' ? null : fromInput(draft.expires) || draft.expires,
    data: dataIn(draft.data),
    target: targetIn(draft.target),
    scheduled_at: schedule ? fromInput(draft.scheduled) || draft.scheduled : null,
  }
}

/** A target with nothing but what its type uses. */
export function targetIn(target: Target): Record<string, unknown> {
  const { type } = target
  switch (type) {
    case 'users':
      return { type, users: target.users }
    case 'roles':
      return { type, roles: target.roles }
    case 'active':
    case 'inactive':
      return { type, days: target.days }
    case 'all':
      return { type }
  }
}

function numberIn(text: string): unknown {
  return /^\s*-?\d+\s*$/.test(text) ? Number(text) : text
}

function dataIn(text: string): unknown {
  if (text.trim() === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Whether two forms stand for the same. */
export function same(a: Draft, b: Draft): boolean {
  return JSON.stringify(bodyOf(a)) === JSON.stringify(bodyOf(b))
}

/** The form's parts in the order in which they stand, by their names in the API. */
export const fields: readonly { readonly name: string; readonly label: string }[] = [
  { name: 'title', label: 'Title' },
  { name: 'message', label: 'Message' },
  { name: 'type', label: 'Type' },
  { name: 'priority', label: 'Priority' },
  { name: 'category', label: 'Category' },
  { name: 'importance', label: 'Importance' },
  { name: 'icon', label: 'Icon' },
  { name: 'color', label: 'Colour' },
  { name: 'action_url', label: 'Link' },
  { name: 'action_text', label: "Link's text" },
  { name: 'target', label: 'Receivers' },
  { name: 'scheduled_at', label: 'Goes out' },
  { name: 'expires_at', label: 'Expires' },
  { name: 'dismissible', label: 'May be dismissed' },
  { name: 'data', label: 'Data' },
]
