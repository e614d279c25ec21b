import { shell } from './quote'
import { authorityOf, type Snippet, schemeOf, secretOf } from './snippet'

/** A signed request in plain shell (HTTP-01, HTTP-02). */
export const curl: Snippet = {
  id: 'curl',
  label: 'curl',
  hint: 'Paste it into a terminal. It signs the request with openssl, as every SDK does.',
  blocks: ({ start, channel, event }) => {
    const path = `${start.pathPrefix}/apps/${encodeURIComponent(start.app.id)}/events`
    const body = JSON.stringify({
      name: event,
      channels: [channel],
      data: JSON.stringify({ message: 'Hello from curl' }),
    })
    return [
      {
        title: 'Terminal',
        text: [
          `BODY=${shell(body)}`,
          `QUERY="auth_key=${start.app.key}&auth_timestamp=$(date +%s)&auth_version=1.0&body_md5=$(printf %s "$BODY" | openssl dgst -md5 -r | cut -c1-32)"`,
          `SIGNATURE=$(printf 'POST\\n%s\\n%s' ${shell(path)} "$QUERY" | openssl dgst -sha256 -hmac ${shell(secretOf(start))} -r | cut -c1-64)`,
          `curl -sS -H 'Content-Type: application/json' --data-raw "$BODY" "${schemeOf(start)}://${authorityOf(start)}${path}?$QUERY&auth_signature=$SIGNATURE"`,
        ].join('\n'),
      },
    ]
  },
}
