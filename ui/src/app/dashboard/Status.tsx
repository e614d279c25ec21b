import type { UseDashboard } from 'belfry-client/dashboard'
import type { ReactNode } from 'react'
import { ago, inFull, useNow } from '../kit/Time'

const words: Readonly<Record<string, string>> = {
  live: 'Live',
  connecting: 'Connecting',
  polling: 'Every few seconds',
  offline: 'Not up to date',
  unauthorized: 'Signed out',
}

/** How changes come, and when the last one did. */
export function Status(props: {
  board: Pick<UseDashboard<unknown>, 'connection' | 'lastUpdate'>
}): ReactNode {
  const { connection, lastUpdate } = props.board
  const now = useNow(1000)
  return (
    <span className="board-status" data-connection={connection}>
      <span className="lamp" aria-hidden="true" />
      <span role="status">{words[connection] ?? connection}</span>
      {lastUpdate && (
        <time dateTime={lastUpdate.toISOString()} title={inFull(lastUpdate)}>
          updated {agoOf(lastUpdate, now)}
        </time>
      )}
    </span>
  )
}

function agoOf(at: Date, now: number): string {
  const seconds = Math.max(0, Math.floor((now - at.getTime()) / 1000))
  return seconds < 60 ? `${seconds} s ago` : ago(at, now)
}
