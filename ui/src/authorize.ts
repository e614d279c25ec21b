import type { ChannelAuthorizationCallback } from 'pusher-js'
import { kindOf } from './channel'
import type { App } from './start'

/** Who this page is on presence channels: a new visitor in each tab. */
const visitor = `visitor-${crypto.getRandomValues(new Uint16Array(1))[0]}`

/**
 * Signs a subscription in the page, in the place of an application's auth
 * endpoint (AUTH-01, AUTH-02). Only a page on the server's own machine is given
 * the secret; there WebCrypto works without TLS too.
 */
export async function authorize(
  app: App,
  socketId: string,
  channel: string,
  done: ChannelAuthorizationCallback,
): Promise<void> {
  if (app.secret === undefined || crypto.subtle === undefined) {
    done(new Error('This page cannot sign a subscription.'), null)
    return
  }
  try {
    if (kindOf(channel) === 'presence') {
      const member = JSON.stringify({ user_id: visitor, user_info: { name: 'Start page' } })
      const signature = await hmac(app.secret, `${socketId}:${channel}:${member}`)
      done(null, { auth: `${app.key}:${signature}`, channel_data: member })
    } else {
      const signature = await hmac(app.secret, `${socketId}:${channel}`)
      done(null, { auth: `${app.key}:${signature}` })
    }
  } catch (cause) {
    done(cause instanceof Error ? cause : new Error(String(cause)), null)
  }
}

async function hmac(secret: string, text: string): Promise<string> {
  const bytes = new TextEncoder()
  const key = await crypto.subtle.importKey(
    'raw',
    bytes.encode(secret),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['sign'],
  )
  const digest = await crypto.subtle.sign('HMAC', key, bytes.encode(text))
  return Array.from(new Uint8Array(digest), byte => byte.toString(16).padStart(2, '0')).join('')
}
