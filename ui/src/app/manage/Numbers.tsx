import type { ReactNode } from 'react'
import type { Counts } from './model'
import { numeral, share } from './words'

/** The counts as figures with their part of the whole. */
export function Numbers(props: { counts: Counts; sent?: number }): ReactNode {
  const { counts, sent } = props
  const figure = (label: string, value: number, part = '') => (
    <div className="card">
      <dt>{label}</dt>
      <dd>
        {numeral(value)} {part !== '' && <small>{part}</small>}
      </dd>
    </div>
  )
  return (
    <dl className="numbers">
      {sent !== undefined && figure('Sent', sent)}
      {figure('Receivers', counts.recipients)}
      {figure('Delivered live', counts.live, share(counts.live, counts.recipients))}
      {figure('Read', counts.read, share(counts.read, counts.recipients))}
      {figure('Dismissed', counts.dismissed, share(counts.dismissed, counts.recipients))}
    </dl>
  )
}
