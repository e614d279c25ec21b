import { useSearchParams } from 'wouter'

export { Choice, Typed } from '../../kit/fields'

/** What a page's list is narrowed down to. It stands in the address. */
export function useFilters<Name extends string>(
  names: readonly Name[],
): [Readonly<Record<Name, string>>, (more: Partial<Record<Name, string>>) => void] {
  const [params, setParams] = useSearchParams()
  const filter = Object.fromEntries(names.map(name => [name, params.get(name) ?? '']))
  return [
    filter as Record<Name, string>,
    more =>
      setParams(
        old => {
          const next = new URLSearchParams(old)
          for (const [name, value] of Object.entries(more) as [string, string][]) {
            if (value === '') next.delete(name)
            else next.set(name, value)
          }
          return next
        },
        { replace: true },
      ),
  ]
}
