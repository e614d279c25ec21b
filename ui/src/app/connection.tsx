import Pusher from 'pusher-js'
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import { base } from '../base'
import { ownHeaders } from '../request'
import type { Start } from '../start'
import { hurry } from './hurry'
import { useSession } from './session'

const Context = createContext<Pusher | undefined>(undefined)

/**
 * Gives one connection to all that is below it: the bell and a dashboard share
 * it. Who signs in or out gets a new one, since a connection's rights are those
 * of the user who opened it.
 */
export function ConnectionProvider(props: { children: ReactNode }): ReactNode {
  const { user, start } = useSession()
  const [pusher, setPusher] = useState<Pusher>()
  const userId = user === undefined ? undefined : (user?.id ?? '')
  useEffect(() => {
    if (userId === undefined || start === undefined) return
    const made = connect(start)
    const calm = hurry(made)
    setPusher(made)
    return () => {
      setPusher(undefined)
      calm()
      made.disconnect()
    }
  }, [userId, start])
  return <Context.Provider value={pusher}>{props.children}</Context.Provider>
}

/** The page's connection, undefined until it is known where to connect to. */
export function useConnection(): Pusher | undefined {
  return useContext(Context)
}

/** How the connection is, as pusher-js names it. */
export function useConnectionState(): string {
  const pusher = useConnection()
  const [state, setState] = useState('initialized')
  useEffect(() => {
    if (pusher === undefined) return
    setState(pusher.connection.state)
    const onChange = (change: { current: string }) => setState(change.current)
    pusher.connection.bind('state_change', onChange)
    return () => {
      pusher.connection.unbind('state_change', onChange)
    }
  }, [pusher])
  return state
}

/** Connects to the server that served the page. */
export function connect(start: Start): Pusher {
  return new Pusher(start.app.key, {
    cluster: 'mt1', // unused, since a host is given, but required
    wsHost: start.host,
    wsPort: start.port,
    wssPort: start.port,
    wsPath: start.pathPrefix,
    forceTLS: start.tls,
    enabledTransports: ['ws', 'wss'],
    channelAuthorization: {
      endpoint: `${base}broadcasting/auth`,
      transport: 'ajax',
      headersProvider: ownHeaders,
    },
  })
}
