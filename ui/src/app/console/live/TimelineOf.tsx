import type { ReactNode } from 'react'
import { inFull } from '../../kit/Time'
import { receiptOf, toneOf, wordOf } from '../log/words'
import type { Step, Timeline } from '../model'
import { Facts } from '../parts/Facts'
import { place } from '../parts/place'
import { bytes, clockOf, ms } from '../parts/words'

/** An event and what happened to it, in order. */
export function TimelineOf(props: { of: Timeline }): ReactNode {
  const { of } = props
  const others = of.channel_count - of.channels.length
  const first = Date.parse(of.timeline[0]?.at ?? '')
  return (
    <>
      <Facts
        of={[
          ['Id', <code key="id">{of.id}</code>],
          ['Status', of.status && wordOf(of.status)],
          ['App', of.app],
          ['Channels', `${of.channels.join(', ')}${others > 0 ? ` and ${others} more` : ''}`],
          ['Handed over by', of.by],
          ['From', of.address],
          ['Size', of.size > 0 ? bytes(of.size) : ''],
          ['Data has', of.keys?.join(', ')],
          ['Not for socket', of.exclude_socket_id],
          ['Receipt', of.receipt && receiptOf(of.receipt)],
        ]}
      />
      <ol className="c-timeline" aria-label="Timeline">
        {of.timeline.map((step, n) => (
          <li key={place(step.at, n)} data-step={step.what} data-tone={toneOf(step)}>
            <time dateTime={step.at} title={inFull(step.at)}>
              {clockOf(step.at)}
              {n > 0 && <small> +{ms(Date.parse(step.at) - first)}</small>}
            </time>
            <span className={`badge ${toneOf(step)}`}>{wordOf(step.what)}</span>
            <span className="c-step">{wordsOf(step)}</span>
          </li>
        ))}
      </ol>
    </>
  )
}

function wordsOf(step: Step): string {
  const parts: string[] = []
  if (step.channel) parts.push(step.channel)
  if (step.receipt) parts.push(receiptOf(step.receipt))
  if (step.queue) parts.push(`queue ${step.queue}`)
  if (step.try) parts.push(`try ${step.try}`)
  if (step.target) parts.push(step.target)
  if (step.status) parts.push(`answered ${step.status}`)
  if (step.error) parts.push(step.error)
  if (step.reason) parts.push(step.reason)
  if (step.code && step.code !== step.reason) parts.push(step.code)
  if (step.run_at) parts.push(`next at ${clockOf(step.run_at)}`)
  if (step.permanent) parts.push('not worth another try')
  if (step.took) parts.push(`took ${ms(step.took / 1e6)}`)
  return parts.join(' · ')
}
