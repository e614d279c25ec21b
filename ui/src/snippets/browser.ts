import type { Start } from '../start'
import { single } from './quote'
import type { Snippet } from './snippet'

/** The receiving side, for front ends without Laravel. */
export const browser: Snippet = {
  id: 'browser',
  label: 'Browser',
  hint: 'The other end: what a page needs in order to listen, with pusher-js or with Laravel Echo.',
  blocks: ({ start, channel, event }) => [
    {
      title: 'pusher-js',
      text: `import Pusher from 'pusher-js'

const pusher = new Pusher(${single(start.app.key)}, {
  cluster: 'mt1',
${options(start)}
})
pusher.subscribe(${single(channel)}).bind(${single(event)}, data => console.log(data))`,
    },
    {
      title: 'laravel-echo',
      text: `import Echo from 'laravel-echo'
import Pusher from 'pusher-js'

const echo = new Echo({
  Pusher,
  broadcaster: 'pusher',
  key: ${single(start.app.key)},
  cluster: 'mt1',
${options(start)}
})
${listen(channel)}.listen(${single(`.${event}`)}, data => console.log(data))`,
    },
  ],
}

/** The options that name a server of one's own (FALL-02, ECHO-01). */
function options(start: Start): string {
  return [
    `  wsHost: ${single(start.host)},`,
    `  wsPort: ${start.port},`,
    `  wssPort: ${start.port},`,
    ...(start.pathPrefix === '' ? [] : [`  wsPath: ${single(start.pathPrefix)},`]),
    `  forceTLS: ${start.tls},`,
    `  enabledTransports: ['ws', 'wss'],`,
  ].join('\n')
}

/** Echo adds the prefixes itself (ECHO-03). */
function listen(channel: string): string {
  for (const [prefix, method] of [
    ['private-encrypted-', 'encryptedPrivate'],
    ['private-', 'private'],
    ['presence-', 'join'],
  ] as const) {
    if (channel.startsWith(prefix)) return `echo.${method}(${single(channel.slice(prefix.length))})`
  }
  return `echo.channel(${single(channel)})`
}
