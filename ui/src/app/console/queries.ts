import {
  keepPreviousData,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'
import { Refusal } from '../../request'
import { useSession } from '../session'
import { act, type Params, read } from './api'

/** All that is loaded for the console stands below this key. */
export const root = 'console'

/** Reads one answer, and again every so many milliseconds. */
export function useAnswer<T>(name: string, params: Params = {}, every = 5000) {
  const query = useQuery({
    queryKey: [root, name, params],
    queryFn: ({ signal }) => read<T>(name, params, signal),
    refetchInterval: every || false,
    placeholderData: keepPreviousData,
  })
  useRefused(query.error)
  return query
}

/** Reads a list, page by page. What is at items is put together. */
export function useList<T>(name: string, items: string, params: Params = {}, every = 5000) {
  const query = useInfiniteQuery({
    queryKey: [root, name, params],
    queryFn: ({ pageParam, signal }) =>
      read<Record<string, unknown>>(name, { limit: '100', ...params, cursor: pageParam }, signal),
    initialPageParam: '',
    getNextPageParam: page => (page['next_cursor'] as string | null) || undefined,
    // Many pages are looked at, not followed.
    refetchInterval: ({ state }) => ((state.data?.pages.length ?? 0) > 3 ? false : every),
    placeholderData: keepPreviousData,
  })
  useRefused(query.error)
  const pages = query.data?.pages
  const rows = useMemo(
    () => pages?.flatMap(page => (page[items] as readonly T[] | null) ?? []),
    [pages, items],
  )
  return { ...query, rows, first: pages?.[0] }
}

/** The answer of useList without what differs between lists. */
export type List = Pick<
  ReturnType<typeof useList>,
  'error' | 'refetch' | 'hasNextPage' | 'fetchNextPage' | 'isFetchingNextPage'
>

/** Changes something, and has everything on show looked at again. */
export function useAct<T = Record<string, unknown>>() {
  const queries = useQueryClient()
  const mutation = useMutation({
    mutationFn: (one: { name: string; body?: object; method?: 'POST' | 'DELETE' }) =>
      act<T>(one.method ?? 'POST', one.name, one.body),
    // An answer may hold a secret, which is kept nowhere.
    gcTime: 0,
    onSettled: () => void queries.invalidateQueries({ queryKey: [root] }),
  })
  useRefused(mutation.error)
  return mutation
}

/** Notices that somebody is no longer signed in, or no longer an administrator. */
function useRefused(problem: unknown): void {
  const { refresh } = useSession()
  const refused = problem instanceof Refusal && (problem.status === 401 || problem.status === 403)
  // biome-ignore lint/correctness/useExhaustiveDependencies: once each time
  useEffect(() => {
    if (refused) refresh()
  }, [refused])
}
