import { useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import { type Params, read } from '../api'
import type { Entry } from '../model'
import { trouble, useStream } from '../useStream'
import { LogBook, type Pages } from './book'

/** The log with what happens, live, narrowed down to a filter. */
export function useLog(filter: Params): { book: LogBook; pages: Pages; problem: unknown } {
  const stream = useStream()
  const key = JSON.stringify(filter)
  // biome-ignore lint/correctness/useExhaustiveDependencies: another filter, another book
  const book = useMemo(() => new LogBook(), [key])
  const [problem, setProblem] = useState<unknown>()
  const pages = useSyncExternalStore(book.listen, book.read)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the book stands for the filter
  useEffect(() => {
    const ended = new AbortController()
    const stop = stream.listen({
      entries: entries => book.add(entries),
      sampled: sampled => book.sample(sampled),
    })
    stream.want(filter)
    setProblem(undefined)
    read<{ entries: readonly Entry[] }>('log', { ...filter, limit: '200' }, ended.signal).then(
      ({ entries }) => book.fill(entries),
      (cause: unknown) => {
        if (!ended.signal.aborted) setProblem(cause)
      },
    )
    const timer = window.setInterval(() => book.settle(), 1000)
    return () => {
      window.clearInterval(timer)
      ended.abort()
      stop()
      book.end()
    }
  }, [stream, book])
  useEffect(() => () => stream.want(trouble), [stream])
  return { book, pages, problem }
}
