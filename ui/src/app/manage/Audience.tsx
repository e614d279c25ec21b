import type { ReactNode } from 'react'
import { Refusal } from '../../request'
import { wordsOf } from '../kit/States'
import { useSettled } from '../kit/useSettled'
import type { Target } from './model'
import { useAudience } from './queries'
import { listed, numeral, people } from './words'

/** What is missing of a target before anybody can be counted; "" for nothing. */
function missingOf(target: Target): string {
  if (target.type === 'roles' && target.roles.length === 0) return 'Choose a role.'
  if (target.type === 'users' && target.users.length === 0) return 'Name somebody.'
  const reaches = target.type === 'active' || target.type === 'inactive'
  if (reaches && !(Number.isInteger(target.days) && target.days >= 1)) return 'Say how many days.'
  return ''
}

/** How many get it and how many of them are there now, kept true. */
export function useCount(target: Target) {
  const settled = useSettled(target, 300)
  const missing = missingOf(settled)
  const audience = useAudience(missing === '' ? settled : undefined)
  return { missing, audience }
}

/** The same as one sentence. */
export function AudienceLine(props: { target: Target }): ReactNode {
  const { missing, audience } = useCount(props.target)
  const { data } = audience
  if (missing !== '') return <p className="audience-line">{missing}</p>
  if (audience.isError) return <p className="audience-line">{wordsOf(audience.error)}</p>
  return (
    <p className="audience-line" aria-live="polite">
      {data === undefined ? 'Counting …' : `${sentence(data.recipients, data.online)}`}
    </p>
  )
}

function sentence(recipients: number, online: number): string {
  if (recipients === 0) return 'Nobody gets it at present.'
  const gets = recipients === 1 ? 'gets' : 'get'
  return `${people(recipients)} ${gets} it, ${numeral(online)} of them ${online === 1 ? 'has' : 'have'} a page open now.`
}

/** The same as two figures and some names, for the side of the form. */
export function Audience(props: { target: Target }): ReactNode {
  const { missing, audience } = useCount(props.target)
  const { data, error } = audience
  const rest = data === undefined ? 0 : data.recipients - data.sample.length
  return (
    <section className="card audience" aria-labelledby="audience-head" aria-live="polite">
      <h2 id="audience-head">Who gets it</h2>
      {missing !== '' && <p className="muted">{missing}</p>}
      {missing === '' && error && (
        <p className="note">{error instanceof Refusal ? plain(error) : wordsOf(error)}</p>
      )}
      {missing === '' && !error && (
        <>
          <dl className="figures">
            <div>
              <dt>Receivers</dt>
              <dd>{data === undefined ? '–' : numeral(data.recipients)}</dd>
            </div>
            <div>
              <dt>Online now</dt>
              <dd>{data === undefined ? '–' : numeral(data.online)}</dd>
            </div>
          </dl>
          {data !== undefined && data.recipients === 0 && (
            <p className="muted">Nobody is meant by this at present.</p>
          )}
          {data !== undefined && data.sample.length > 0 && (
            <p className="muted sample">
              {listed(data.sample, 10)}
              {rest > 0 && ` and ${numeral(rest)} more`}
            </p>
          )}
        </>
      )}
    </section>
  )
}

/** The faults of a target without the names of its parts. */
function plain(problem: Refusal): string {
  const faults = Object.values(problem.fields)
  return faults.length > 0 ? faults.join(' ') : problem.message
}
