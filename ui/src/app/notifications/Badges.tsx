import type { Notification } from 'belfry-client'
import type { ReactNode } from 'react'
import { ago, inFull, useNow } from '../kit/Time'
import { priorityWords, typeWords } from './words'

/** What a notification is about, how urgent it is, and until when it counts. */
export function Badges(props: {
  row: Pick<Notification, 'type' | 'priority' | 'category' | 'expires_at'>
  whole?: boolean
}): ReactNode {
  const { row, whole = false } = props
  const { type, priority, category, expires_at } = row
  return (
    <>
      {(whole || priority === 'high') && (
        <span className={priority === 'high' ? 'badge fault' : 'badge'}>
          {priorityWords[priority]} priority
        </span>
      )}
      <span className="badge">{typeWords[type]}</span>
      {category !== '' && <span className="badge n-category">{category}</span>}
      {expires_at !== null && <Expiry at={expires_at} />}
    </>
  )
}

function Expiry(props: { at: string }): ReactNode {
  const at = new Date(props.at)
  const left = at.getTime() - Date.now()
  const now = useNow(left < 120_000 ? 1000 : 30_000)
  return (
    <span className={left < 3_600_000 ? 'badge warn' : 'badge'} title={inFull(at)}>
      Expires {ago(at, now)}
    </span>
  )
}
