import {
  type KeyboardEvent,
  type ReactNode,
  type RefObject,
  useEffect,
  useId,
  useRef,
  useState,
} from 'react'
import type { NotificationManager } from '../manager.js'
import type { Notification } from '../notification.js'
import { english, type NotificationLabels } from './labels.js'
import { NotificationItem } from './NotificationItem.js'
import { hidden } from './style.js'
import { type UseNotifications, useNotifications } from './useNotifications.js'

export interface NotificationBellProps {
  /** Default: that of the NotificationProvider. */
  manager?: NotificationManager
  labels?: Partial<NotificationLabels>
  className?: string
  /** Default: a bell. */
  icon?: ReactNode
  /** Called when one is chosen, in place of following its action_url. The list closes. */
  onOpen?: (notification: Notification) => void
  /** Whether what arrives is read out. Default: true. */
  announce?: boolean
  /** Below the list, such as a link to all notifications; close: shuts the list. */
  footer?: ReactNode | ((close: () => void) => ReactNode)
}

/**
 * A bell with the unread count that opens a list. Arrow keys, Home and End move
 * in the list, Escape closes it and goes back to the bell. It has no styles but
 * those of bell.css, which a page may load or replace.
 */
export function NotificationBell(props: NotificationBellProps): ReactNode {
  const { manager, className, announce = true, icon = <BellIcon /> } = props
  const labels = { ...english, ...props.labels }
  const notifications = useNotifications(manager)
  const { unreadCount } = notifications
  const [open, setOpen] = useState(false)
  const panel = useId()
  const root = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  useOutside(root, open, () => setOpen(false))

  const close = () => {
    setOpen(false)
    button.current?.focus()
  }
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    if (event.key === 'Escape' && open) {
      event.stopPropagation()
      close()
    } else if (event.target === button.current && !open) {
      if (event.key !== 'ArrowDown') return
      event.preventDefault()
      setOpen(true)
    } else if (open && move(root.current, event.key)) event.preventDefault()
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys belong to what is in it
    <div
      ref={root}
      className={['belfry-bell', className].filter(Boolean).join(' ')}
      onKeyDown={onKeyDown}
    >
      <button
        ref={button}
        type="button"
        className="belfry-bell-button"
        aria-label={`${labels.heading}, ${labels.unreadCount(unreadCount)}`}
        aria-expanded={open}
        aria-controls={open ? panel : undefined}
        onClick={() => setOpen(!open)}
      >
        {icon}
        {unreadCount > 0 && (
          <span className="belfry-bell-count" aria-hidden="true">
            {unreadCount > 99 ? '99+' : unreadCount}
          </span>
        )}
      </button>
      <span role="status" style={hidden}>
        {announce && notifications.toasts.at(-1)?.title}
      </span>
      {open && (
        <Panel {...props} id={panel} labels={labels} notifications={notifications} close={close} />
      )}
    </div>
  )
}

function Panel(
  props: Omit<NotificationBellProps, 'labels'> & {
    id: string
    labels: NotificationLabels
    notifications: UseNotifications
    close: () => void
  },
): ReactNode {
  const { id, labels, notifications: state, onOpen, footer, close } = props
  const list = useRef<HTMLUListElement>(null)
  const note = labels.connection(state.connection)
  const failed = !state.loaded && !state.loading && state.problem !== null

  const open = (chosen: Notification) => {
    close()
    onOpen?.(chosen)
  }
  const dismiss = (index: number, { id }: Notification) => {
    const items = [...(list.current?.querySelectorAll<HTMLElement>('.belfry-item') ?? [])]
    const next = items[index + 1] ?? items[index - 1]
    state.dismiss(id)
    const rest = list.current?.closest('section')
    ;(next ?? rest)?.focus()
  }

  return (
    <section id={id} className="belfry-panel" aria-label={labels.heading} tabIndex={-1}>
      <div className="belfry-panel-head">
        <h2>{labels.heading}</h2>
        <button type="button" disabled={state.unreadCount === 0} onClick={() => state.readAll()}>
          {labels.readAll}
        </button>
        <button
          type="button"
          aria-pressed={state.muted}
          onClick={() => state.setMuted(!state.muted)}
        >
          {labels.mute}
        </button>
      </div>
      {note && <p className="belfry-note">{note}</p>}
      {state.error && (
        <p className="belfry-error" role="alert">
          {state.error}
        </p>
      )}
      {!state.loaded && state.loading && <p className="belfry-empty">{labels.loading}</p>}
      {failed && (
        <p className="belfry-empty">
          {labels.failed}{' '}
          <button type="button" onClick={() => state.refresh()}>
            {labels.retry}
          </button>
        </p>
      )}
      {state.loaded && state.notifications.length === 0 && (
        <p className="belfry-empty">{labels.empty}</p>
      )}
      <ul ref={list} className="belfry-list">
        {state.notifications.map((notification, index) => (
          <NotificationItem
            key={notification.id}
            notification={notification}
            labels={labels}
            onOpen={onOpen && open}
            onRead={state.read}
            onDismiss={() => dismiss(index, notification)}
          />
        ))}
      </ul>
      {state.hasMore && (
        <button
          type="button"
          className="belfry-more"
          disabled={state.loading}
          onClick={() => state.loadMore()}
        >
          {labels.more}
        </button>
      )}
      {typeof footer === 'function' ? footer(close) : footer}
    </section>
  )
}

/** Moves the focus in the list; false when the key is none of it. */
function move(root: HTMLElement | null, key: string): boolean {
  const items = [...(root?.querySelectorAll<HTMLElement>('.belfry-item') ?? [])]
  if (!['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(key) || items.length === 0) return false
  const row = root?.ownerDocument.activeElement?.closest('li')
  const at = items.findIndex(item => row?.contains(item))
  const last = items.length - 1
  const to = {
    ArrowDown: Math.min(at + 1, last),
    ArrowUp: at < 0 ? last : Math.max(at - 1, 0),
    Home: 0,
    End: last,
  }[key]
  items[to ?? 0]?.focus()
  return true
}

function useOutside(root: RefObject<HTMLElement | null>, active: boolean, close: () => void) {
  const latest = useRef(close)
  latest.current = close
  useEffect(() => {
    if (!active) return
    const onPointerDown = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) latest.current()
    }
    document.addEventListener('pointerdown', onPointerDown)
    return () => document.removeEventListener('pointerdown', onPointerDown)
  }, [root, active])
}

function BellIcon(): ReactNode {
  return (
    <svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">
      <path
        fill="none"
        stroke="currentColor"
        strokeWidth="1.8"
        strokeLinecap="round"
        strokeLinejoin="round"
        d="M12 3a6 6 0 0 0-6 6c0 5-2 6.5-2 8h16c0-1.5-2-3-2-8a6 6 0 0 0-6-6zM9.5 20a2.6 2.6 0 0 0 5 0"
      />
    </svg>
  )
}
