import { useCallback, useMemo } from 'react'
import { useSearchParams } from 'wouter'
import { type Filters, filtersOf, searchOf } from './filters'

/** What the page's address says. */
export interface Place {
  readonly filters: Filters
  /** The notification that is open, "" for none. */
  readonly opened: string
  /** Changes the filters. replace: without a step in the browser's history. */
  readonly pick: (change: Partial<Filters>, replace?: boolean) => void
  /** Closes the notification that is open. */
  readonly close: () => void
  /** The address at which a notification is open. */
  readonly addressOf: (id: string) => string
}

/** The filters, which the address holds, so that it can be kept and shared. */
export function useFilters(): Place {
  const [search, setSearch] = useSearchParams()
  const key = search.toString()
  // biome-ignore lint/correctness/useExhaustiveDependencies: key is what search holds
  const filters = useMemo(() => filtersOf(search), [key])
  const pick = useCallback(
    (change: Partial<Filters>, replace = false) => {
      setSearch(now => searchOf({ ...filtersOf(now), ...change }), { replace })
    },
    [setSearch],
  )
  const close = useCallback(() => setSearch(now => searchOf(filtersOf(now))), [setSearch])
  const addressOf = useCallback(
    (id: string) => {
      const to = searchOf(filters)
      to.set('id', id)
      return `/notifications?${to}`
    },
    [filters],
  )
  return { filters, opened: search.get('id') ?? '', pick, close, addressOf }
}
