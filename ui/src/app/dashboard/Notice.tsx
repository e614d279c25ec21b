import type { UseDashboard } from 'belfry-client/dashboard'
import type { ReactNode } from 'react'
import { useHref } from '../href'
import { inFull } from '../kit/Time'

/** Says why the figures on show may not be those of this moment. */
export function Notice(props: { board: UseDashboard<unknown> }): ReactNode {
  const { connection, error, problem, lastUpdate, refresh } = props.board
  const { toSignIn } = useHref()
  if (connection === 'unauthorized') {
    return (
      <p className="board-notice" role="alert">
        You are signed out, so these figures do not change any more.{' '}
        <a href={toSignIn()}>Sign in</a>
      </p>
    )
  }
  if (error) {
    return (
      <p className="board-notice" role="alert">
        The figures could not be fetched{lastUpdate && ' again'}: {error.message}.
        {lastUpdate && ` Those on show are from ${inFull(lastUpdate)}.`}{' '}
        <button type="button" className="quiet" onClick={() => void refresh()}>
          Try again
        </button>
      </p>
    )
  }
  if (connection !== 'polling') return null
  return (
    <p className="board-notice" role="status">
      Figures are fetched every few seconds, since {problem ?? 'there is no live connection'}.
    </p>
  )
}
