import type { ReactNode } from 'react'
import { usePageTitle } from '../../kit/title'
import { useFilters } from '../parts/Filters'
import { Incoming } from './Incoming'
import { Outgoing } from './Outgoing'

/** Webhooks that go out to applications, and signed calls that come in. */
export function WebhooksPage(): ReactNode {
  usePageTitle('Webhooks')
  const [{ side }, change] = useFilters(['side'])
  const incoming = side === 'in'
  return (
    <>
      <header className="page-head">
        <h1>Webhooks</h1>
        <div className="c-actions">
          <button
            type="button"
            className="quiet c-pick"
            aria-pressed={!incoming}
            onClick={() => change({ side: '' })}
          >
            Sent
          </button>
          <button
            type="button"
            className="quiet c-pick"
            aria-pressed={incoming}
            onClick={() => change({ side: 'in' })}
          >
            Received
          </button>
        </div>
      </header>
      {incoming ? <Incoming /> : <Outgoing />}
    </>
  )
}
