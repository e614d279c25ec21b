/** The question of the service worker whether this page shows a notification. */
export interface Question {
  type: 'belfry:push'
  id: string
}

/** What of the browser's notifications a service worker shows. */
export interface Outside {
  title: string
  body: string
  id: string
  url: string
}

/**
 * The worker that Web Push reaches in this browser; undefined while it is off. It
 * shows what this page would, so the two must not both do.
 */
export async function pushed(): Promise<ServiceWorkerRegistration | undefined> {
  try {
    const registration = await globalThis.navigator?.serviceWorker?.getRegistration()
    return (await registration?.pushManager?.getSubscription()) ? registration : undefined
  } catch {
    return undefined // some browsers forbid it in private windows
  }
}

/** Shows a notification by the worker, in the place of the same one of Web Push. */
export async function showBy(
  worker: ServiceWorkerRegistration,
  { title, body, id, url }: Outside,
): Promise<void> {
  const to = url && new URL(url, globalThis.location?.href).href
  const data = { from: 'belfry', id, url: to }
  await worker.showNotification(title, { body, tag: `belfry-${id}`, data }).catch(() => {})
}

/** Takes notifications away that a worker showed. */
export async function closeBy(worker: ServiceWorkerRegistration, id: string): Promise<void> {
  const shown = await worker.getNotifications({ tag: `belfry-${id}` }).catch(() => [])
  for (const notification of shown) notification.close()
}

/** Answers the worker's questions. Gives what ends that. */
export function answer(shows: (id: string) => Promise<boolean>): () => void {
  const worker = globalThis.navigator?.serviceWorker
  const onMessage = ({ data, ports }: MessageEvent<Question>) => {
    const [port] = ports
    if (data?.type !== 'belfry:push' || !port) return
    shows(String(data.id)).then(
      yes => port.postMessage(yes),
      () => port.postMessage(false),
    )
  }
  worker?.addEventListener?.('message', onMessage)
  return () => worker?.removeEventListener?.('message', onMessage)
}
