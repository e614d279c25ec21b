interface Words {
  readonly name: string
  /** The range before it, to which figures are compared. */
  readonly before: string
}

const words: Readonly<Record<string, Words>> = {
  today: { name: 'Today', before: 'yesterday' },
  yesterday: { name: 'Yesterday', before: 'the day before' },
  this_week: { name: 'This week', before: 'last week' },
  last_week: { name: 'Last week', before: 'the week before' },
  this_month: { name: 'This month', before: 'last month' },
  last_month: { name: 'Last month', before: 'the month before' },
  last_7_days: { name: 'Last 7 days', before: 'the 7 days before' },
  last_30_days: { name: 'Last 30 days', before: 'the 30 days before' },
}

/** All ranges, for as long as the server has not said which it has. */
export const allRanges: readonly string[] = Object.keys(words)

/** A range's name for people. */
export function nameOfRange(range: string): string {
  return words[range]?.name ?? range
}

/** The name of the range before. */
export function rangeBefore(range: string): string {
  return words[range]?.before ?? 'the time before'
}

/** The days of a range in the dashboard's zone; the end is not one of them. */
export function daysOf(start: string, end: string, timeZone: string): string {
  const [from, to] = [new Date(start), new Date(Date.parse(end) - 1)]
  if (Number.isNaN(from.getTime()) || Number.isNaN(to.getTime())) return ''
  const format = new Intl.DateTimeFormat(undefined, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    timeZone,
  })
  return format.formatRange(from, to)
}
