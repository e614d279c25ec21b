import {
  createContext,
  createElement,
  type ReactNode,
  useContext,
  useEffect,
  useState,
  useSyncExternalStore,
} from 'react'
import { NotificationManager } from '../manager.js'
import type { NotificationOptions } from '../options.js'
import type { NotificationState } from '../state.js'

const Context = createContext<NotificationManager | undefined>(undefined)

/** Gives a manager to all below it. */
export function NotificationProvider(props: {
  manager: NotificationManager
  children?: ReactNode
}): ReactNode {
  return createElement(Context.Provider, { value: props.manager }, props.children)
}

/**
 * A manager that lives as long as the component. The options are those of the
 * first call: give the component a key, such as the user's id, to begin anew.
 */
export function useNotificationManager(options: NotificationOptions): NotificationManager {
  const [manager] = useState(() => new NotificationManager(options))
  useEffect(() => {
    manager.start()
    return () => manager.destroy()
  }, [manager])
  return manager
}

/** The state and what can be done with it. */
export interface UseNotifications
  extends NotificationState,
    Pick<
      NotificationManager,
      | 'read'
      | 'unread'
      | 'dismiss'
      | 'archive'
      | 'readAll'
      | 'loadMore'
      | 'refresh'
      | 'clearMissed'
      | 'dismissToast'
      | 'setMuted'
      | 'setBrowserNotifications'
      | 'askPermission'
    > {
  readonly manager: NotificationManager
}

/** The notifications of a manager, by default that of the NotificationProvider. */
export function useNotifications(manager?: NotificationManager): UseNotifications {
  const given = useContext(Context)
  const found = manager ?? given
  if (!found) {
    throw new Error('useNotifications: give it a manager, or put a NotificationProvider above it')
  }
  const state = useSyncExternalStore(found.subscribe, found.getState, found.getState)
  const { read, unread, dismiss, archive, readAll, loadMore, refresh } = found
  const { clearMissed, dismissToast, setMuted, setBrowserNotifications, askPermission } = found
  return {
    ...state,
    manager: found,
    read,
    unread,
    dismiss,
    archive,
    readAll,
    loadMore,
    refresh,
    clearMissed,
    dismissToast,
    setMuted,
    setBrowserNotifications,
    askPermission,
  }
}
