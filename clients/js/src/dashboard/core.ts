export type { Connection } from '../connection.js'
export { RequestFailed } from '../http.js'
export type { ChannelLike, EchoLike, PusherLike } from '../live.js'
export type { ConnectionOptions, PusherClass } from '../options.js'
export { DashboardConnection, type DashboardOptions, type DashboardState } from './connection.js'
export type {
  DashboardFigure,
  DashboardInfo,
  DashboardRange,
  DashboardRow,
  DashboardStats,
  DashboardUpdate,
  StaleFigure,
} from './update.js'
