import type { Call } from '../model'

const outcomes: Readonly<Record<string, { name: string; tone: string }>> = {
  delivered: { name: 'delivered', tone: 'good' },
  retrying: { name: 'retrying', tone: 'warn' },
  dropped: { name: 'failed', tone: 'fault' },
}

/** What became of a request, in a word, and how it is to be taken. */
export function outcomeOf(outcome: string): { name: string; tone: string } {
  return outcomes[outcome] ?? { name: outcome, tone: '' }
}

/** The outcomes to choose from. */
export const choices = Object.entries(outcomes).map(([value, { name }]) => ({
  value,
  label: name,
}))

/** The names of a request's events, each once with its number. */
export function eventsOf({ events }: Call): string {
  const counts = new Map<string, number>()
  for (const name of events) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].map(([name, n]) => (n > 1 ? `${name} × ${n}` : name)).join(', ')
}

/** Why a request cannot be sent again now; empty when it can. */
export function whyNot({ outcome, body }: Call): string {
  if (outcome === 'retrying') return 'It is tried again by itself'
  return body ? '' : 'Its body is not kept any more'
}
