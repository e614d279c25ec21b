export * from './core.js'
export {
  type UseDashboard,
  type UseDashboardOptions,
  useDashboardEcho,
  useDashboardSocket,
} from './useDashboardEcho.js'
