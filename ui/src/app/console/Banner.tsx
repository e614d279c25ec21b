import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { PayloadBanner } from './log/PayloadBanner'
import { useOverview, useStreamState } from './useStream'

/** Says what does not do well, on every page of the console. */
export function Banner(): ReactNode {
  const overview = useOverview()
  const state = useStreamState()
  const degraded = overview?.degraded ?? []
  return (
    <div role="status" className="c-banners">
      {state === 'lost' && (
        <p className="c-banner" data-banner="lost">
          <strong>Not live.</strong> The stream from the server is lost; it is tried again. What
          stands below may be old.
        </p>
      )}
      {overview !== undefined && !overview.ready && (
        <p className="c-banner" data-banner="unready">
          <strong>Not ready.</strong> The server was stopped, or starts: it takes no new connections
          at the moment.
        </p>
      )}
      {degraded.length > 0 && (
        <div className="c-banner" data-banner="degraded">
          <p>
            <strong>Degraded:</strong> {degraded.map(({ part }) => part).join(', ')}.{' '}
            <Link href="/health">See health</Link>
          </p>
          <ul>
            {degraded.map(({ part, problem }) => (
              <li key={part}>
                <code>{part}</code> {problem}
              </li>
            ))}
          </ul>
        </div>
      )}
      <PayloadBanner />
    </div>
  )
}
