import type { Status, Target, TargetType } from './model'

const statusWords: Record<Status, string> = {
  draft: 'Draft',
  scheduled: 'Scheduled',
  sending: 'Sending',
  sent: 'Sent',
  cancelled: 'Cancelled',
}

/** A status as people say it. */
export function statusWord(status: Status): string {
  return statusWords[status]
}

/** The badge's tone of a status. */
export function toneOf(status: Status): string {
  return { draft: '', scheduled: 'warn', sending: 'warn', sent: 'good', cancelled: 'fault' }[status]
}

const targetWords: Record<TargetType, string> = {
  all: 'Everybody',
  roles: 'People with a role',
  users: 'Named people',
  active: 'Who signed in lately',
  inactive: 'Who did not sign in lately',
}

/** A kind of target as a choice. */
export function targetWord(type: TargetType): string {
  return targetWords[type]
}

/** Whom a target means, in a few words. */
export function targetInWords(target: Target): string {
  switch (target.type) {
    case 'all':
      return 'everybody'
    case 'roles':
      return `the ${target.roles.length === 1 ? 'role' : 'roles'} ${listed(target.roles, 3)}`
    case 'users':
      return people(target.users.length)
    case 'active':
      return `people who signed in within ${days(target.days)}`
    case 'inactive':
      return `people who did not sign in for ${days(target.days)}`
  }
}

function days(count: number): string {
  return count === 1 ? 'a day' : `${count} days`
}

/** "1 person", "1,200 people". */
export function people(count: number): string {
  return count === 1 ? '1 person' : `${numeral(count)} people`
}

/** The first few of a list, and how many more there are. */
export function listed(all: readonly string[], most: number): string {
  if (all.length <= most) return all.join(', ')
  return `${all.slice(0, most).join(', ')} and ${all.length - most} more`
}

const numerals = new Intl.NumberFormat('en')

/** A number as people read it. */
export function numeral(value: number): string {
  return numerals.format(value)
}

/** A part of a whole, as "12 %"; "" when there is no whole. */
export function share(part: number, whole: number): string {
  if (whole <= 0) return ''
  const percent = (100 * part) / whole
  return `${percent > 0 && percent < 1 ? '< 1' : Math.round(percent)} %`
}

/** A word with a big letter at its beginning. */
export function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
