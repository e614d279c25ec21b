import { serve } from './http.js'

/**
 * An application's auth endpoints, written as the SDK's manual says. Who is
 * asking stands in the endpoint's query: user and name for a presence member,
 * bare=1 for a signature without channel data, wrong=1 for a signature that does
 * not hold, status=N for a refusal by the application itself, watch=a,b for a
 * watchlist.
 *
 * @param {import('pusher')} pusher
 */
export async function startBackend(pusher) {
  /** @type {{path: string, form: Record<string, string>, headers: import('node:http').IncomingHttpHeaders}[]} */
  const requests = []
  const server = await serve((request, body, response) => {
    const url = new URL(request.url ?? '/', 'http://backend')
    const form = Object.fromEntries(new URLSearchParams(body))
    requests.push({ path: url.pathname, form, headers: request.headers })
    const status = Number(url.searchParams.get('status') ?? 200)
    response.statusCode = status
    if (status !== 200) return response.end('refused by the application')
    const answer = url.pathname.endsWith('/user-auth')
      ? user(pusher, form, url.searchParams)
      : channel(pusher, form, url.searchParams)
    if (url.searchParams.has('wrong')) answer.auth = `${answer.auth.slice(0, -4)}0000`
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify(answer))
  })
  return { ...server, requests }
}

/**
 * @param {import('pusher')} pusher
 * @param {Record<string, string>} form
 * @param {URLSearchParams} query
 */
function channel(pusher, form, query) {
  const { socket_id: socket = '', channel_name: name = '' } = form
  if (!name.startsWith('presence-') || query.has('bare')) {
    return pusher.authorizeChannel(socket, name)
  }
  const id = query.get('user') ?? 'anonymous'
  const info = query.get('name')
  return pusher.authorizeChannel(socket, name, {
    user_id: id,
    ...(info === null ? {} : { user_info: { name: info, team: { id: 7, tags: ['a', 'b'] } } }),
  })
}

/**
 * @param {import('pusher')} pusher
 * @param {Record<string, string>} form
 * @param {URLSearchParams} query
 */
function user(pusher, form, query) {
  const watch = query.get('watch')
  return pusher.authenticateUser(form.socket_id ?? '', {
    id: query.get('user') ?? 'anonymous',
    user_info: { name: query.get('name') ?? '' },
    ...(watch === null ? {} : { watchlist: watch.split(',') }),
  })
}
