import type { Notification, NotificationManager } from 'belfry-client'
import { useCallback, useState } from 'react'

/** What can be done with a notification. */
export type Action = 'read' | 'unread' | 'dismiss' | 'archive'

/** What became of an action on some notifications. */
export interface Outcome {
  readonly action: Action
  readonly done: number
  /** Those that it failed for, with their titles. */
  readonly failed: readonly Notification[]
  /** Those that it cannot be done with. */
  readonly left: number
  /** Why it failed for the last of them. */
  readonly problem: string
}

/** The most requests at a time. */
const lanes = 4

/** Whether an action would change a notification. */
export function changes(action: Action, row: Notification): boolean {
  switch (action) {
    case 'read':
      return row.read_at === null
    case 'unread':
      return row.read_at !== null
    case 'dismiss':
      return row.dismissed_at === null
    case 'archive':
      return row.archived_at === null
  }
}

/** Whether an action is allowed. */
export function allowed(action: Action, row: Notification): boolean {
  return action !== 'dismiss' || row.dismissible
}

/** Does one thing with some notifications, a few at a time. */
async function actOn(
  manager: NotificationManager,
  action: Action,
  rows: readonly Notification[],
): Promise<Outcome> {
  const able = rows.filter(row => allowed(action, row))
  const queue = able.filter(row => changes(action, row))
  const failed: Notification[] = []
  let problem = ''
  const lane = async () => {
    for (let row = queue.shift(); row !== undefined; row = queue.shift()) {
      if (await manager[action](row.id)) continue
      problem = manager.getState().error ?? problem
      failed.push(row)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  const left = rows.length - able.length
  return { action, done: able.length - failed.length, failed, left, problem }
}

/** Actions, whether one is under way, and what became of the last one. */
export interface Actions {
  readonly run: (action: Action, rows: readonly Notification[]) => Promise<Outcome>
  readonly busy: boolean
  readonly outcome: Outcome | undefined
  readonly forget: () => void
}

export function useActions(manager: NotificationManager): Actions {
  const [running, setRunning] = useState(0)
  const [outcome, setOutcome] = useState<Outcome>()
  const run = useCallback(
    async (action: Action, rows: readonly Notification[]) => {
      setRunning(count => count + 1)
      setOutcome(undefined)
      const result = await actOn(manager, action, rows)
      setRunning(count => count - 1)
      // What is seen to have happened needs no words.
      if (rows.length > 1 || result.failed.length > 0 || result.left > 0) setOutcome(result)
      return result
    },
    [manager],
  )
  const forget = useCallback(() => setOutcome(undefined), [])
  return { run, busy: running > 0, outcome, forget }
}
