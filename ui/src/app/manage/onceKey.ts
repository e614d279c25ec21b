/**
 * Makes the Idempotency-Keys of one form: the same as long as the request stays
 * the same, so that a second click, or another try after an answer was lost,
 * sends nothing twice.
 */
export function onceKey(): (body: object) => string {
  let last = ''
  let key = ''
  return body => {
    const text = JSON.stringify(body)
    if (text !== last) {
      last = text
      key = randomText()
    }
    return key
  }
}

// crypto.randomUUID is missing where a page came over plain http.
function randomText(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
}
