import { useQuery, useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useMemo } from 'react'
import { signOut, type User, whoAmI } from '../people'
import { loadStart, type Start } from '../start'
import { endPush } from './push'

/** Who looks at the page, and at which server. */
export interface Session {
  /** undefined while it is not known, null for nobody. */
  readonly user: User | null | undefined
  /** Why it is not known who is signed in, or where to, when the server did not say. */
  readonly problem: Error | null
  /** What the server says of itself, undefined until it has. */
  readonly start: Start | undefined
  /** Asks again who is signed in. */
  readonly refresh: () => void
  /** Signs out and forgets what was loaded. Throws a Refusal. */
  readonly leave: () => Promise<void>
}

const Context = createContext<Session | undefined>(undefined)

const userKey = ['session', 'user']

/** Keeps it known who is signed in, also when that changes in another tab. */
export function SessionProvider(props: { children: ReactNode }): ReactNode {
  const queries = useQueryClient()
  const user = useQuery({
    queryKey: userKey,
    queryFn: async () => (await whoAmI()) ?? null,
    refetchOnWindowFocus: 'always',
  })
  const start = useQuery({
    queryKey: ['start'],
    queryFn: loadStart,
    staleTime: Number.POSITIVE_INFINITY,
  })
  // A page out of the browser's memory may be older than the last sign-out.
  useEffect(() => {
    const onShow = (event: PageTransitionEvent) => {
      if (event.persisted) void queries.invalidateQueries({ queryKey: userKey })
    }
    window.addEventListener('pageshow', onShow)
    return () => window.removeEventListener('pageshow', onShow)
  }, [queries])
  const session = useMemo<Session>(
    () => ({
      user: user.data,
      problem: user.data === undefined ? user.error : start.data === undefined ? start.error : null,
      start: start.data,
      refresh: () => {
        void queries.invalidateQueries({ queryKey: userKey })
        if (start.data === undefined) void queries.refetchQueries({ queryKey: ['start'] })
      },
      leave: async () => {
        await endPush()
        await signOut()
        queries.setQueryData(userKey, null)
        queries.removeQueries({
          predicate: query => query.queryKey[0] !== 'session' && query.queryKey[0] !== 'start',
        })
      },
    }),
    [queries, user.data, user.error, start.data, start.error],
  )
  return <Context.Provider value={session}>{props.children}</Context.Provider>
}

/** The session of the SessionProvider above. */
export function useSession(): Session {
  const session = useContext(Context)
  if (session === undefined) throw new Error('useSession: there is no SessionProvider above')
  return session
}

/** Whether a user may use what a role opens; an administrator may manage too. */
export function hasRole(user: User | null | undefined, role: 'admin' | 'manager'): boolean {
  const roles = user?.roles ?? []
  return roles.includes('admin') || roles.includes(role)
}
