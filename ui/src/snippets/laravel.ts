import type { Start } from '../start'
import { env, single } from './quote'
import { type Snippet, schemeOf, secretOf } from './snippet'

/** Laravel: environment, front end, and one event from tinker. */
export const laravel: Snippet = {
  id: 'laravel',
  label: 'Laravel',
  hint: 'The server side changes in .env alone. The front end names the host and leaves out the fallback transports.',
  blocks: ({ start, channel, event }) => [
    { title: '.env', text: dotenv(start) },
    { title: 'resources/js/echo.js', text: echo },
    {
      title: 'php artisan tinker',
      text: `Broadcast::on(${single(channel)})->as(${single(event)})->with(['message' => 'Hello from Laravel'])->sendNow();`,
    },
  ],
}

function dotenv(start: Start): string {
  return [
    'BROADCAST_CONNECTION=pusher',
    `PUSHER_APP_ID=${env(start.app.id)}`,
    `PUSHER_APP_KEY=${env(start.app.key)}`,
    `PUSHER_APP_SECRET=${env(secretOf(start))}`,
    `PUSHER_HOST=${env(start.host)}`,
    `PUSHER_PORT=${start.port}`,
    `PUSHER_SCHEME=${schemeOf(start)}`,
    'PUSHER_APP_CLUSTER=mt1',
    '',
    'VITE_PUSHER_APP_KEY="${PUSHER_APP_KEY}"',
    'VITE_PUSHER_APP_CLUSTER="${PUSHER_APP_CLUSTER}"',
    'VITE_PUSHER_HOST="${PUSHER_HOST}"',
    'VITE_PUSHER_PORT="${PUSHER_PORT}"',
    'VITE_PUSHER_SCHEME="${PUSHER_SCHEME}"',
  ].join('\n')
}

const echo = `import Echo from 'laravel-echo'
import Pusher from 'pusher-js'

window.Pusher = Pusher
window.Echo = new Echo({
  broadcaster: 'pusher',
  key: import.meta.env.VITE_PUSHER_APP_KEY,
  cluster: import.meta.env.VITE_PUSHER_APP_CLUSTER,
  wsHost: import.meta.env.VITE_PUSHER_HOST,
  wsPort: import.meta.env.VITE_PUSHER_PORT,
  wssPort: import.meta.env.VITE_PUSHER_PORT,
  forceTLS: import.meta.env.VITE_PUSHER_SCHEME === 'https',
  enabledTransports: ['ws', 'wss'],
})`
