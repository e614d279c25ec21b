import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from 'react'
import { useSession } from '../session'
import type { Params } from './api'
import type { Overview, PayloadViews } from './model'
import { ConsoleStream, type StreamState } from './stream'

const Context = createContext<ConsoleStream | undefined>(undefined)

/** What the stream brings where no page asks for more: what went wrong. */
export const trouble: Params = { kinds: 'denial,refusal', rate: '20' }

/** Opens the stream for the pages in it, and notices that it is not for them. */
export function StreamProvider(props: { children: ReactNode }): ReactNode {
  const { refresh } = useSession()
  const stream = useMemo(() => new ConsoleStream(trouble), [])
  // biome-ignore lint/correctness/useExhaustiveDependencies: refresh is new each time
  useEffect(() => {
    const stop = stream.listen({
      bye: reason => {
        if (reason !== 'shutdown') refresh()
      },
    })
    stream.open()
    return () => {
      stop()
      stream.close()
    }
  }, [stream])
  return <Context.Provider value={stream}>{props.children}</Context.Provider>
}

/** The stream of the StreamProvider above. */
export function useStream(): ConsoleStream {
  const stream = useContext(Context)
  if (stream === undefined) throw new Error('useStream: there is no StreamProvider above')
  return stream
}

/** The latest overview, undefined before the first. */
export function useOverview(): Overview | undefined {
  const stream = useStream()
  const [overview, setOverview] = useState(stream.overview)
  useEffect(() => stream.listen({ overview: setOverview }), [stream])
  return overview
}

/** Whether the data of events may be looked at, and who does. */
export function usePayloads(): PayloadViews {
  const stream = useStream()
  return useSyncExternalStore(
    changed => stream.listen({ payloads: changed }),
    () => stream.payloads,
  )
}

/** How the stream is. */
export function useStreamState(): StreamState {
  const stream = useStream()
  return useSyncExternalStore(
    changed => stream.listen({ state: changed }),
    () => stream.state,
  )
}
