import { useMemo } from 'react'
import { base } from '../base'

/** Addresses outside of the application's own routes. */
export function useHref(): { to: (path: string) => string; toSignIn: () => string } {
  return useMemo(
    () => ({
      to: (path: string) => base + path.replace(/^\//, ''),
      toSignIn: () => `${base}login?to=${encodeURIComponent(location.pathname + location.search)}`,
    }),
    [],
  )
}
