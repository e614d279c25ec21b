export type { Page, Query } from './api.js'
export type { Connection } from './connection.js'
export type { Permission } from './desktop.js'
export { RequestFailed } from './http.js'
export type { ChannelLike, EchoLike, PusherLike } from './live.js'
export { NotificationManager } from './manager.js'
export {
  isUnread,
  type Notification,
  type NotificationPriority,
  type NotificationType,
  safeURL,
} from './notification.js'
export type { NotificationOptions, PusherClass } from './options.js'
export {
  disablePush,
  enablePush,
  type PushOptions,
  type PushSource,
  type PushState,
  pushState,
  renewPush,
} from './push.js'
export type { NotificationState } from './state.js'
export type { Toast } from './toasts.js'
