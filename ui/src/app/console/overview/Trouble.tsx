import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useEffect } from 'react'
import { Link } from 'wouter'
import { keyOf } from '../log/keyOf'
import { LogLine } from '../log/LogLine'
import type { Entry } from '../model'
import { Answered } from '../parts/ListOf'
import { place } from '../parts/place'
import { root, useAnswer } from '../queries'
import { trouble, useStream } from '../useStream'

const shown = 8

/** What was refused lately, on the way in or at a channel. */
export function Trouble(): ReactNode {
  const stream = useStream()
  const queries = useQueryClient()
  const params = { kinds: trouble['kinds'] ?? '', limit: String(shown) }
  const answer = useAnswer<{ entries: readonly Entry[] }>('log', params, 0)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the parameters stay
  useEffect(
    () =>
      stream.listen({
        entries: entries =>
          queries.setQueryData([root, 'log', params], (old?: { entries: readonly Entry[] }) => ({
            ...old,
            entries: [...[...entries].reverse(), ...(old?.entries ?? [])].slice(0, shown),
          })),
      }),
    [stream, queries],
  )
  return (
    <section className="card c-trouble" aria-labelledby="trouble">
      <header className="c-card-head">
        <h2 id="trouble">Lately refused</h2>
        <Link href={`/log?kinds=${trouble['kinds']}`}>All in the log</Link>
      </header>
      <Answered answer={answer}>
        {({ entries }) =>
          entries.length === 0 ? (
            <p className="muted">Nothing was refused in the last hour.</p>
          ) : (
            <ul>
              {entries.map((entry, n) => (
                <li key={place(keyOf(entry), n)}>
                  <LogLine entry={entry} />
                </li>
              ))}
            </ul>
          )
        }
      </Answered>
    </section>
  )
}
