import { type ReactNode, useState } from 'react'
import { Link, useLocation } from 'wouter'
import { inFull } from '../kit/Time'
import { usePageTitle } from '../kit/title'
import type { Managed } from './model'
import { OneStatistics } from './OneStatistics'
import { Progress } from './Progress'
import { StatusBadge } from './Row'
import { StepDialog } from './StepDialog'
import { type Step, stepsOf, stepWord } from './steps'
import { capital, targetInWords } from './words'

/** A notification that has gone out or was cancelled, and what became of it. */
export function Detail(props: { one: Managed }): ReactNode {
  const { one } = props
  const [step, setStep] = useState<Step>()
  const [, navigate] = useLocation()
  usePageTitle(one.title)
  return (
    <>
      <header className="page-head detail-head">
        <h1>{one.title}</h1>
        <div className="detail-actions">
          <Link href={`/new?from=${one.id}`} className="quiet-link">
            Duplicate
          </Link>
          {stepsOf(one).map(each => (
            <button key={each} type="button" className="quiet" onClick={() => setStep(each)}>
              {stepWord(each, one)}
            </button>
          ))}
        </div>
      </header>
      {one.status === 'sending' && <Progress one={one} />}
      {one.sentAt !== '' && <OneStatistics one={one} />}
      <section className="card detail-content" aria-label="Content">
        <p className="detail-message">{one.message}</p>
        <dl className="facts">
          <Fact label="Status">
            <StatusBadge one={one} />
          </Fact>
          <Fact label="For">{capital(targetInWords(one.target))}</Fact>
          <Fact label="Type">{`${capital(one.type)}, ${one.priority} priority`}</Fact>
          <Fact label="Category">{one.category}</Fact>
          <Fact label="Link">{one.actionUrl}</Fact>
          <Fact label="Sent">{one.sentAt && inFull(one.sentAt)}</Fact>
          <Fact label="Expires">{one.expiresAt && inFull(one.expiresAt)}</Fact>
          <Fact label="Made by">{one.createdBy}</Fact>
        </dl>
      </section>
      {step && (
        <StepDialog
          step={step}
          one={one}
          onClose={() => setStep(undefined)}
          onGone={() => navigate('')}
        />
      )}
    </>
  )
}

function Fact(props: { label: string; children: ReactNode }): ReactNode {
  if (props.children === '') return null
  return (
    <div>
      <dt>{props.label}</dt>
      <dd>{props.children}</dd>
    </div>
  )
}
