import { disablePush, type NotificationManager, type PushOptions, renewPush } from 'belfry-client'
import { base } from '../base'

/** Where the service worker is, and where a click leads that has no address of its own. */
export const pushOptions: PushOptions = {
  worker: `${base}sw.js?open=${encodeURIComponent(`${base}notifications`)}`,
}

/** Keeps Web Push going where somebody has turned it on; what fails is tried with the next page. */
export function keepPush(manager: NotificationManager): void {
  renewPush(manager, pushOptions).catch(() => {})
}

/** Ends Web Push in this browser before its user signs out. It does not throw. */
export async function endPush(): Promise<void> {
  await disablePush({ baseUrl: base.slice(0, -1) }, pushOptions)
}
