import { useQuery } from '@tanstack/react-query'
import type { Notification, NotificationManager } from 'belfry-client'
import { useNotifications } from 'belfry-client/react'
import { useEffect } from 'react'
import { listKey } from './listKey'

/** Where one that is not loaded is looked for, and in how many pages of each. */
const places = ['all', 'dismissed', 'archived'] as const
const depth = 10

/** The notification that a link leads to; undefined while there is none. */
export interface Opened {
  readonly row: Notification | undefined
  readonly looking: boolean
  readonly problem: Error | null
  readonly retry: () => void
}

/** Finds the notification that the address names, and marks it as read. */
export function useOpened(id: string): Opened {
  const { manager } = useNotifications()
  const known = id === '' ? undefined : manager.get(id)
  const query = useQuery({
    queryKey: [listKey, 'one', id],
    queryFn: () => lookFor(manager, id),
    enabled: id !== '' && known === undefined,
    staleTime: 0,
    refetchOnWindowFocus: false,
  })
  const row = known
  const unread = row !== undefined && row.read_at === null
  const there = row !== undefined
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it opens
  useEffect(() => {
    if (there && unread) void manager.read(id)
  }, [id, there])
  return {
    row,
    looking: query.isFetching,
    problem: query.error,
    retry: () => void query.refetch(),
  }
}

async function lookFor(manager: NotificationManager, id: string): Promise<boolean> {
  for (const status of places) {
    let cursor: string | null = ''
    for (let page = 0; page < depth && cursor !== null; page++) {
      const answer = await manager.list({ status, limit: 100, cursor })
      if (answer.notifications.some(row => row.id === id)) return true
      cursor = answer.next_cursor
    }
  }
  return false
}
