import type { ReactNode } from 'react'
import { Time } from '../kit/Time'

/** Columns whose few values stand out as badges. */
const badges = new Set(['severity', 'priority', 'status', 'level', 'risk'])

const tones: Readonly<Record<string, string>> = {
  critical: 'fault',
  high: 'fault',
  urgent: 'fault',
  medium: 'warn',
  moderate: 'warn',
  open: 'warn',
  in_progress: 'warn',
  resolved: 'good',
  closed: 'good',
  low: 'good',
}

const numbers = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 })

/** One value of a row, as its column's name and its form suggest. All of it is text. */
export function Cell(props: { name: string; value: unknown }): ReactNode {
  const { name, value } = props
  if (value === null || value === undefined || value === '') return '–'
  const at = timeOf(name, value)
  if (at !== undefined) return <Time at={at} />
  if (typeof value === 'number') return numbers.format(value)
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value !== 'string') return JSON.stringify(value)
  if (!badges.has(name)) return value
  return <span className={`badge ${tones[value.toLowerCase()] ?? ''}`}>{inWords(value)}</span>
}

/** A column's name for people: created_at is Created. */
export function headingOf(name: string): string {
  const text = inWords(name.replace(/_at$/, ''))
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function inWords(name: string): string {
  return name.replaceAll('_', ' ')
}

/** The moment that a value stands for, undefined when it is none. */
function timeOf(name: string, value: unknown): number | undefined {
  if (typeof value === 'number' && name.endsWith('_at') && value > 1e11) return value
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value)) return undefined
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : at
}
