import type { Filters, Status } from './filters'
import type { Action, Outcome } from './useActions'

export const statusWords: Record<Status, string> = {
  all: 'All',
  unread: 'Unread',
  read: 'Read',
  dismissed: 'Dismissed',
  archived: 'Archived',
}

export const typeWords: Record<string, string> = {
  system: 'System',
  announcement: 'Announcement',
  alert: 'Alert',
  reminder: 'Reminder',
}

export const priorityWords: Record<string, string> = { high: 'High', medium: 'Medium', low: 'Low' }

export const actionWords: Record<Action, string> = {
  read: 'Mark as read',
  unread: 'Mark as unread',
  dismiss: 'Dismiss',
  archive: 'Archive',
}

const doneWords: Record<Action, string> = {
  read: 'marked as read',
  unread: 'marked as unread',
  dismiss: 'dismissed',
  archive: 'archived',
}

/** What became of an action, as sentences. */
export function outcomeWords({ action, done, failed, left, problem }: Outcome): string {
  const said: string[] = []
  if (failed.length > 0) {
    const titles = failed.slice(0, 3).map(({ title }) => `“${title}”`)
    if (failed.length > 3) titles.push(`${failed.length - 3} more`)
    const reason = problem === '' ? '' : ` The server says: ${problem.replace(/\.$/, '')}.`
    said.push(`Not ${doneWords[action]}: ${titles.join(', ')}.${reason}`)
  }
  if (done > 0) said.push(`${done} ${doneWords[action]}.`)
  if (left > 0) said.push(`${left} cannot be dismissed.`)
  return said.join(' ')
}

/** What stands where a list has nothing, and why. */
export function emptyWords({ status }: Filters, narrow: boolean): [title: string, text: string] {
  if (narrow) {
    return ['Nothing matches', 'No notification fits the search and filters that are set.']
  }
  switch (status) {
    case 'unread':
      return ['All read', 'What arrives shows here at once.']
    case 'read':
      return ['Nothing read yet', 'What you read stays here until you dismiss or archive it.']
    case 'dismissed':
      return ['Nothing dismissed', 'What you dismiss goes here and is off the list.']
    case 'archived':
      return ['Nothing archived', 'What you archive is kept here.']
    default:
      return ['No notifications', 'What arrives shows here at once.']
  }
}
