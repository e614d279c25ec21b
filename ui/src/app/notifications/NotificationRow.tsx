import type { Notification } from 'belfry-client'
import { type KeyboardEvent, type ReactNode, type Ref, useId } from 'react'
import { Link } from 'wouter'
import { Time } from '../kit/Time'
import { Badges } from './Badges'
import { sentAt } from './filters'
import { RowActions } from './RowActions'
import { TypeIcon } from './TypeIcon'
import type { Action } from './useActions'

/** One notification of the list. */
export function NotificationRow(props: {
  row: Notification
  /** Its place in the list, from 0. */
  index: number
  /** How long the list is, -1 while that is not known. */
  size: number
  top: number
  measure: Ref<HTMLElement>
  /** Whether the Tab key comes to this one. */
  current: boolean
  picked: boolean
  address: string
  onFocus: () => void
  onKeyDown: (event: KeyboardEvent<HTMLElement>) => void
  pick: (range: boolean) => void
  act: (action: Action) => void
}): ReactNode {
  const { row, index, picked, pick, act } = props
  const { title, message, action_url, action_text } = row
  const unread = row.read_at === null
  const name = useId()
  const text = useId()
  return (
    <article
      ref={props.measure}
      className="n-row"
      data-index={index}
      data-id={row.id}
      data-unread={unread}
      data-priority={row.priority}
      data-picked={picked}
      aria-labelledby={name}
      aria-describedby={text}
      aria-posinset={index + 1}
      aria-setsize={props.size}
      tabIndex={props.current ? 0 : -1}
      style={{ transform: `translateY(${props.top}px)` }}
      onFocus={props.onFocus}
      onKeyDown={props.onKeyDown}
    >
      <label className="n-pick">
        <input
          type="checkbox"
          checked={picked}
          aria-label={`Pick: ${title}`}
          onClick={event => pick(event.shiftKey)}
          onChange={() => {}}
        />
      </label>
      <TypeIcon type={row.type} icon={row.icon} color={row.color} />
      <div className="n-body">
        <h2 className="n-title" id={name}>
          {unread && <span className="offscreen">Unread: </span>}
          <Link href={props.address} onClick={() => unread && act('read')}>
            {title}
          </Link>
        </h2>
        <p className="n-message" id={text}>
          {message}
        </p>
        <div className="n-facts">
          <Time at={sentAt(row)} />
          <Badges row={row} />
          {action_url !== '' && (
            <a
              className="n-link"
              href={action_url}
              rel="noopener noreferrer"
              onClick={() => unread && act('read')}
            >
              {action_text || 'Open'}
              <span className="offscreen">: {title}</span>
            </a>
          )}
        </div>
      </div>
      <RowActions row={row} act={act} />
    </article>
  )
}
