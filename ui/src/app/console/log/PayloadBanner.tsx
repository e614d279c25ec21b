import type { ReactNode } from 'react'
import { part } from '../api'
import type { PayloadView } from '../model'
import { clockOf } from '../parts/words'
import { useAct } from '../queries'
import { usePayloads } from '../useStream'

/** Says who looks at the data of events and until when, to all administrators. */
export function PayloadBanner(): ReactNode {
  return usePayloads().views.map(view => <Looks key={view.id} view={view} />)
}

function Looks(props: { view: PayloadView }): ReactNode {
  const { id, user, app, channel, until, own } = props.view
  const act = useAct()
  return (
    <div className="c-banner c-looks" data-banner="payloads">
      <p>
        <strong>Payloads are shown.</strong> {own ? 'You look' : `${user.name || user.id} looks`} at
        the data of events of app {app}
        {channel ? (
          <>
            {' '}
            on <code>{channel}</code>
          </>
        ) : (
          ''
        )}{' '}
        in {own ? 'this session' : 'their own session'}, until{' '}
        <time dateTime={until}>{clockOf(until).slice(0, 8)}</time>.
      </p>
      <button
        type="button"
        className="quiet"
        aria-disabled={act.isPending}
        onClick={() => {
          if (!act.isPending) act.mutate({ name: `payloads/${part(id)}/end` })
        }}
      >
        End it
      </button>
    </div>
  )
}
