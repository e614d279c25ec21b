import type { ReactNode } from 'react'
import { Time } from '../../kit/Time'
import type { Incoming as Call } from '../model'
import { ListOf, Nothing } from '../parts/ListOf'
import type { Column } from '../parts/Table'
import { bytes, count, ms } from '../parts/words'
import { useList } from '../queries'

const columns: readonly Column<Call>[] = [
  {
    name: 'At',
    of: one => (
      <>
        <Time at={one.at} />
        {one.count > 1 && <div className="c-small">and {count(one.count - 1)} more like it</div>}
      </>
    ),
  },
  { name: 'From', of: ({ address }) => address },
  {
    name: 'Result',
    of: ({ result, error, diagnosis }) => (
      <>
        <span className={`badge ${error ? 'fault' : ''}`}>{result.replaceAll('_', ' ')}</span>
        {error && <div className="c-error c-small">{error}</div>}
        {diagnosis && <div className="c-small">{diagnosis}</div>}
      </>
    ),
  },
  { name: 'Signature', of: ({ scheme }) => scheme || 'none' },
  {
    name: 'For',
    of: ({ dashboard, range, reason }) => (
      <>
        {[dashboard, range].filter(Boolean).join(', ')}
        {reason && <div className="c-small">{reason}</div>}
      </>
    ),
  },
  { name: 'Size', number: true, of: ({ size }) => bytes(size) },
  { name: 'Took', number: true, of: ({ milliseconds }) => ms(milliseconds) },
]

/** Signed calls that came in. */
export function Incoming(): ReactNode {
  const list = useList<Call>('webhooks/in', 'webhooks', {}, 3000)
  return (
    <section className="card">
      <ListOf
        label="Webhooks received"
        list={list}
        columns={columns}
        keyOf={({ id }) => id}
        empty={
          <Nothing title="No webhook came in">
            Signed calls to <code>/api/dashboard/notify-update</code> show here, also those that
            were refused.
          </Nothing>
        }
      />
    </section>
  )
}
