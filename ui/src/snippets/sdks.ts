import { double, single } from './quote'
import { authorityOf, type Snippet, schemeOf, secretOf, urlHost } from './snippet'

/** Node, with the package pusher. */
export const node: Snippet = {
  id: 'node',
  label: 'Node',
  hint: 'npm install pusher, save as publish.mjs, then node publish.mjs.',
  blocks: ({ start, channel, event }) => [
    {
      title: 'publish.mjs',
      text: `import Pusher from 'pusher'

const pusher = new Pusher({
  appId: ${single(start.app.id)},
  key: ${single(start.app.key)},
  secret: ${single(secretOf(start))},
  host: ${single(urlHost(start.host))},
  port: ${single(String(start.port))},
  useTLS: ${start.tls},
})
await pusher.trigger(${single(channel)}, ${single(event)}, { message: 'Hello from Node' })`,
    },
  ],
}

/** Go, with pusher-http-go. */
export const go: Snippet = {
  id: 'go',
  label: 'Go',
  hint: 'go get github.com/pusher/pusher-http-go/v5, save as main.go, then go run main.go.',
  blocks: ({ start, channel, event }) => [
    {
      title: 'main.go',
      text: `package main

import (
	"log"

	"github.com/pusher/pusher-http-go/v5"
)

func main() {
	client := pusher.Client{
		AppID:  ${double(start.app.id)},
		Key:    ${double(start.app.key)},
		Secret: ${double(secretOf(start))},
		Host:   ${double(authorityOf(start))},
		Secure: ${start.tls},
	}
	data := map[string]string{"message": "Hello from Go"}
	if err := client.Trigger(${double(channel)}, ${double(event)}, data); err != nil {
		log.Fatal(err)
	}
}`,
    },
  ],
}

/** Python, with the package pusher. */
export const python: Snippet = {
  id: 'python',
  label: 'Python',
  hint: 'pip install pusher, save as publish.py, then python publish.py.',
  blocks: ({ start, channel, event }) => [
    {
      title: 'publish.py',
      text: `import pusher

client = pusher.Pusher(
    app_id=${double(start.app.id)},
    key=${double(start.app.key)},
    secret=${double(secretOf(start))},
    host=${double(urlHost(start.host))},
    port=${start.port},
    ssl=${start.tls ? 'True' : 'False'},
)
client.trigger(${double(channel)}, ${double(event)}, {"message": "Hello from Python"})`,
    },
  ],
}

/** PHP, with pusher-php-server. */
export const php: Snippet = {
  id: 'php',
  label: 'PHP',
  hint: 'composer require pusher/pusher-php-server, save as publish.php, then php publish.php.',
  blocks: ({ start, channel, event }) => [
    {
      title: 'publish.php',
      text: `<?php
require 'vendor/autoload.php';

$pusher = new Pusher\\Pusher(
    ${single(start.app.key)},
    ${single(secretOf(start))},
    ${single(start.app.id)},
    [
        'host' => ${single(urlHost(start.host))},
        'port' => ${start.port},
        'scheme' => ${single(schemeOf(start))},
        'useTLS' => ${start.tls},${start.pathPrefix === '' ? '' : `\n        'path' => ${single(start.pathPrefix)},`}
    ]
);
$pusher->trigger(${single(channel)}, ${single(event)}, ['message' => 'Hello from PHP']);`,
    },
  ],
}
