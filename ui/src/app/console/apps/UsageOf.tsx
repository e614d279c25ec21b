import type { ReactNode } from 'react'
import type { Usage } from '../model'
import { appWords, count } from '../parts/words'

const inBytes = /(_data|_body|member_size)$/

/** How near each app is to its limits. */
export function UsageOf(props: { usage: readonly Usage[] }): ReactNode {
  return (
    <section className="c-usage" aria-label="Usage">
      {props.usage.map(one => (
        <AppUsage key={one.app} of={one} />
      ))}
    </section>
  )
}

function AppUsage(props: { of: Usage }): ReactNode {
  const { app, name, limits } = props.of
  const all = limits ?? []
  const counted = all.filter(({ used }) => used !== null)
  const others = all.filter(({ used }) => used === null)
  return (
    <div className="card">
      <h2>{appWords({ id: app, name })}</h2>
      <ul>
        {counted.map(({ limit, used, max, percent, refused = 0 }) => (
          <li key={limit}>
            <span className="c-usage-name">{limit.replaceAll('_', ' ')}</span>
            <span className="c-usage-value">
              {count(used)} {max === null ? '(no limit)' : `of ${count(max)}`}
              {refused > 0 && <span className="badge fault">{count(refused)} refused</span>}
            </span>
            {max !== null && (
              <progress
                max={100}
                value={Math.min(100, percent ?? 0)}
                aria-label={`${limit.replaceAll('_', ' ')} of ${name || app}`}
                data-near={(percent ?? 0) >= 80 || undefined}
              />
            )}
          </li>
        ))}
      </ul>
      {others.length > 0 && (
        <details>
          <summary>Limits of single events, requests and connections</summary>
          <dl className="c-facts">
            {others.map(({ limit, max, refused = 0 }) => (
              <div key={limit}>
                <dt>{limit.replaceAll('_', ' ')}</dt>
                <dd>
                  {max === null
                    ? 'no limit'
                    : `${count(max)}${inBytes.test(limit) ? ' bytes' : ''}`}
                  {refused > 0 && (
                    <>
                      {' '}
                      <span className="badge fault">{count(refused)} refused</span>
                    </>
                  )}
                </dd>
              </div>
            ))}
          </dl>
        </details>
      )}
    </div>
  )
}
