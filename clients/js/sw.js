// The service worker of belfry-client: shows what Web Push brings while no page
// is looked at. Serve this file from your own origin, or take it into a worker
// of yours with importScripts. A query says where a click on a notification
// without an address leads: /sw.js?open=/notifications

/** How long a page has to say that it shows the notification itself, in milliseconds. */
const patience = 1500

self.addEventListener('push', event => {
  const message = read(event.data)
  if (message) event.waitUntil(show(message))
})

self.addEventListener('notificationclick', event => {
  const { data } = event.notification
  if (data?.from !== 'belfry') return // another part of the worker showed it
  event.notification.close()
  event.waitUntil(open(data.url))
})

/** Reads a message of Belfry; undefined for any other. */
function read(data) {
  let raw
  try {
    raw = data?.json()
  } catch {
    return undefined
  }
  if (typeof raw !== 'object' || raw === null) return undefined
  if (typeof raw.id !== 'string' || typeof raw.title !== 'string' || !raw.title) return undefined
  const text = name => (typeof raw[name] === 'string' ? raw[name] : '')
  const { unread_count: unread } = raw
  return {
    id: raw.id,
    title: raw.title,
    body: text('message'),
    url: address(text('action_url')),
    icon: address(text('icon')),
    unread: Number.isInteger(unread) && unread >= 0 ? unread : undefined,
  }
}

/** The whole address of a path of this host, or of http and https; "" for all else. */
function address(text) {
  if (!/^(https?:\/\/|\/(?![/\\]))/i.test(text)) return ''
  try {
    return new URL(text, self.location.origin).href
  } catch {
    return ''
  }
}

async function show({ id, title, body, url, icon, unread }) {
  if (unread !== undefined) self.navigator.setAppBadge?.(unread).catch(() => {})
  if (await shownInPage(id)) return
  // Title and body are shown as text. The tag has a second message of the same
  // notification take the place of the first, in silence.
  await self.registration.showNotification(title, {
    body,
    tag: `belfry-${id}`,
    data: { from: 'belfry', id, url },
    ...(icon && { icon }),
  })
}

/** Asks the open pages whether one that is looked at shows the notification. */
async function shownInPage(id) {
  const pages = await windows()
  const answers = pages.map(
    page =>
      new Promise((resolve, reject) => {
        const { port1, port2 } = new MessageChannel()
        port1.onmessage = ({ data }) => (data === true ? resolve(true) : reject())
        page.postMessage({ type: 'belfry:push', id }, [port2])
      }),
  )
  const late = new Promise(resolve => setTimeout(resolve, patience, false))
  return Promise.race([Promise.any(answers).catch(() => false), late])
}

/** Goes to a page that shows the address, or opens one. */
async function open(url) {
  const pages = await windows()
  const { searchParams } = new URL(self.location.href)
  const to = url || address(searchParams.get('open') ?? '') || self.registration.scope
  const there = pages.find(page => page.url === to) ?? (url ? undefined : pages[0])
  if (there) await there.focus().catch(() => self.clients.openWindow(to))
  else await self.clients.openWindow(to)
}

/** The open pages, the one that was used last first. */
function windows() {
  return self.clients.matchAll({ type: 'window', includeUncontrolled: true })
}
