import { useSearchParams } from 'wouter'
import type { Filter } from './api'

const names = ['status', 'type', 'priority', 'category', 'q'] as const

/** The list's filter, which stands in the address. */
export function useFilter(): {
  filter: Filter
  change: (more: Partial<Filter>) => void
  /** The address with a change of it. */
  hrefWith: (more: Partial<Filter>) => string
} {
  const [params, setParams] = useSearchParams()
  const read = (name: (typeof names)[number]) => params.get(name) ?? ''
  const filter: Filter = {
    status: read('status'),
    type: read('type'),
    priority: read('priority'),
    category: read('category'),
    q: read('q'),
  }
  return {
    filter,
    change: more => setParams(queryOf({ ...filter, ...more }), { replace: true }),
    hrefWith: more => {
      const query = queryOf({ ...filter, ...more }).toString()
      return query === '' ? '' : `?${query}`
    },
  }
}

function queryOf(filter: Filter): URLSearchParams {
  const query = new URLSearchParams()
  for (const name of names) {
    if (filter[name] !== '') query.set(name, filter[name])
  }
  return query
}
