import type { ReactNode } from 'react'
import { Link, useLocation } from 'wouter'
import { Time } from '../kit/Time'
import { Menu } from './Menu'
import type { Managed } from './model'
import { isOpen, type Step, stepsOf, stepWord } from './steps'
import { capital, numeral, share, statusWord, targetInWords, toneOf } from './words'

/** One notification of the list. */
export function Row(props: { one: Managed; ask: (step: Step) => void }): ReactNode {
  const { one, ask } = props
  const [, navigate] = useLocation()
  const choices = [
    ...(isOpen(one) ? [{ label: 'Edit', choose: () => navigate(`/${one.id}`) }] : []),
    ...stepsOf(one)
      .filter(step => step === 'send' || step === 'schedule')
      .map(step => ({ label: stepWord(step, one), choose: () => ask(step) })),
    { label: 'Duplicate', choose: () => navigate(`/new?from=${one.id}`) },
    ...stepsOf(one)
      .filter(step => step === 'cancel' || step === 'delete')
      .map(step => ({ label: stepWord(step, one), choose: () => ask(step), danger: true })),
  ]
  return (
    <li className="row-item" data-status={one.status}>
      <div className="row-main">
        <Link href={`/${one.id}`} className="row-title">
          {one.title}
        </Link>
        <p className="row-message">{one.message}</p>
        <p className="row-facts">
          <StatusBadge one={one} />
          <span className={one.priority === 'high' ? 'badge fault' : 'badge'}>
            {capital(one.type)}
            {one.priority !== 'medium' && `, ${one.priority}`}
          </span>
          {one.category !== '' && <span className="badge">{one.category}</span>}
          <span>To {targetInWords(one.target)}</span>
          <When one={one} />
        </p>
      </div>
      <Outcome one={one} />
      <Menu label={`Actions for ${one.title}`} choices={choices} />
    </li>
  )
}

/** The status in its colour. */
export function StatusBadge(props: { one: Managed }): ReactNode {
  const { status } = props.one
  return <span className={`badge ${toneOf(status)}`}>{statusWord(status)}</span>
}

/** When it went out, goes out, or was made. */
export function When(props: { one: Managed }): ReactNode {
  const { one } = props
  if (one.status === 'scheduled') {
    return (
      <span>
        goes out <Time at={one.scheduledAt} />
      </span>
    )
  }
  return (
    <span>
      {one.sentAt !== '' ? 'sent ' : 'made '}
      <Time at={one.sentAt || one.createdAt} />
      {one.createdBy !== '' && ` by ${one.createdBy}`}
    </span>
  )
}

function Outcome(props: { one: Managed }): ReactNode {
  const { stats, sentAt } = props.one
  if (sentAt === '') return null
  return (
    <dl className="row-figures">
      <div>
        <dt>Receivers</dt>
        <dd>{numeral(stats.recipients)}</dd>
      </div>
      <div>
        <dt>Read</dt>
        <dd>{share(stats.read, stats.recipients) || '–'}</dd>
      </div>
    </dl>
  )
}
