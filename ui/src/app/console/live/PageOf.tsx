import { type ReactNode, useId } from 'react'
import { Time } from '../../kit/Time'
import type { PageSaid } from '../model'
import { place } from '../parts/place'
import { count } from '../parts/words'

/** What a connection's page says that it has handlers for, and which failed. */
export function PageOf(props: { of: PageSaid | null }): ReactNode {
  const { of } = props
  const id = useId()
  return (
    <section aria-labelledby={id}>
      <h3 id={id}>What its page reports</h3>
      {of === null ? (
        <p className="c-small">
          Nothing. A page reports its handlers once it loads belfry-client/reporter.
        </p>
      ) : (
        <Report of={of} />
      )}
    </section>
  )
}

/** What a page reported, without a heading. */
export function Report(props: { of: PageSaid }): ReactNode {
  const { of } = props
  return (
    <div>
      {of.handlers.length === 0 ? (
        <p>It has no handlers here.</p>
      ) : (
        <ul className="c-plain" aria-label="Handlers">
          {of.handlers.map(({ channel, events }) => (
            <li key={channel}>
              <code>{channel || 'all channels'}</code>:{' '}
              {events.map(name => (name === '*' ? 'every event' : name)).join(', ') || (
                <span className="muted">no handlers</span>
              )}
            </li>
          ))}
        </ul>
      )}
      <p className="c-small">
        {of.more && 'There are handlers on more channels. '}
        So since <Time at={of.since} />, last reported <Time at={of.last_at} />. {failedWords(of)}
      </p>
      {of.failures.length > 0 && (
        <ul className="c-plain" aria-label="Handlers that failed">
          {of.failures.map(({ at, channel, event, error }, n) => (
            <li key={place(at + channel + event, n)}>
              <code>{event}</code>
              {channel !== '' && (
                <>
                  {' '}
                  on <code>{channel}</code>
                </>
              )}
              : <span className="c-error">{error}</span>{' '}
              <span className="c-small">
                <Time at={at} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

function failedWords({ failed, failures }: PageSaid): string {
  if (failed === 0) return 'No handler failed.'
  const head = `Handlers failed ${failed === 1 ? 'once' : `${count(failed)} times`}`
  if (failures.length === 0) return `${head}, for other channels or long ago.`
  return failed > failures.length ? `${head}. The last ${failures.length} of them:` : `${head}:`
}
