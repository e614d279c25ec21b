import type { ReactNode } from 'react'
import type { Verdict } from '../model'
import { TimelineOf } from './TimelineOf'

/** Why an event did or did not arrive: one sentence, what shows it, what to do. */
export function VerdictOf(props: { verdict: Verdict; brief?: boolean }): ReactNode {
  const { verdict, brief } = props
  // Beside a timeline, that of what arrived shows nothing new.
  const evidence = brief && verdict.arrived ? [] : (verdict.evidence ?? [])
  return (
    <section className="c-verdict" data-arrived={verdict.arrived} aria-label="Verdict">
      <p className="c-verdict-sentence">{verdict.sentence}</p>
      {evidence.length > 0 && (
        <ul className="c-evidence">
          {evidence.map(text => (
            <li key={text}>{text}</li>
          ))}
        </ul>
      )}
      {verdict.fix && (
        <p>
          <strong>What to do:</strong> {verdict.fix}
        </p>
      )}
      {verdict.near && verdict.near.length > 0 && (
        <p>
          <strong>Near it:</strong>{' '}
          {verdict.near.map((name, n) => (
            <span key={name}>
              {n > 0 && ', '}
              <code>{name}</code>
            </span>
          ))}
        </p>
      )}
      {!brief && verdict.event && <TimelineOf of={verdict.event} />}
    </section>
  )
}
