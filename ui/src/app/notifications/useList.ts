import { useInfiniteQuery } from '@tanstack/react-query'
import type { Notification } from 'belfry-client'
import { useNotifications } from 'belfry-client/react'
import { useEffect, useMemo, useRef } from 'react'
import { sentence } from '../../request'
import { type Filters, fits, newestFirst, sentAt } from './filters'
import { listKey } from './listKey'

/** How many the server gives at a time. */
const pageSize = 50

/** A list by filters, as far as it is loaded, true at every moment. */
export interface List {
  /** Newest first. */
  readonly rows: readonly Notification[]
  readonly status: 'loading' | 'failed' | 'ready'
  /** Why it is not there, or why its next page is not. */
  readonly problem: Error | null
  readonly hasMore: boolean
  readonly loading: boolean
  readonly loadMore: () => void
  /** Asks again for what failed. */
  readonly retry: () => void
}

/**
 * The list of the server, kept up with what the manager hears: pages of the list
 * tell what there is, and how far back it is known; what each row is now, what
 * came since and what left comes from the manager.
 */
export function useList(filters: Filters): List {
  const state = useNotifications()
  const { manager, connection } = state
  const query = useInfiniteQuery({
    queryKey: [listKey, filters],
    queryFn: async ({ pageParam }) => {
      const page = await manager.list({ ...filters, limit: pageSize, cursor: pageParam })
      const last = page.notifications.at(-1)
      return {
        ids: page.notifications.map(({ id }) => id),
        next: page.next_cursor,
        floor: last ? sentAt(last) : '',
      }
    },
    initialPageParam: '',
    getNextPageParam: last => last.next ?? undefined,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  })
  const { data, isError, hasNextPage, refetch, fetchNextPage } = query

  const retry = () => void (data ? fetchNextPage() : refetch())
  const latest = useRef({ isError, retry, connection })
  useEffect(() => {
    const cameBack = connection === 'live' && latest.current.connection !== 'live'
    if (cameBack && latest.current.isError) latest.current.retry()
  }, [connection])
  useEffect(() => {
    latest.current = { isError, retry, connection }
  })

  const found = useMemo(() => new Set(data?.pages.flatMap(page => page.ids)), [data])
  // biome-ignore lint/correctness/useExhaustiveDependencies: state is what known follows
  const rows = useMemo(() => {
    const last = data?.pages.at(-1)
    if (last === undefined) return []
    const floor = last.next === null ? '' : last.floor
    return manager
      .known()
      .filter(row => {
        const listed = found.has(row.id)
        return (listed || sentAt(row) >= floor) && fits(row, filters, listed)
      })
      .sort(newestFirst)
  }, [manager, state, data, found, filters])

  return {
    rows,
    status: data ? 'ready' : isError ? 'failed' : 'loading',
    problem: query.error && new Error(sentence(query.error.message)),
    hasMore: hasNextPage,
    loading: query.isFetching,
    loadMore: () => {
      if (hasNextPage && !query.isFetching && !isError) void fetchNextPage()
    },
    retry,
  }
}
