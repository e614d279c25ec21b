import type { Notification } from 'belfry-client'
import {
  NotificationBell,
  NotificationProvider,
  NotificationToasts,
  useNotificationManager,
} from 'belfry-client/react'
import type Pusher from 'pusher-js'
import { type ReactNode, useEffect } from 'react'
import { base } from '../base'
import { ago } from './kit/Time'
import { keepPush } from './push'

/** As the page of all says it. */
const labels = { time: (at: Date) => ago(at, Date.now()) }

/** Leads to the notifications' page, or to one of them. */
export type GoTo = (address: string) => void

/**
 * The notifications of who is signed in, for all that is in it: toasts, sound,
 * browser notifications, the count in the title, and a bell for the header.
 */
export function OwnBell(props: {
  userId: string
  pusher: Pusher
  goTo: GoTo
  children: (bell: ReactNode) => ReactNode
}): ReactNode {
  const { goTo } = props
  // What has no address of its own opens on the page of all.
  const open = (row: Notification) => {
    if (row.action_url !== '') location.assign(row.action_url)
    else goTo(`notifications?id=${encodeURIComponent(row.id)}`)
  }
  const manager = useNotificationManager({
    pusher: props.pusher,
    userId: props.userId,
    baseUrl: base.slice(0, -1),
    onOpen: open,
  })
  useEffect(() => keepPush(manager), [manager])
  const bell = (
    <NotificationBell
      labels={labels}
      onOpen={open}
      footer={close => (
        <a
          href={`${base}notifications`}
          className="belfry-all"
          onClick={event => {
            if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
            event.preventDefault()
            close()
            goTo('notifications')
          }}
        >
          All notifications
        </a>
      )}
    />
  )
  return (
    <NotificationProvider manager={manager}>
      {props.children(bell)}
      <NotificationToasts onOpen={open} onOpenAll={() => goTo('notifications')} />
    </NotificationProvider>
  )
}
