import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import { type Filter, list, load, preview, roles, statisticsFor, totals } from './api'
import { targetIn } from './draft'
import type { Managed, Target } from './model'
import { zone } from './times'

const root = 'manage'

/** The list under a filter, kept fresh: quickly while something goes out. */
export function useList(filter: Filter) {
  return useInfiniteQuery({
    queryKey: [root, 'list', filter],
    queryFn: ({ pageParam, signal }) => list(filter, pageParam, signal),
    initialPageParam: '',
    getNextPageParam: page => page.next || undefined,
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      pace(state.data?.pages.flatMap(page => page.notifications) ?? []),
  })
}

/** One notification, kept fresh. */
export function useOne(id: string) {
  return useQuery({
    queryKey: [root, 'one', id],
    queryFn: ({ signal }) => load(id, signal),
    refetchOnMount: 'always',
    refetchInterval: ({ state }) => pace(state.data === undefined ? [] : [state.data]),
  })
}

/** How soon to look again: soon while something is going out or about to. */
function pace(shown: readonly Managed[]): number {
  const soon = Date.now() + 30_000
  const busy = shown.some(
    one =>
      one.status === 'sending' ||
      (one.status === 'scheduled' && Date.parse(one.scheduledAt) < soon),
  )
  return busy ? 1000 : 10_000
}

/** Who a target means now, asked again every few seconds. */
export function useAudience(target: Target | undefined) {
  return useQuery({
    queryKey: [root, 'audience', target === undefined ? null : targetIn(target)],
    queryFn: ({ signal }) => preview(target as Target, signal),
    enabled: target !== undefined,
    placeholderData: keepPreviousData,
    refetchInterval: 4000,
    staleTime: 1000,
  })
}

/** The roles that people have. */
export function useRoles() {
  return useQuery({ queryKey: [root, 'roles'], queryFn: ({ signal }) => roles(signal) })
}

/** What became of what was sent on the last days. */
export function useTotals(days: number) {
  const here = zone()
  return useQuery({
    queryKey: [root, 'totals', days, here],
    queryFn: ({ signal }) => totals(days, here, signal),
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  })
}

/** What became of one. */
export function useStatistics(one: Managed) {
  return useQuery({
    queryKey: [root, 'statistics', one.id],
    queryFn: ({ signal }) => statisticsFor(one.id, signal),
    enabled: one.sentAt !== '',
    refetchInterval: pace([one]),
  })
}

/** Brings a change to all that shows notifications. */
export function useChanged() {
  const queries = useQueryClient()
  return useMemo(() => {
    const others = (id: string) =>
      void queries.invalidateQueries({
        predicate: ({ queryKey: [first, what, which] }) =>
          first === root && (what !== 'one' || which !== id),
      })
    return {
      /** What the server has of one now. */
      to: (one: Managed) => {
        queries.setQueryData([root, 'one', one.id], one)
        others(one.id)
      },
      /** One is gone. */
      gone: (id: string) => {
        queries.removeQueries({ queryKey: [root, 'one', id] })
        others('')
      },
      /** Somebody else changed something. */
      all: () => others(''),
    }
  }, [queries])
}
