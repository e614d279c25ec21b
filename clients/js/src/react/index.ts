export { english, type NotificationLabels } from './labels.js'
export { NotificationBell, type NotificationBellProps } from './NotificationBell.js'
export { NotificationToasts } from './NotificationToasts.js'
export {
  NotificationProvider,
  type UseNotifications,
  useNotificationManager,
  useNotifications,
} from './useNotifications.js'
